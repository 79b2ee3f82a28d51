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
