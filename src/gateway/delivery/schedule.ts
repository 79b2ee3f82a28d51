/** When a delivery is tried again: pure functions. Times and spans in milliseconds. */

export interface BackoffSettings {
  readonly max_attempts: number;
  /** Longest wait before the second attempt; doubled for each further one. */
  readonly retry_delay: number;
  readonly retry_delay_limit: number;
}

/** A receiver may ask for a longer wait than `retry_delay_limit`, but not for one without end. */
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
export function backoff(
  attempt: number,
  settings: Pick<BackoffSettings, 'retry_delay' | 'retry_delay_limit'>,
  random: () => number,
): number {
  const ceiling = Math.min(settings.retry_delay * 2 ** (attempt - 1), settings.retry_delay_limit);
  return Math.floor(random() * ceiling);
}

/** When to send again after `attempt` failed; null when it was the last. A receiver's `Retry-After` is waited for. */
export function nextAttemptAt(
  attempt: number,
  retryAfter: number | null,
  now: number,
  settings: BackoffSettings,
  random: () => number,
): number | null {
  if (attempt >= settings.max_attempts) return null;
  return now + boundedRetryAfterMs(retryAfter ?? 0) + backoff(attempt, settings, random);
}
