/** A part of the gateway whose progress the watchdog stands for. Times in milliseconds of one monotonic clock. */
export interface PartProgress {
  readonly name: string;
  /** The time since which it has work and makes no progress; null while it is idle or makes progress. */
  readonly pendingSince: number | null;
}

export interface WatchdogDecision {
  /** True if `WATCHDOG=1` is sent. */
  readonly feed: boolean;
  /** The parts that hang. */
  readonly stalled: readonly string[];
}

/**
 * Returns the time between two `WATCHDOG=1`: a third of the timeout, so that one late tick does no harm.
 * sd_watchdog_enabled(3) asks for less than half.
 * @param watchdogMicroseconds `WATCHDOG_USEC`
 * @returns milliseconds, at least 1
 */
export function watchdogInterval(watchdogMicroseconds: bigint): number {
  return Math.max(1, Number(watchdogMicroseconds / 3_000n));
}

/** True if a delay of the event loop, in milliseconds, is over half the watchdog's time. */
export function isTooLate(delay: number, watchdogMicroseconds: bigint): boolean {
  return delay > Number(watchdogMicroseconds) / 2_000;
}

/** Feeds the watchdog only while no part has been stuck for half the timeout. */
export function watchdogDecision(
  parts: readonly PartProgress[],
  now: number,
  watchdogMicroseconds: bigint,
): WatchdogDecision {
  const tolerated = Number(watchdogMicroseconds) / 2_000;
  const stalled = parts
    .filter(({ pendingSince }) => pendingSince !== null && now - pendingSince > tolerated)
    .map(({ name }) => name);
  return { feed: stalled.length === 0, stalled };
}

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

/**
 * Longest wait of a stop that a kill has begun for the supervisor's own signal, in milliseconds: where the manager does
 * not say whether it stops the unit.
 */
export const supervisorSignalTimeoutMs = 1_000;

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
  /** The longest wait for the store, by the key that sets it, such as `store.busy_timeout`. */
  readonly storeWait: { readonly key: string; readonly waitMs: number };
}

/** The longest that a stop may take before it is plain that it hangs, in milliseconds. */
export function longestStop({ drainTimeoutMs, killDelayMs, storeWait }: StopTimes): number {
  return drainTimeoutMs + killDelayMs + storeWait.waitMs + closingTimeMs;
}

/** Time without progress after which a stop that is bound to progress is left to the manager's timeout, milliseconds. */
export const stopStallMs = 10_000;

/**
 * The plan of a stop: the longest stop and its barrier, whatever `TimeoutStopSec=` the unit file has.
 * @param stopTimeoutMs after which the service itself ends a stop that hangs
 * @returns with the time after which nothing is asked for any more, in milliseconds
 */
export function stopExtension(stopTimeoutMs: number): TimeoutExtensionPlan & { readonly limit: number } {
  return { interval, extensionMicroseconds, limit: stopTimeoutMs + barrierTimeoutMs };
}
