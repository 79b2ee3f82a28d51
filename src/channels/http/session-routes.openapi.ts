import { z } from 'zod';
import type { Operation } from './openapi/operation.js';
import { inSession, page } from './openapi/parameters.js';
import { type Described, oneOf, pageOf, sessionOf } from './openapi/parts.js';
import { describeMembers } from './openapi/schemas.js';
import { message, messagePage, session } from './openapi/views.js';
import { agentBody, historyQuery, policyBody, routeQuery } from './request-schema.js';

describeMembers(policyBody, { policy: 'The policy; null: `dispatch.policy` holds.' });
z.globalRegistry.add(policyBody, { id: 'NewPolicy', description: 'The policy of a session.' });
describeMembers(agentBody, { agent: 'The name of an agent of the configuration; null: the default one.' });
z.globalRegistry.add(agentBody, { id: 'NewAgent', description: 'The agent of a session.' });
describeMembers(historyQuery, { limit: 'The most messages; 100 by default.' });
describeMembers(routeQuery, {
  channel: 'The channel by which the message would come; `http` by default.',
  sender: 'The sender of the message; by default none.',
});

const sessionPage = pageOf(session, 'A page of sessions.').meta({ id: 'SessionPage' });

const route = z
  .object({
    session: sessionOf('The session.'),
    agent: z.string().meta({ description: 'The agent of the next message.', examples: ['fast'] }),
    configured: z.boolean().meta({ description: 'False if the configuration has no such agent.' }),
    source: oneOf(
      ['session', 'route', 'default'],
      '`session`: it was chosen before. `route`: a `[[route]]` table fits. `default`: none does.',
    ),
    route: z.int().min(1).nullable().meta({ description: 'The number of the `[[route]]` table, or null.' }),
  })
  .meta({ id: 'SessionRoute', description: 'The agent of a session, and why it is that one.' });

export type SessionRoute = Described<typeof route>;

const history = z
  .object({
    session: sessionOf('The session.'),
    generation: z.int().min(1).meta({ description: 'The present generation.' }),
    items: z.array(message).meta({ description: 'In the order of `seq`.' }),
  })
  .meta({ id: 'SessionHistory', description: 'What agents see of a session.' });

export type SessionHistory = Described<typeof history>;

const deleted = z
  .object({ session: sessionOf('The session.'), deleted: z.literal(true) })
  .meta({ id: 'DeletedSession' });

export type DeletedSession = Described<typeof deleted>;

const theSession = { 200: { description: 'The session.', content: { 'application/json': session } } };

export const sessionOperations: readonly Operation[] = [
  {
    method: 'GET',
    url: '/v1/sessions',
    id: 'listSessions',
    tag: 'Sessions',
    summary: 'List the sessions, in the order of their names',
    query: page,
    answers: { 200: { description: 'A page of them.', content: { 'application/json': sessionPage } } },
  },
  {
    method: 'GET',
    url: '/v1/sessions/:session/messages',
    id: 'listSessionMessages',
    tag: 'Messages',
    summary: 'List the messages of a session, in the order of their numbers',
    path: inSession,
    query: page,
    answers: { 200: { description: 'A page of them.', content: { 'application/json': messagePage } } },
    problems: ['unknown-session'],
  },
  {
    method: 'GET',
    url: '/v1/sessions/:session',
    id: 'getSession',
    tag: 'Sessions',
    summary: 'Look at a session',
    path: inSession,
    answers: theSession,
    problems: ['unknown-session'],
  },
  {
    method: 'PUT',
    url: '/v1/sessions/:session/policy',
    id: 'setSessionPolicy',
    tag: 'Sessions',
    summary: 'Say what happens when another message comes',
    description:
      '`queue` runs it after what came before. `interrupt` cancels what waits and runs. `collect` makes one turn of the messages that came meanwhile.',
    path: inSession,
    body: {
      required: true,
      content: { 'application/json': policyBody },
      examples: { collect: { policy: 'collect' }, default: { policy: null } },
    },
    answers: theSession,
  },
  {
    method: 'PUT',
    url: '/v1/sessions/:session/agent',
    id: 'setSessionAgent',
    tag: 'Sessions',
    summary: 'Choose the agent of a session, for the turns to come',
    path: inSession,
    body: {
      required: true,
      content: { 'application/json': agentBody },
      examples: { fast: { agent: 'fast' }, default: { agent: null } },
    },
    answers: theSession,
  },
  {
    method: 'GET',
    url: '/v1/sessions/:session/route',
    id: 'getSessionRoute',
    tag: 'Sessions',
    summary: 'Tell which agent the next message of a session gets, and why',
    path: inSession,
    query: routeQuery,
    answers: { 200: { description: 'The agent.', content: { 'application/json': route } } },
  },
  {
    method: 'GET',
    url: '/v1/sessions/:session/history',
    id: 'getSessionHistory',
    tag: 'Sessions',
    summary: 'Read the history of a session, as agents see it',
    description: 'The last messages of the present generation that have a reply.',
    path: inSession,
    query: historyQuery,
    answers: { 200: { description: 'The history.', content: { 'application/json': history } } },
    problems: ['unknown-session'],
  },
  {
    method: 'POST',
    url: '/v1/sessions/:session/reset',
    id: 'resetSession',
    tag: 'Sessions',
    summary: 'Begin a session anew, and delete nothing',
    description: 'The next message begins the next generation, of which agents remember nothing from before.',
    path: inSession,
    answers: theSession,
    problems: ['unknown-session'],
  },
  {
    method: 'DELETE',
    url: '/v1/sessions/:session',
    id: 'deleteSession',
    tag: 'Sessions',
    summary: 'Delete a session with all that belongs to it',
    description: 'What waits and runs in it is cancelled first. If a turn does not end in time, ask again.',
    path: inSession,
    answers: { 200: { description: 'It is deleted.', content: { 'application/json': deleted } } },
    problems: ['unknown-session', 'busy'],
  },
];
