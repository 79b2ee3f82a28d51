import type { UnknownPolicy } from '../store/messages.js';
import { formatExactTimeSpan } from '../text/time-span.js';
import type { RetrySchedule, SendOutcome } from './reply-sender.js';

/** The failures of sends, as the senders of channels tell them: pure functions. */

export type RetryOutcome = Extract<SendOutcome, { readonly kind: 'retry' }>;

/** The waits of a chat, which people read: 1 s, doubled up to 1 min. */
export const chatSchedule: RetrySchedule = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000];

/**
 * Another attempt may end otherwise. A time that the receiver asks for holds for its whole destination.
 *
 * @param known by default, no time is asked for, the destination was not asked, and nothing has arrived
 */
export function retryLater(
  reason: string,
  known: Partial<Pick<RetryOutcome, 'retryAfterMilliseconds' | 'peer' | 'inDoubt'>> = {},
): RetryOutcome {
  const { retryAfterMilliseconds = null, peer = 'unasked', inDoubt = false } = known;
  const pausesHost = retryAfterMilliseconds !== null;
  return { kind: 'retry', reason, retryAfterMilliseconds, pausesHost, isRefusal: false, peer, inDoubt };
}

/** No other attempt can end otherwise, and nothing has arrived. */
export function refusedForGood(reason: string): SendOutcome {
  return { kind: 'dead', reason, peer: 'unasked' };
}

/** A send that goes to no possible address. */
export function wrongAddress(address: string, wanted: string): string {
  return `the address ${JSON.stringify(address)} ${wanted}`;
}

/** The end of a text that is sent once. Throws if it was not sent, or may not have been. */
export function throwUnlessSent(outcome: SendOutcome): void {
  if (outcome.kind === 'delivered') return;
  throw new Error(outcome.kind === 'aborted' ? 'it was not sent in time' : outcome.reason);
}

/**
 * The policy decides about a reply that may have arrived, as nobody can tell. Null: it is sent again.
 *
 * @param who can't tell, and why
 */
export function decideUnknown(
  who: string,
  { channel, unknown }: { readonly channel: string; readonly unknown: UnknownPolicy | null },
): SendOutcome | null {
  if (unknown === 'resend') return null;
  const setting = unknown === null ? 'it is not set' : `it is "${unknown}"`;
  const reason = `the reply may have arrived, and ${who}; not sent again (channels.${channel}.unknown: ${setting})`;
  return { kind: 'dead', reason, peer: 'unasked', inDoubt: true };
}

/** The limit of a channel on tries, `retry_for`. */
export interface RetryLimit {
  readonly channel: string;
  readonly retryForMs: number;
  /** The time from which the reply's age counts, and the present one, in milliseconds since the Unix epoch. */
  readonly dueSince: number;
  readonly now: number;
}

/** A conversation has gone on after so long: what failed until then is set aside, for a person to send it after all. */
export function withinLimit(
  outcome: RetryOutcome,
  { channel, retryForMs, dueSince, now }: RetryLimit,
): Extract<SendOutcome, { readonly kind: 'retry' | 'dead' }> {
  if (now - dueSince < retryForMs) return outcome;
  const limit = `${formatExactTimeSpan(retryForMs)} (channels.${channel}.retry_for)`;
  const { reason, peer, inDoubt } = outcome;
  return { kind: 'dead', reason: `${reason}; it was tried for ${limit}`, peer, inDoubt };
}
