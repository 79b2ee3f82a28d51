/** Decisions of the dispatcher: pure functions over plain data. */

/** A turn's backoff ends here however often it is doubled. */
const longestRetryDelayMs = 86_400_000;

export interface FailedTurn {
  /** 1 for the first. */
  readonly attempt: number;
  /** False: another attempt can't end otherwise. */
  readonly retry: boolean;
}

export interface RetrySettings {
  readonly max_attempts: number;
  readonly retry_delay: number;
}

/** The wait until the turn is tried again, in milliseconds; null: its message is dead. */
export function retryDelay(failed: FailedTurn, settings: RetrySettings): number | null {
  if (!failed.retry || failed.attempt >= settings.max_attempts) return null;
  const delay = settings.retry_delay * 2 ** Math.max(failed.attempt - 1, 0);
  return Math.min(delay, longestRetryDelayMs);
}

/** With fewer, an operator's restart or two would end the message of an agent that does nothing wrong. */
const fewestPutBacks = 3;

/** The number of stops that cut a turn off after which its message is dead: it may stop its own gateway each time. */
export function mostPutBacks({ max_attempts }: Pick<RetrySettings, 'max_attempts'>): number {
  return Math.max(max_attempts, fewestPutBacks);
}

/** `Retry-After` of a full queue: before a turn was measured, and at most. */
const usualRetryAfterSeconds = 5;
const longestRetryAfterSeconds = 300;

/**
 * Seconds until a slot in a full queue is free: a session's when its turn ends, any when one of all that run does.
 *
 * @param turnTimeMs of one turn; null: not known
 */
export function retryAfterSeconds(
  limit: 'session' | 'total',
  turnTimeMs: number | null,
  concurrency: number,
): number {
  if (turnTimeMs === null) return usualRetryAfterSeconds;
  const waitMs = limit === 'session' ? turnTimeMs : turnTimeMs / concurrency;
  return Math.min(Math.max(Math.ceil(waitMs / 1_000), 1), longestRetryAfterSeconds);
}

/** True if the store's record of a message still is this attempt's claim: every new claim adds one to the attempts. */
export function claimStands(
  turn: { readonly attempt: number },
  record: { readonly state: string; readonly attempts: number } | null,
): boolean {
  return record !== null && record.state === 'running' && record.attempts === turn.attempt;
}

/** Each new span counts for an eighth, as in TCP's estimate of the round-trip time (RFC 6298). */
const weight = 1 / 8;

/** The exponentially weighted mean of spans. */
export class MeanTime {
  #meanMs: number | null = null;

  /** Null: there was none yet. */
  get meanMs(): number | null {
    return this.#meanMs;
  }

  add(spanMs: number): void {
    this.#meanMs = this.#meanMs === null ? spanMs : this.#meanMs + (spanMs - this.#meanMs) * weight;
  }
}
