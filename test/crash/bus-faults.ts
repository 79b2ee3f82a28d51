import { type Fault, livesThrough, type Surroundings } from './fault.js';

/** The bus does this while it lasts: the gateway lives through it, is killed, or is stopped and started. */
async function meanwhile(surroundings: Surroundings): Promise<void> {
  const { gateway, random, violate } = surroundings;
  if (random.chance(0.5)) {
    await livesThrough(surroundings, 300, 1_500);
    return;
  }
  for (const verb of ['stop', 'start'] as const) {
    if ((await gateway.unit.attempt(verb)) !== 0) violate(`"systemctl ${verb}" failed`);
  }
}

/** Faults of the message bus, of which the gateway needs nothing but the name of a stop's job. */
export const busFaults: readonly Fault[] = [
  {
    name: 'hung bus',
    weight: 3,
    endsGateway: false,
    async inject(surroundings) {
      const { gateway } = surroundings;
      await gateway.signalBus('STOP');
      try {
        await meanwhile(surroundings);
      } finally {
        await gateway.signalBus('CONT');
      }
    },
  },
  {
    name: 'flooded bus',
    weight: 3,
    endsGateway: false,
    async inject(surroundings) {
      const flood = surroundings.gateway.startWorker('flood-bus.mjs');
      try {
        await flood.firstLine();
        await meanwhile(surroundings);
      } finally {
        await flood.end();
      }
    },
  },
];
