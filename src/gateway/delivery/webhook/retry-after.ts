import type { RetrySchedule } from '../../../channels/reply-sender.js';
import { longestRetryAfterMs } from '../schedule.js';

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
