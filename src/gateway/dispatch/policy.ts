/** Decisions of the dispatcher: pure functions over plain data. Times and spans in milliseconds. */

/** A turn's backoff ends here however often it is doubled. */
const longestRetryDelay = 86_400_000;

/** Between two tries of a store call that failed. */
const firstStoreDelay = 100;
const longestStoreDelay = 5_000;

/** After what is due was asked for and nothing came, something else (a delivery, say) is what is due. */
const shortestPause = 250;

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

/** How long until the turn is tried again; null: its message is dead. */
export function retryDelay(failed: FailedTurn, settings: RetrySettings): number | null {
  if (!failed.retry || failed.attempt >= settings.max_attempts) return null;
  const delay = settings.retry_delay * 2 ** Math.max(failed.attempt - 1, 0);
  return Math.min(delay, longestRetryDelay);
}

/** With fewer, an operator's restart or two would end the message of an agent that does nothing wrong. */
const fewestStops = 3;

/** The number of stops that cut a turn off after which its message is dead: it may stop its own gateway each time. */
export function mostStops({ max_attempts }: Pick<RetrySettings, 'max_attempts'>): number {
  return Math.max(max_attempts, fewestStops);
}

/** `Retry-After` of a full queue: what is said before a turn was measured, and at most. In seconds. */
const usualRoomIn = 5;
const longestRoomIn = 300;

/**
 * Seconds until a place in a full queue is free: a session's when its turn ends, any when one of all that run does.
 *
 * @param turnTime of one turn, in milliseconds; null: not known
 */
export function roomIn(limit: 'session' | 'total', turnTime: number | null, concurrency: number): number {
  if (turnTime === null) return usualRoomIn;
  const milliseconds = limit === 'session' ? turnTime : turnTime / concurrency;
  return Math.min(Math.max(Math.ceil(milliseconds / 1_000), 1), longestRoomIn);
}

/** How long to wait after the store has failed for the `failures`th time in a row. */
export function storeDelay(failures: number): number {
  return Math.min(firstStoreDelay * 2 ** Math.max(failures - 1, 0), longestStoreDelay);
}

/**
 * How long the dispatcher sleeps once it has claimed all that was ready. It looks again after a lease at the latest:
 * a gateway that shares the store may have claimed a session since `nextDueInMs` was read, and have died.
 */
export function pauseUntilDue(nextDueInMs: number | null, lease: number): number {
  if (nextDueInMs === null) return lease;
  return Math.min(Math.max(nextDueInMs, shortestPause), lease);
}

/** A lease is renewed this often, so that two renewals may fail before it runs out. */
export function renewalInterval(lease: number): number {
  return Math.floor(lease / 3);
}

/** Whether the store's record of a message still is this attempt's claim: every new claim adds one to the attempts. */
export function claimStands(
  turn: { readonly attempt: number },
  record: { readonly state: string; readonly attempts: number } | null,
): boolean {
  return record !== null && record.state === 'running' && record.attempts === turn.attempt;
}
