import { type Fault, livesThrough } from './fault.js';

/**
 * Clients open more connections than the gateway takes with its descriptors: idle ones, half-open ones, requests that don't end,
 * streams that nobody reads. Another client is answered all the same.
 */
export const heldConnections: Fault = {
  name: 'held connections',
  weight: 4,
  endsGateway: false,
  async inject(surroundings) {
    const { gateway, violate } = surroundings;
    const holder = gateway.startWorker('hold.mjs', ...gateway.holderArguments);
    try {
      await holder.firstLine();
      const outcome = await livesThrough(surroundings, 200, 1_000);
      if (outcome === 'alive') {
        const { status, body } = await gateway.ask('GET', '/healthz');
        if (status !== 200) violate(`/healthz was answered with ${status}: ${JSON.stringify(body)}`);
      }
    } finally {
      await holder.end();
    }
  },
};
