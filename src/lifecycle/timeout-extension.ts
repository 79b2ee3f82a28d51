/** Requests of a phase for time: see `EXTEND_TIMEOUT_USEC=` in sd_notify(3). */
export interface TimeoutExtensionPlan {
  /** Time between two requests, in milliseconds. */
  readonly interval: number;
  /** The time that each request asks for, in µs from the moment it is received. */
  readonly extensionMicroseconds: bigint;
}

const interval = 2_000;
/** Five intervals: four requests may be late or lost before the manager's timeout ends. */
const extensionMicroseconds = 10_000_000n;

/** Time for what follows the drain: closing the store and waiting for the barrier, in milliseconds. */
export const closingTimeMs = 15_000;

/** Longest wait for the barrier at the end, in milliseconds. */
export const barrierTimeoutMs = 5_000;

/** The plan of a start, for as long as it makes progress. */
export const startExtension: TimeoutExtensionPlan = { interval, extensionMicroseconds };

/** Time without progress after which a start is left to the manager's timeout, in milliseconds. */
export const startStallMs = 30_000;

/** The times of which a gateway's stop consists. */
export interface StopTimes {
  /** `stop.drain`: until running turns are put back. */
  readonly drainTimeoutMs: number;
  /** `agent.kill_delay`: until a command that has to end is killed. */
  readonly killDelayMs: number;
  /** `store.busy_timeout`: until a lock of another process is given up. */
  readonly busyTimeoutMs: number;
}

/** The longest that a stop may take before it is plain that it hangs, in milliseconds. */
export function longestStop({ drainTimeoutMs, killDelayMs, busyTimeoutMs }: StopTimes): number {
  return drainTimeoutMs + killDelayMs + busyTimeoutMs + closingTimeMs;
}

/**
 * The plan of a stop: the longest stop and its barrier, whatever `TimeoutStopSec=` the unit file has.
 * @param stopTimeoutMs after which the service itself ends a stop that hangs
 * @returns with the time after which nothing is asked for any more, in milliseconds
 */
export function stopExtension(stopTimeoutMs: number): TimeoutExtensionPlan & { readonly limit: number } {
  return { interval, extensionMicroseconds, limit: stopTimeoutMs + barrierTimeoutMs };
}
