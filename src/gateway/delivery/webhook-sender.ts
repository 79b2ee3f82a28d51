import { Agent, type Dispatcher, errors, request } from 'undici';
import type { Delivery } from '../../store/store.js';
import { type AddressRange, parseRange } from './address-range.js';
import { judgedLookup, RefusedTarget } from './judged-lookup.js';
import { validateReplyUrl } from './reply-url.js';
import { parseRetryAfter } from './retry-after.js';
import { signWebhook, type WebhookSecret } from './webhook-signature.js';

/** What became of one attempt. */
export type SendOutcome =
  | { readonly kind: 'delivered' }
  /** Another attempt may end otherwise; `retryAfterMilliseconds` is the receiver's wish. */
  | { readonly kind: 'retry'; readonly reason: string; readonly retryAfterMilliseconds: number | null }
  | { readonly kind: 'dead'; readonly reason: string }
  /** The signal was aborted before the receiver answered; it may have the reply or not. */
  | { readonly kind: 'aborted' };

export interface WebhookSender {
  /** Never rejects. */
  send(delivery: Delivery, signal: AbortSignal): Promise<SendOutcome>;
  /** Ends all connections. */
  close(): Promise<void>;
}

export interface WebhookSenderOptions {
  /** `delivery.allow`: special address ranges that replies may go to. */
  readonly allow: readonly string[];
  /** Longest time of one attempt, in milliseconds. */
  readonly timeout: number;
  readonly secrets: readonly WebhookSecret[];
  readonly userAgent: string;
}

/** What a receiver answers is of no interest but its status; more than this is not read, in bytes. */
const longestAnswer = 64 * 1024;
/** Nor is it waited for longer than this once the status is known, in milliseconds. */
const answerPatience = 1_000;

/** Posts replies as Standard Webhooks (standardwebhooks.com). */
export function createWebhookSender(options: WebhookSenderOptions): WebhookSender {
  const allow = options.allow.map(parseRange);
  const agent = new Agent({
    connect: { lookup: judgedLookup(allow), timeout: options.timeout },
    // The attempt as a whole has its time; these would only cut it short.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: 16 * 1024,
  });
  return {
    send: (delivery, signal) => attempt(delivery, signal, options, allow, agent),
    close: () => agent.destroy(),
  };
}

/** The body that is posted; the same at each attempt. */
export function webhookBody(delivery: Delivery): string {
  return JSON.stringify({
    type: 'message.replied',
    timestamp: new Date(delivery.repliedAt).toISOString(),
    data: {
      id: delivery.messageId,
      session: delivery.session,
      seq: delivery.seq,
      metadata: delivery.metadata,
      reply: { text: delivery.replyText, metadata: delivery.replyMetadata },
    },
  });
}

async function attempt(
  delivery: Delivery,
  signal: AbortSignal,
  options: WebhookSenderOptions,
  allow: readonly AddressRange[],
  agent: Agent,
): Promise<SendOutcome> {
  if (signal.aborted) return { kind: 'aborted' };
  const target = validateReplyUrl(delivery.url, allow);
  if (!target.ok) return { kind: 'dead', reason: `the reply URL is refused: ${target.reason}` };
  const body = webhookBody(delivery);
  const end = new AbortController();
  const abort = () => end.abort();
  signal.addEventListener('abort', abort, { once: true });
  const timer = setTimeout(abort, options.timeout);
  try {
    const response = await request(target.url, {
      dispatcher: agent,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': options.userAgent,
        ...signWebhook(delivery.webhookId, Math.floor(Date.now() / 1_000), body, options.secrets),
      },
      body,
      signal: end.signal,
    });
    const patience = setTimeout(abort, answerPatience);
    // Read to its end so that the connection can be used again. What goes wrong here doesn't change the status.
    await response.body
      .dump({ limit: longestAnswer, signal: end.signal })
      .catch(() => response.body.destroy());
    clearTimeout(patience);
    return judgeStatus(response);
  } catch (error) {
    if (signal.aborted) return { kind: 'aborted' };
    if (end.signal.aborted) {
      return retry(`the receiver did not answer within ${options.timeout / 1_000} s (delivery.timeout)`);
    }
    return judgeError(error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

function judgeStatus(response: Dispatcher.ResponseData): SendOutcome {
  const { statusCode: status, headers } = response;
  if (status >= 200 && status < 300) return { kind: 'delivered' };
  if (status >= 300 && status < 400) {
    const location = single(headers['location'])?.slice(0, 200);
    const where = location === undefined ? '' : ` to ${JSON.stringify(location)}`;
    return {
      kind: 'dead',
      reason: `the receiver redirects${where} (HTTP ${status}); redirects are not followed, so the reply URL must be the final one`,
    };
  }
  if (status >= 500 || status === 408 || status === 425 || status === 429) {
    return retry(
      `the receiver answered HTTP ${status}`,
      parseRetryAfter(single(headers['retry-after']), Date.now()),
    );
  }
  return { kind: 'dead', reason: `the receiver refuses the reply: HTTP ${status}` };
}

function judgeError(error: unknown): SendOutcome {
  if (error instanceof RefusedTarget)
    return { kind: 'dead', reason: `the reply URL is refused: ${error.message}` };
  if (error instanceof errors.HeadersOverflowError)
    return retry("the headers of the receiver's answer are too large");
  return retry(`the receiver could not be reached: ${describe(error)}`);
}

/** A connection tried at several addresses fails with an AggregateError that says nothing by itself. */
function describe(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) {
    return [...new Set(error.errors.map(describe))].join('; ');
  }
  if (!(error instanceof Error)) return String(error);
  return error.message === '' ? ((error as NodeJS.ErrnoException).code ?? error.name) : error.message;
}

function single(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : header?.[0];
}

function retry(reason: string, retryAfterMilliseconds: number | null = null): SendOutcome {
  return { kind: 'retry', reason, retryAfterMilliseconds };
}
