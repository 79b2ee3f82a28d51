import type { FastifyInstance } from 'fastify';
import type { Store } from '../../store/store.js';
import { Problem } from './problem.js';
import { bounds, pageQuery, sessionName } from './request-schema.js';
import { validateOne, validateQuery } from './validate.js';
import { messageView, pageView, sessionView } from './views.js';

export function addSessionRoutes(
  application: FastifyInstance,
  store: Pick<Store, 'sessions' | 'sessionMessages'>,
): void {
  application.get('/v1/sessions', async (request) => {
    return pageView(await store.sessions(pageOf(request.query)), sessionView);
  });

  application.get<{ Params: { session: string } }>('/v1/sessions/:session/messages', async (request) => {
    const session = validateOne(sessionName, request.params.session, { parameter: 'session' });
    const page = await store.sessionMessages(session, pageOf(request.query));
    if (page === null) throw new Problem('unknown-session', `No message was ever accepted for "${session}".`);
    return pageView(page, messageView);
  });
}

export function pageOf(query: unknown) {
  const { limit, after } = validateQuery(pageQuery, query);
  return { limit: limit ?? bounds.pageLimitDefault, after: after ?? null };
}
