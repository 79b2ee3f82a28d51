/** When the dispatcher and the deliverer ask the store again: pure functions. */

/** Between two tries of a store call that failed. */
const firstStoreDelayMs = 100;
const longestStoreDelayMs = 5_000;

/** After what is due was asked for and nothing came, something else (a delivery, say) is what is due. */
const shortestDueDelayMs = 250;

/** The wait after the store has failed for the `failures`th time in a row. */
export function storeRetryDelayMs(failures: number): number {
  return Math.min(firstStoreDelayMs * 2 ** Math.max(failures - 1, 0), longestStoreDelayMs);
}

/**
 * The sleep once all that was ready is claimed. It ends after a lease at the latest: a gateway that shares the store may
 * have claimed a session since `nextDueInMs` was read, and have died.
 */
export function dueDelayMs(nextDueInMs: number | null, leaseMs: number): number {
  if (nextDueInMs === null) return leaseMs;
  return Math.min(Math.max(nextDueInMs, shortestDueDelayMs), leaseMs);
}

/** A lease is renewed this often, so that two renewals may fail before it runs out. */
export function renewalIntervalMs(leaseMs: number): number {
  return Math.floor(leaseMs / 3);
}
