/** The waits before something that failed is tried again: pure functions. Milliseconds. */

export interface Backoff {
  readonly firstDelayMs: number;
  readonly delayLimitMs: number;
}

/** The waits of a channel that does not run, or has lost its platform. */
export const channelBackoff: Backoff = { firstDelayMs: 1_000, delayLimitMs: 60_000 };

/** After being well for so long, a failure has a new reason. */
const stableMs = 60_000;

/**
 * The first wait, doubled for each failure in a row up to the limit, of which up to a fifth is taken off by chance: what
 * fails together need not come back together.
 *
 * @param failures before this one; 0 for the first
 * @param random from 0 up to, but not 1
 */
export function backoffMs(
  { firstDelayMs, delayLimitMs }: Backoff,
  failures: number,
  random = Math.random,
): number {
  return Math.min(firstDelayMs * 2 ** failures, delayLimitMs) * (1 - random() / 5);
}

export function isStable(wellForMs: number): boolean {
  return wellForMs >= stableMs;
}
