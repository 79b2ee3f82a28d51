import type { FastifyContextConfig, FastifyInstance, FastifyRequest } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** An answer of this route may take as long as its client asks for. */
    waits?: boolean;
  }
}

/**
 * The requests that have arrived whole and whose answer is being made: how long the oldest of them has been at it
 * tells whether the channel gets on. A slow client, on its way in or out, is none of them.
 */
export class Handling {
  /** When each was begun, in milliseconds of `performance.now()`; the oldest first. */
  readonly #begun = new Map<FastifyRequest, number>();

  follow(application: FastifyInstance): void {
    application.addHook('preHandler', (request, _reply, done) => {
      const { waits }: FastifyContextConfig = request.routeOptions.config;
      if (waits !== true) this.#begun.set(request, performance.now());
      done();
    });
    const end = (request: FastifyRequest) => {
      this.#begun.delete(request);
    };
    application.addHook('onSend', (request, _reply, _payload, done) => {
      end(request);
      done();
    });
    // A client that goes away without its answer.
    application.addHook('onRequestAbort', (request, done) => {
      end(request);
      done();
    });
  }

  /** Since when the oldest has been at it; null when there is none. */
  get pendingSince(): number | null {
    return this.#begun.values().next().value ?? null;
  }
}
