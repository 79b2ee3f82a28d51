import type { IncomingHttpHeaders } from 'node:http';
import { parseJson } from '../../text/bounded-json.js';
import { AgentError } from '../agent.js';

/** Decisions on what a model's server answers, or doesn't: pure functions. */

/** Another try may end otherwise. */
abstract class PassingFailure extends Error {
  constructor(
    message: string,
    /** As the server asks; null: it doesn't. */
    readonly retryAfterMs: number | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The server is away, or takes no request now: the model has done nothing. */
export class ServerAway extends PassingFailure {
  override readonly name = 'ServerAway';
}

/** The server took the request, and gave no reply. The request itself may be what breaks it. */
export class BrokenAnswer extends PassingFailure {
  override readonly name = 'BrokenAnswer';
}

export type { PassingFailure };

/** The server has not what it was asked for: the model, or the address. */
export class NotFound extends AgentError {}

/** Tries after the first one, within one turn. */
const mostRetries = 2;
/** For a server that asks for no wait at all. */
const shortestDelayMs = 100;
/** A turn that waits takes part in dispatch.concurrency. The agent is held instead, which takes part in nothing. */
const longestDelayMs = { away: 2_000, broken: 20_000 };

export interface RetryTimes {
  /** Before the second try; doubled for each further one. */
  readonly firstDelayMs: number;
  /** Left of the turn's time. */
  readonly leftMs: number;
  /** From 0 up to, but not 1, as Math.random. */
  readonly random: () => number;
}

/**
 * The wait before the next try of a turn; null: there is none.
 *
 * @param tries that failed so far
 */
export function retryDelayMs(
  tries: number,
  failure: PassingFailure,
  { firstDelayMs, leftMs, random }: RetryTimes,
): number | null {
  if (tries > mostRetries) return null;
  const backoffMs = firstDelayMs * 2 ** (tries - 1) * (1 + random() / 4);
  const { retryAfterMs } = failure;
  const delayMs = retryAfterMs === null ? backoffMs : Math.max(retryAfterMs, shortestDelayMs);
  const longestMs = longestDelayMs[failure instanceof ServerAway ? 'away' : 'broken'];
  return delayMs > Math.min(leftMs, longestMs) ? null : delayMs;
}

/** The error of a turn whose tries have failed. If the server took the request once, the attempt counts. */
export function turnFailure(failures: readonly PassingFailure[]): AgentError {
  const broken = failures.find((failure) => failure instanceof BrokenAnswer);
  const told = broken ?? failures.at(-1);
  const count = failures.length === 1 ? '' : ` (${failures.length} tries)`;
  const message = `${told?.message ?? 'the model’s server gave no reply'}${count}`;
  if (broken !== undefined) return new AgentError('failed', message, true, { cause: told });
  const retryAfterMs = told?.retryAfterMs ?? null;
  return new AgentError('unavailable', message, true, { cause: told, retryAfterMs });
}

/** Statuses of servers and proxies that take no request now (RFC 9110, 15.6.3 and 15.6.4; RFC 6585, section 4). */
const awayStatuses: ReadonlySet<number> = new Set([429, 502, 503]);
/** Statuses of requests that may end otherwise when they are sent again. */
const brokenStatuses: ReadonlySet<number> = new Set([408, 409]);

/** Where the operator has to look, by status. Such an agent is held: it is not for its messages to be dead. */
const misconfigured: Readonly<Record<number, string>> = {
  401: 'check the key (agent.key_file, agent.key_credential or OPENAI_API_KEY)',
  402: 'check the account that the key belongs to',
  403: 'check what the key may do',
  404: 'check agent.model and agent.base_url, which usually ends in "/v1"',
  405: 'check agent.base_url, which usually ends in "/v1"',
};

/** Where to look if the server refuses the one request. */
const refused: Readonly<Record<number, string>> = {
  400: 'check agent.parameters; if the conversation is too long for the model, lower agent.history_bytes',
  413: 'lower agent.history_bytes',
  422: 'check agent.parameters',
};

/**
 * The error of an answer that is no success.
 *
 * @param body of the answer, as far as it was read
 */
export function statusError(
  status: number,
  headers: IncomingHttpHeaders,
  body: string,
  now: number,
): PassingFailure | AgentError {
  const answered = `the model’s server answered HTTP ${status}${said(body)}`;
  if (awayStatuses.has(status)) return new ServerAway(answered, retryAfterMs(headers, now));
  if (status >= 500 || brokenStatuses.has(status)) {
    return new BrokenAnswer(answered, retryAfterMs(headers, now));
  }
  if (status >= 300 && status < 400) {
    const to = headers.location === undefined ? '' : ` to ${JSON.stringify(headers.location.slice(0, 200))}`;
    const mend = 'redirects are not followed: agent.base_url must be the final one';
    return new AgentError('unavailable', `${answered}, a redirect${to}; ${mend}`, false);
  }
  const mend = misconfigured[status];
  if (mend !== undefined) {
    return new (status === 404 ? NotFound : AgentError)('unavailable', `${answered}; ${mend}`, false);
  }
  return new AgentError('failed', `${answered}${refused[status] ? `; ${refused[status]}` : ''}`, false);
}

/** The error that a server tells within an answer that has begun, `{"message": …, "code": …}`. */
export function serverError(error: unknown): PassingFailure | AgentError {
  const { code } = (typeof error === 'object' && error !== null ? error : {}) as { readonly code?: unknown };
  const text = `the model’s server reported an error${said(JSON.stringify({ error }))}`;
  const isRefusal = typeof code === 'number' && code >= 400 && code < 500;
  if (!isRefusal || brokenStatuses.has(code) || awayStatuses.has(code)) return new BrokenAnswer(text);
  return new AgentError('failed', `${text}${refused[code] ? `; ${refused[code]}` : ''}`, false);
}

const longestSaid = 300;

/** The server's words for an error, as one line; empty if it has none. */
function said(body: string): string {
  const text = messageIn(body)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  if (text === '') return '';
  return text.length > longestSaid ? `: ${text.slice(0, longestSaid)}…` : `: ${text}`;
}

function messageIn(body: string): string {
  let value: unknown;
  try {
    value = parseJson(body);
  } catch {
    // A page for people says nothing in one line.
    return body.trimStart().startsWith('<') ? '' : body;
  }
  const { error, message, detail } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const inner = (typeof error === 'object' && error !== null ? error : {}) as { readonly message?: unknown };
  const found = [inner.message, error, message, detail].find((text) => typeof text === 'string');
  return typeof found === 'string' ? found : body;
}

/** Longest wait that a server may ask for. */
const longestRetryAfterMs = 3_600_000;

/**
 * Reads `retry-after-ms`, and `Retry-After` (RFC 9110, section 10.2.3): seconds, with a fraction as some servers send
 * it, or a date. Null if there is neither, or none that can be read.
 */
export function retryAfterMs(headers: IncomingHttpHeaders, now: number): number | null {
  const milliseconds = numberIn(headers['retry-after-ms']);
  if (milliseconds !== null) return Math.min(milliseconds, longestRetryAfterMs);
  const text = headers['retry-after']?.trim() ?? '';
  const seconds = numberIn(text);
  if (seconds !== null) return Math.min(seconds * 1_000, longestRetryAfterMs);
  // Date.parse takes much that is no HTTP date, such as "-5"; those begin with the name of a day.
  const at = /^[A-Z][a-z]{2,8},? /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? null : Math.min(Math.max(at - now, 0), longestRetryAfterMs);
}

function numberIn(header: string | string[] | undefined): number | null {
  return typeof header === 'string' && /^\d{1,12}(\.\d{1,9})?$/.test(header.trim()) ? Number(header) : null;
}
