import type { FastifyInstance } from 'fastify';
import type { Log } from '../../log/log.js';
import type { Store } from '../../store/store.js';
import type { SessionOperations } from '../surroundings.js';
import { Problem } from './problem.js';
import {
  agentBody,
  bounds,
  historyQuery,
  noBody,
  policyBody,
  routeQuery,
  sessionName,
} from './request-schema.js';
import type { DeletedSession, SessionHistory, SessionRoute } from './session-routes.openapi.js';
import { memberProblem, validateBody, validateOne, validateQuery } from './validate.js';
import { messageView, pageOf, pageView, sessionView } from './views.js';

interface Route {
  Params: { session: string };
}

/** The session's name in a request's address. */
function nameIn({ params }: { readonly params: { readonly session: string } }): string {
  return validateOne(sessionName, params.session, { parameter: 'session' });
}

export function unknownSession(name: string): Problem {
  return new Problem(
    'unknown-session',
    `There is no session "${name}": no message came for it, or it was deleted.`,
  );
}

function note(log: Log, session: string, text: string): void {
  log.notice(text, { SD_GATEWAY_SESSION: session });
}

export function addSessionRoutes(
  application: FastifyInstance,
  store: Pick<Store, 'sessions' | 'sessionMessages'>,
): void {
  application.get('/v1/sessions', async (request) => {
    return pageView(await store.sessions(pageOf(request.query)), sessionView);
  });

  application.get<Route>('/v1/sessions/:session/messages', async (request) => {
    const session = nameIn(request);
    const page = await store.sessionMessages(session, pageOf(request.query));
    if (page === null) throw unknownSession(session);
    return pageView(page, messageView);
  });
}

/** One session: its settings, and what was said in it. */
export function addSessionSettingRoutes(
  application: FastifyInstance,
  store: Pick<Store, 'session' | 'setPolicy' | 'history'>,
  sessions: Pick<SessionOperations, 'setAgent' | 'agents' | 'route'>,
  log: Log,
): void {
  application.get<Route>('/v1/sessions/:session', async (request) => {
    const name = nameIn(request);
    const session = await store.session(name);
    if (session === null) throw unknownSession(name);
    return sessionView(session);
  });

  application.put<Route>('/v1/sessions/:session/policy', async (request) => {
    const name = nameIn(request);
    const { policy } = validateBody(policyBody, request.body);
    const session = await store.setPolicy(name, policy);
    note(
      log,
      name,
      `Set by request: the policy ${policy ?? 'of the configuration'} for the session "${name}"`,
    );
    return sessionView(session);
  });

  application.put<Route>('/v1/sessions/:session/agent', async (request) => {
    const name = nameIn(request);
    const { agent } = validateBody(agentBody, request.body);
    if (agent !== null && !sessions.agents.includes(agent)) {
      throw memberProblem(
        ['agent'],
        `is ${JSON.stringify(agent)}, which is no agent of the configuration: ${sessions.agents.join(', ')}`,
      );
    }
    const session = await sessions.setAgent(name, agent);
    note(log, name, `Set by request: the agent ${agent ?? 'that the routes give'} for the session "${name}"`);
    return sessionView(session);
  });

  application.get<Route>('/v1/sessions/:session/route', async (request): Promise<SessionRoute> => {
    const session = nameIn(request);
    const { channel = 'http', sender = null } = validateQuery(routeQuery, request.query);
    const { agent, isConfigured, source, route } = await sessions.route({ session, channel, sender });
    return { session, agent, configured: isConfigured, source, route };
  });

  application.get<Route>('/v1/sessions/:session/history', async (request): Promise<SessionHistory> => {
    const session = nameIn(request);
    const { limit = bounds.pageLimitDefault } = validateQuery(historyQuery, request.query);
    const summary = await store.session(session);
    if (summary === null) throw unknownSession(session);
    const messages = await store.history(session, limit);
    return { session, generation: summary.generation, items: messages.map(messageView) };
  });
}

/** Seconds after which a session that is in use may be asked for again. */
const busyRetryAfter = 1;

export function addSessionEndRoutes(
  application: FastifyInstance,
  sessions: Pick<SessionOperations, 'resetSession' | 'deleteSession'>,
  log: Log,
): void {
  application.post<Route>('/v1/sessions/:session/reset', async (request) => {
    const name = nameIn(request);
    validateBody(noBody, request.body);
    const session = await sessions.resetSession(name);
    if (session === null) throw unknownSession(name);
    note(log, name, `Reset by request: the session "${name}"`);
    return sessionView(session);
  });

  application.delete<Route>('/v1/sessions/:session', async (request): Promise<DeletedSession> => {
    const name = nameIn(request);
    validateBody(noBody, request.body);
    const outcome = await sessions.deleteSession(name);
    if (outcome === null) throw unknownSession(name);
    if (outcome === 'busy') {
      throw new Problem(
        'busy',
        'Its turn, or the posting of a reply, has not ended yet. All of it is cancelled.',
        {
          retryAfter: busyRetryAfter,
        },
      );
    }
    note(log, name, `Deleted by request: the session "${name}"`);
    return { session: name, deleted: true };
  });
}
