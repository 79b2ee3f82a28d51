/** The waits before a channel's program is started again: pure functions. Milliseconds. */

const firstDelayMs = 1_000;
const delayLimitMs = 60_000;
/** A program that was ready for so long has failed for a new reason. */
const stableMs = 60_000;

/**
 * 1 s, doubled for each failure in a row up to 1 min, of which up to a fifth is taken off by chance: what fails together
 * need not come back together.
 *
 * @param failures before this one; 0 for the first
 * @param random from 0 up to, but not 1
 */
export function restartDelayMs(failures: number, random: () => number): number {
  return Math.min(firstDelayMs * 2 ** failures, delayLimitMs) * (1 - random() / 5);
}

export function isStable(readyForMs: number): boolean {
  return readyForMs >= stableMs;
}
