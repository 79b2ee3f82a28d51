/** A part of the gateway whose progress the watchdog stands for. Times in milliseconds of one monotonic clock. */
export interface PartProgress {
  readonly name: string;
  /** Since when the part has had something to do without getting on; null while it is idle or getting on. */
  readonly pendingSince: number | null;
}

export interface WatchdogDecision {
  /** Whether `WATCHDOG=1` is sent. */
  readonly feed: boolean;
  /** The parts that hang. */
  readonly stalled: readonly string[];
}

/**
 * How often `WATCHDOG=1` is sent: at a third of the timeout, under the half that sd_watchdog_enabled(3) asks for,
 * so that one late tick does no harm.
 * @param watchdogMicroseconds `WATCHDOG_USEC`
 * @returns milliseconds, at least 1
 */
export function watchdogInterval(watchdogMicroseconds: bigint): number {
  return Math.max(1, Number(watchdogMicroseconds / 3_000n));
}

/** Whether a delay of the event loop, in milliseconds, is over half the watchdog's time. */
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
