import type { RetrySchedule, SendOutcome } from '../../channels/reply-sender.js';
import { type Delivery, type DeliveryFailure, settleUnknown } from '../../store/deliveries.js';
import type { UnknownPolicy } from '../../store/messages.js';
import { cutText } from '../../text/copied-start.js';
import { formatExactTimeSpan } from '../../text/time-span.js';
import { nextAttemptAt, refusalLimitMs, type ScheduleSettings } from './schedule.js';

/** Decides what becomes of a delivery: pure functions. Times and spans in milliseconds. */

export interface VerdictSettings extends ScheduleSettings {
  /** Age of a reply from which it is not sent any more; 0: it never is too old. */
  readonly expire: number;
  /** Applies if the reply's own target says nothing of it. */
  readonly unknown: UnknownPolicy;
}

/** The record of a delivery that did not arrive. If `retryAt` is null, its message is dead. */
export type Postponement = Omit<DeliveryFailure, 'retryInMs'> & { readonly retryAt: number | null };

/** Longest reason of a failure, in characters: receivers and platforms have a part in it. */
const longestReason = 2_000;

/** A failure that is to be written, with its reason. */
export type Verdict = Postponement & { readonly error: string };

/** The time of the next attempt depends on these, beside the settings. */
export interface RetryFacts {
  /** The sender's. */
  readonly schedule: RetrySchedule;
  /** The time of the first refusal in a row; it matters for refusals only. */
  readonly refusedSince: number;
  readonly random: () => number;
}

/** The time from which the reply is too old to be sent; null: never. */
export function expiresAt({ dueSince }: Pick<Delivery, 'dueSince'>, expire: number): number | null {
  return expire === 0 ? null : dueSince + expire;
}

/** Judges a delivery before its attempt: null when it may be sent. */
export function judgeAge(
  delivery: Pick<Delivery, 'dueSince'>,
  now: number,
  { expire }: VerdictSettings,
): Verdict | null {
  const end = expiresAt(delivery, expire);
  if (end === null || now < end) return null;
  const error = `it was not delivered within ${formatExactTimeSpan(expire)} (delivery.expire) and is not sent late`;
  return { error, retryAt: null, attempted: false, unknown: false };
}

/** A delivery that can't be sent now, and not for the lack of anything in it; it is looked at when it expires. */
export function postponed(
  delivery: Pick<Delivery, 'dueSince'>,
  until: number,
  { expire }: VerdictSettings,
): Postponement {
  const end = expiresAt(delivery, expire);
  return {
    error: null,
    retryAt: end === null ? until : Math.min(until, end),
    attempted: false,
    unknown: false,
  };
}

/** Judges an attempt that has failed. */
export function judgeFailure(
  delivery: Pick<Delivery, 'target' | 'dueSince' | 'attempt' | 'idempotent' | 'unknownPolicy'>,
  outcome: Extract<SendOutcome, { kind: 'retry' | 'dead' }>,
  now: number,
  settings: VerdictSettings,
  { schedule, refusedSince, random }: RetryFacts,
): Verdict {
  const reason = cutText(outcome.reason, longestReason);
  const dead = (error: string, inDoubt = false): Verdict => ({
    error,
    retryAt: null,
    attempted: true,
    unknown: inDoubt,
  });
  if (outcome.kind === 'dead') return dead(reason, outcome.inDoubt);
  const { inDoubt } = outcome;
  let error = reason;
  if (inDoubt && !delivery.idempotent) {
    const { attempt, unknownPolicy, target } = delivery;
    const { channel } = target;
    const { resend, record } = settleUnknown(
      { channel, attempt, idempotent: false, unknownPolicy, cause: reason },
      settings.unknown,
    );
    if (!resend) return dead(record, true);
    error = record;
  }
  const refusalEnds = outcome.isRefusal ? refusedSince + refusalLimitMs : null;
  if (refusalEnds !== null && now >= refusalEnds)
    return dead(`${error}, for ${formatExactTimeSpan(refusalLimitMs)} by now`, inDoubt);
  const next = nextAttemptAt(
    delivery.attempt,
    outcome.retryAfterMilliseconds,
    now,
    settings,
    schedule,
    random,
  );
  if (next === null) return dead(`${error}; attempt ${delivery.attempt} was the last`, inDoubt);
  const again = refusalEnds === null ? next : Math.min(next, refusalEnds);
  const end = expiresAt(delivery, settings.expire);
  if (end !== null && again >= end) {
    return dead(
      `${error}; the next attempt would come after ${formatExactTimeSpan(settings.expire)} (delivery.expire)`,
      inDoubt,
    );
  }
  return { error, retryAt: again, attempted: true, unknown: inDoubt };
}
