import type { RunRecord } from '../open-store.js';

/**
 * Kills of the gateway in a row, such as by an agent's `kill -9 $PPID` or the kernel when memory is short. Nobody can tell
 * whose doing they are, so that no attempt counts. A turn that was under way at several of them waits before it runs again:
 * else it might end every run at its beginning, and with it the turns of all other sessions.
 */

/** Longest life of a run for its end to be one of a row, in ms: longer than the longest wait. */
const longestOfRowMs = 900_000;

/** Kills with a turn under way that it does not have to wait for, and the shortest and longest wait, in ms. */
const freeKills = 3;
const shortestWaitMs = 1_000;
const longestWaitMs = 300_000;

/**
 * Counts the last runs that ended without a word, each soon after its start, on one boot.
 *
 * @param runs newest first
 */
export function killsInARow(
  runs: readonly Pick<RunRecord, 'startedAt' | 'stop' | 'bootId' | 'endUnknown'>[],
  now: number,
): number {
  const boot = runs[0]?.bootId;
  let until = now;
  const other = runs.findIndex(({ startedAt, stop, bootId, endUnknown }) => {
    const isOther =
      stop !== null || endUnknown !== undefined || bootId !== boot || until - startedAt > longestOfRowMs;
    until = startedAt;
    return isOther;
  });
  return other === -1 ? runs.length : other;
}

/** Time until a turn is run again that was under way at so many kills in a row, in ms; null: it runs at once. */
export function waitAfterKills(kills: number): number | null {
  if (kills <= freeKills) return null;
  return Math.min(longestWaitMs, shortestWaitMs * 2 ** (kills - freeKills - 1));
}
