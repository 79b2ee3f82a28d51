import type { RetrySchedule } from '../../channels/reply-sender.js';

/** The times at which a delivery is tried again: pure functions. Times and spans in milliseconds. */

export interface ScheduleSettings {
  /** If null, the reply is given up when it expires, however many attempts there were. */
  readonly max_attempts: number | null;
  /** If either is set, an exponential backoff replaces the sender's schedule. */
  readonly retry_delay: number | null;
  readonly retry_delay_limit: number | null;
}

export interface BackoffSettings {
  /** Longest wait before the second attempt; doubled for each further one. */
  readonly retry_delay: number;
  readonly retry_delay_limit: number;
}

/** The backoff of what `delivery.retry_delay` and `delivery.retry_delay_limit` leave open, and of circuits. */
export function backoffOf({
  retry_delay,
  retry_delay_limit,
}: Pick<ScheduleSettings, 'retry_delay' | 'retry_delay_limit'>): BackoffSettings {
  return { retry_delay: retry_delay ?? 1_000, retry_delay_limit: retry_delay_limit ?? 300_000 };
}

/** Each wait is longer than its schedule says by up to this part, so that what failed together does not return together. */
const jitter = 0.1;

/** A receiver may ask for a longer wait than its schedule has, but not for one without end. */
export const longestRetryAfterMs = 86_400_000;

/** The wait for a receiver that asks for so much by `Retry-After`. */
export function boundedRetryAfterMs(askedMs: number): number {
  return Math.min(Math.max(askedMs, 0), longestRetryAfterMs);
}

/**
 * Exponential backoff with full jitter: drawn evenly from nothing up to the doubled delay, so that the deliveries
 * which one outage has failed don't all come back at the same time.
 *
 * @param attempt the one that failed; 1 for the first
 * @param random from 0 up to, but not 1, as Math.random
 */
export function backoff(attempt: number, settings: BackoffSettings, random: () => number): number {
  const ceiling = Math.min(settings.retry_delay * 2 ** (attempt - 1), settings.retry_delay_limit);
  return Math.floor(random() * ceiling);
}

/**
 * The time to send again after `attempt` failed; null when it was the last.
 *
 * @param retryAfterMs as the receiver asks; null: it doesn't
 */
export function nextAttemptAt(
  attempt: number,
  retryAfterMs: number | null,
  now: number,
  settings: ScheduleSettings,
  schedule: RetrySchedule,
  random: () => number,
): number | null {
  if (settings.max_attempts !== null && attempt >= settings.max_attempts) return null;
  const asked = boundedRetryAfterMs(retryAfterMs ?? 0);
  if (settings.retry_delay !== null || settings.retry_delay_limit !== null) {
    return now + asked + backoff(attempt, backoffOf(settings), random);
  }
  const scheduled = schedule[Math.min(attempt, schedule.length) - 1] ?? 0;
  return now + Math.floor(Math.max(asked, scheduled) * (1 + jitter * random()));
}

/** A reply that its receiver refuses for what may pass is tried again for this long. */
export const refusalLimitMs = 900_000;

/** The oldest are forgotten beyond this number. Such a delivery has its time anew. */
const mostRefusals = 10_000;

/** Knows since when deliveries are refused. A restart forgets it, which gives each its time anew. */
export class Refusals {
  readonly #since = new Map<string, number>();

  /** The time of the first one in a row, which may be this one. */
  note(messageId: string, now: number): number {
    const since = this.#since.get(messageId) ?? now;
    this.#since.delete(messageId);
    this.#since.set(messageId, since);
    for (const oldest of this.#since.keys()) {
      if (this.#since.size <= mostRefusals) break;
      this.#since.delete(oldest);
    }
    return since;
  }

  forget(messageId: string): void {
    this.#since.delete(messageId);
  }
}

const minuteMs = 60_000;
const hourMs = 3_600_000;

/** As Standard Webhooks has it ("Deliverability and reliability"). */
export const webhookSchedule: RetrySchedule = [
  5_000,
  5 * minuteMs,
  30 * minuteMs,
  2 * hourMs,
  5 * hourMs,
  10 * hourMs,
  14 * hourMs,
  20 * hourMs,
  24 * hourMs,
];

/** asctime(3), as old servers write it: it has no zone, and is in GMT (RFC 9110, section 5.6.7). */
const asctimeDate = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$/;

/**
 * Reads a `Retry-After` header (RFC 9110, section 10.2.3): a number of seconds or an HTTP date.
 *
 * @returns milliseconds from `now`: 0 for a date gone by, at most a day; null when there is none that can be read
 */
export function parseRetryAfter(value: string | undefined, now: number): number | null {
  const text = value?.trim() ?? '';
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1_000, longestRetryAfterMs);
  // Date.parse takes much that is no HTTP date, such as "-5"; those begin with the name of a day.
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return null;
  const date = Date.parse(asctimeDate.test(text) ? `${text} GMT` : text);
  return Number.isNaN(date) ? null : Math.min(Math.max(date - now, 0), longestRetryAfterMs);
}
