import type { FastifyInstance, HTTPMethods } from 'fastify';
import { Problem } from './problem.js';

/** Answers every method but `allowed` with 405 and `Allow` (RFC 9110, 15.5.6). To be called after the route itself. */
export function refuseOtherMethods(application: FastifyInstance, url: string, allowed: HTTPMethods[]): void {
  application.route({
    url,
    method: application.supportedMethods.filter((method) => !allowed.includes(method)),
    // Before a body is read, so that it can't be refused for another reason.
    onRequest: () => {
      const allow = allowed.join(', ');
      throw new Problem('method-not-allowed', `This address takes ${allow}.`, { headers: { Allow: allow } });
    },
    handler: () => {},
  });
}
