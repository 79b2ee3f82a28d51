import type { FastifyRequest } from 'fastify';
import { ownCommand } from '../../text/own-command.js';
import { isOpenAiAddress } from './openai/addresses.js';
import { Problem } from './problem.js';
import type { NamedToken, TokenScope } from './tokens.js';

/** The one who sends a request: with the operator's token, which may do all, or with a named one. */
export type Caller = 'operator' | NamedToken;

const callers = new WeakMap<FastifyRequest, Caller>();

export function noteCaller(request: FastifyRequest, caller: Caller): void {
  callers.set(request, caller);
}

/** The one who sends a request that was let in. */
export function callerOf(request: FastifyRequest): Caller {
  const caller = callers.get(request);
  if (caller === undefined) throw new Error('The request was not let in.');
  return caller;
}

/** The right that a request needs; "operator": the operator's own token. */
export type RouteRight = TokenScope | 'operator';

/** The routes whose right doesn't follow from their method, as "METHOD address". */
const rights: Readonly<Record<string, RouteRight>> = {
  'POST /v1/sessions/:session/messages': 'post',
  'POST /v1/questions/:code': 'approve',
  'GET /metrics': 'metrics',
  'GET /v1/people': 'operator',
  'POST /v1/people/accept': 'operator',
  'POST /v1/people/forget': 'operator',
  'GET /v1/tokens': 'operator',
  'POST /v1/tokens': 'operator',
  'DELETE /v1/tokens/:name': 'operator',
};

/** Orders of a person that an agent must not give for them, as "METHOD address". */
const personal: ReadonlySet<string> = new Set([
  'POST /v1/messages/:id/retry',
  'POST /v1/messages/:id/discard',
  'POST /v1/questions/:code',
  'GET /v1/people',
  'POST /v1/people/accept',
  'POST /v1/people/forget',
  'GET /v1/tokens',
  'POST /v1/tokens',
  'DELETE /v1/tokens/:name',
]);

/** A route as Fastify has it. HEAD is GET without the body. */
function nameOf(method: string, url: string): string {
  return `${method === 'HEAD' ? 'GET' : method} ${url}`;
}

/** The right that a route needs: the OpenAI-compatible API has one of its own. Else what only looks needs "read", and all else "operate", unless it is listed above. */
export function rightOf(method: string, url: string): RouteRight {
  if (isOpenAiAddress(url)) return 'openai';
  const name = nameOf(method, url);
  return rights[name] ?? (name.startsWith('GET ') ? 'read' : 'operate');
}

/** True if the route is refused to a process of a running turn. */
export function isPersonal(method: string, url: string): boolean {
  return personal.has(nameOf(method, url));
}

/** Throws the 403 of RFC 6750, section 3.1, if the caller's token has not the right. */
export function requireRight(caller: Caller, right: RouteRight): void {
  if (caller === 'operator' || (right !== 'operator' && caller.scopes.includes(right))) return;
  const needed =
    right === 'operator'
      ? `This call needs the operator’s token ("${ownCommand('token show')}").`
      : `This call needs a token with the scope "${right}".`;
  const has = caller.scopes.length === 0 ? 'none' : caller.scopes.join(', ');
  throw new Problem('forbidden', `${needed} The scopes of "${caller.name}" are: ${has}.`, {
    headers: {
      'WWW-Authenticate': `Bearer realm="sd-gateway", error="insufficient_scope", scope="${right}"`,
    },
  });
}
