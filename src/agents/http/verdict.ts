import type { IncomingHttpHeaders } from 'node:http';
import { AgentError } from '../agent.js';

/** Statuses of servers and proxies that take no request now (RFC 9110, 15.6.3 and 15.6.4; RFC 6585, section 4). */
const awayStatuses: ReadonlySet<number> = new Set([429, 502, 503]);

/** Statuses that say that the address, or what the gateway sends to it, is wrong for each turn. */
const misconfigured: Readonly<Record<number, string>> = {
  401: 'check that the agent knows the webhook-secret',
  403: 'check that the agent knows the webhook-secret',
  404: 'check agent.url',
  405: 'check agent.url, which must take POST',
  410: 'check agent.url',
};

/** Statuses of requests that may end otherwise when they are sent again. */
const passing: ReadonlySet<number> = new Set([408, 409, 425]);

const longestSaid = 300;

/** The error of an answer that is no success. `body`: as far as it was read. */
export function statusError(status: number, headers: IncomingHttpHeaders, body: string): AgentError {
  const words = body.trimStart().startsWith('<') ? '' : body.replace(/[\s\p{Cc}]+/gu, ' ').trim();
  const said = words === '' ? '' : `: ${words.slice(0, longestSaid)}`;
  const answered = `the agent answered HTTP ${status}${said}`;
  if (awayStatuses.has(status)) return new AgentError('unavailable', answered, true);
  if (status >= 500 || passing.has(status)) return new AgentError('failed', answered, true);
  if (status >= 300 && status < 400) {
    const to = headers.location === undefined ? '' : ` to ${JSON.stringify(headers.location.slice(0, 200))}`;
    const mend = 'redirects are not followed: agent.url must be the final one';
    return new AgentError('unavailable', `${answered}, a redirect${to}; ${mend}`, false);
  }
  const mend = misconfigured[status];
  if (mend !== undefined) return new AgentError('unavailable', `${answered}; ${mend}`, false);
  return new AgentError('failed', answered, false);
}
