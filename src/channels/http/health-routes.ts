import type { FastifyInstance } from 'fastify';
import type { Readiness } from './http-channel.js';
import { Problem } from './problem.js';

/** For load balancers and probes: without a token, and nothing but states and counts. */
export function addHealthRoutes(application: FastifyInstance, readiness: () => Readiness): void {
  application.get('/healthz', () => ({ healthy: true }));
  application.get('/readyz', () => {
    const { ready, facts } = readiness();
    if (ready) return { ready, facts };
    throw new Problem('not-ready', 'The gateway does not take new work now.', { facts });
  });
}

/** Whether a request needs no token, by its address. */
export function isOpen(url: string): boolean {
  return /^\/(?:healthz|readyz)(?:\?|$)/.test(url);
}
