import type { FastifyInstance } from 'fastify';
import type { Store } from '../../store/store.js';
import { Problem } from './problem.js';
import { policyBody, sessionName } from './request-schema.js';
import { validateBody, validateOne } from './validate.js';
import { sessionView } from './views.js';

/** One session, and what becomes of its messages when another comes. */
export function addPolicyRoutes(
  application: FastifyInstance,
  store: Pick<Store, 'session' | 'setPolicy'>,
): void {
  type Route = { Params: { session: string } };
  application.get<Route>('/v1/sessions/:session', async (request) => {
    const name = validateOne(sessionName, request.params.session, { parameter: 'session' });
    const session = await store.session(name);
    if (session === null) throw new Problem('unknown-session', `No message was ever accepted for "${name}".`);
    return sessionView(session);
  });

  application.put<Route>('/v1/sessions/:session/policy', async (request) => {
    const name = validateOne(sessionName, request.params.session, { parameter: 'session' });
    const { policy } = validateBody(policyBody, request.body);
    return sessionView(await store.setPolicy(name, policy));
  });
}
