import type { FastifyInstance } from 'fastify';
import type { Store } from '../../store/store.js';
import type { EventStreams } from './event-streams.js';
import { eventQuery, lastEventId, sessionName } from './request-schema.js';
import { validateOne, validateQuery } from './validate.js';

export function addEventRoutes(
  application: FastifyInstance,
  store: Pick<Store, 'settledUpTo'>,
  streams: EventStreams,
): void {
  application.get<{ Params: { session: string } }>(
    '/v1/sessions/:session/events',
    // Its answer has no end that a HEAD could wait for.
    { exposeHeadRoute: false },
    async (request, reply) => {
      const session = validateOne(sessionName, request.params.session, { parameter: 'session' });
      const { after } = validateQuery(eventQuery, request.query);
      const header = request.headers['last-event-id'];
      const last =
        header === undefined ? undefined : validateOne(lastEventId, header, { header: 'Last-Event-ID' });
      const from = last ?? after ?? (await store.settledUpTo(session));
      reply.hijack();
      await streams.serve(session, from, reply.raw);
    },
  );
}
