import { Agent, type Dispatcher } from 'undici';
import type { ReplyPart, ReplySender, SendOutcome } from '../../../channels/reply-sender.js';
import { connectionErrorMessage } from '../../../text/failure-text.js';
import { traceparentOf } from '../../../text/trace-context.js';
import { BlockedAddress, guardedLookup, NameResolver } from '../addresses/guarded-lookup.js';
import { type AddressRange, parseRange, replyOrigin, validateReplyUrl } from '../addresses/target-address.js';
import { parseRetryAfter, webhookSchedule } from '../schedule.js';
import { post, type ReceiverAnswer, receiverConnector } from './http-client.js';
import { KeptConnections } from './kept-connections.js';
import { signWebhook, type WebhookSecret, webhookParts } from './webhook-request.js';

export interface WebhookSenderOptions {
  /** `delivery.allow`: special address ranges that replies may go to. */
  readonly allow: readonly string[];
  /** Longest time of one attempt, in milliseconds. */
  readonly timeout: number;
  readonly secrets: readonly WebhookSecret[];
  /** With so many connections open for further posts no further one is kept. Default: there is no bound. */
  readonly mostKeptConnections?: number;
  readonly userAgent: string;
}

/**
 * An idle connection is kept no longer, however long its receiver would keep it. Otherwise senders of messages, who name
 * the hosts, could have many descriptors and much memory held for ten minutes.
 */
const longestIdleMs = 4_000;

/** For one address of a name that has others. Node.js gives up after 250 ms, less than a handshake across the world. */
const addressTimeoutMs = 2_000;

/** One for all senders, those before a reload too: the threads of libuv, which it spares, are the process's. */
const names = new NameResolver();

/** Posts replies as Standard Webhooks (standardwebhooks.com). */
export function createWebhookSender(options: WebhookSenderOptions): ReplySender {
  const allow = options.allow.map(parseRange);
  const connections = {
    // Said, as NODE_TLS_REJECT_UNAUTHORIZED in the environment would else turn it off.
    connect: receiverConnector({
      lookup: guardedLookup(names, allow),
      timeout: options.timeout,
      rejectUnauthorized: true,
      // An address that takes no connection must not keep the attempt from those behind it, and a slow one has its time.
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: Math.max(
        10,
        Math.min(addressTimeoutMs, Math.floor(options.timeout / 4)),
      ),
    }),
    // The attempt as a whole has its time; these would only cut it short.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: 16 * 1024,
    keepAliveTimeout: longestIdleMs,
    keepAliveMaxTimeout: longestIdleMs,
  };
  const kept = new KeptConnections(connections, options.mostKeptConnections ?? Number.POSITIVE_INFINITY);
  // A connection that is used again may be closed by the receiver at the moment of the request, whose outcome is
  // unknown then: not for a reply that must not be sent twice.
  const single = new Agent({ ...connections, pipelining: 0 });
  return {
    schedule: webhookSchedule,
    destinationOf: ({ target }) => replyOrigin(target.address),
    partsOf: webhookParts,
    send(part, signal) {
      const by = (agent: Dispatcher) => attempt(part, signal, options, allow, agent);
      const { idempotent, target } = part.delivery;
      return (idempotent ? kept.use(replyOrigin(target.address), by) : null) ?? by(single);
    },
    close: async () => {
      await Promise.all([kept.destroy(), single.destroy()]);
    },
  };
}

async function attempt(
  { delivery, text: body }: ReplyPart,
  signal: AbortSignal,
  options: WebhookSenderOptions,
  allow: readonly AddressRange[],
  dispatcher: Dispatcher,
): Promise<SendOutcome> {
  if (signal.aborted) return { kind: 'aborted', inDoubt: false };
  const target = validateReplyUrl(delivery.target.address, allow);
  if (!target.ok) {
    return { kind: 'dead', reason: `the reply URL is refused: ${target.reason}`, peer: 'unasked' };
  }
  const traceparent = delivery.traceparent ?? traceparentOf(delivery.metadata);
  let hasStarted = false;
  const end = new AbortController();
  const abort = () => end.abort();
  signal.addEventListener('abort', abort, { once: true });
  // After a pause of the whole process the answer may be there already, and is read first.
  const timer = setTimeout(() => setImmediate(abort), options.timeout);
  try {
    const answer = await post(dispatcher, {
      url: target.url,
      headers: {
        'content-type': 'application/json',
        'user-agent': options.userAgent,
        ...(traceparent !== null && { traceparent }),
        ...signWebhook(delivery.webhookId, Math.floor(Date.now() / 1_000), body, options.secrets),
      },
      body,
      signal: end.signal,
      onStart: () => {
        hasStarted = true;
      },
    });
    return judgeStatus(answer);
  } catch (error) {
    const inDoubt = hasStarted;
    if (signal.aborted) return { kind: 'aborted', inDoubt };
    if (end.signal.aborted) {
      const reason = `the receiver did not answer within ${options.timeout / 1_000} s (delivery.timeout)`;
      return { ...unanswered, reason, inDoubt };
    }
    return judgeError(error, inDoubt);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

/** The host has said nothing. */
const unanswered = {
  kind: 'retry',
  retryAfterMilliseconds: null,
  pausesHost: false,
  isRefusal: false,
  peer: 'failing',
} as const;

/** The receiver has read the reply, and refuses this one for good (Standard Webhooks; RFC 9110, 15.5). */
const finalStatuses: ReadonlySet<number> = new Set([400, 410, 413, 422]);

function judgeStatus({ statusCode: status, headers }: ReceiverAnswer): SendOutcome {
  if (status >= 200 && status < 300) return { kind: 'delivered', receipt: null };
  if (status >= 300 && status < 400) {
    const location = first(headers['location'])?.slice(0, 200);
    const where = location === undefined ? '' : ` to ${JSON.stringify(location)}`;
    return {
      kind: 'dead',
      reason: `the receiver redirects${where} (HTTP ${status}); redirects are not followed, so the reply URL must be the final one`,
      peer: 'well',
    };
  }
  if (status >= 500 || status === 408 || status === 425 || status === 429) {
    return {
      kind: 'retry',
      reason: `the receiver answered HTTP ${status}`,
      retryAfterMilliseconds: parseRetryAfter(first(headers['retry-after']), Date.now()),
      // RFC 6585, section 4, and RFC 9110, 15.6.4; of the others it is about the one request.
      pausesHost: status === 429 || status === 503,
      isRefusal: false,
      peer: status >= 500 ? 'failing' : 'well',
      // A proxy that got no answer, or none that it could read, has passed the reply on (RFC 9110, 15.6.3 and 15.6.5).
      inDoubt: status === 502 || status === 504,
    };
  }
  const reason = `the receiver refuses the reply: HTTP ${status}`;
  if (finalStatuses.has(status)) return { kind: 'dead', reason, peer: 'well' };
  // A proxy says so as well while what stands behind it is replaced.
  return {
    kind: 'retry',
    reason,
    retryAfterMilliseconds: parseRetryAfter(first(headers['retry-after']), Date.now()),
    pausesHost: false,
    isRefusal: true,
    peer: 'well',
    inDoubt: false,
  };
}

function judgeError(error: unknown, inDoubt: boolean): SendOutcome {
  if (error instanceof BlockedAddress) {
    const reason = `the reply URL is refused: ${error.message}`;
    return { ...unanswered, reason, isRefusal: true, peer: 'unasked', inDoubt: false };
  }
  return {
    ...unanswered,
    reason: `the receiver could not be reached: ${connectionErrorMessage(error)}`,
    inDoubt,
  };
}

function first(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : header?.[0];
}
