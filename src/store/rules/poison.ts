/**
 * A turn that was under way at `dispatch.max_attempts` crashes may be what brings the gateway down, or may have been
 * beside it each time. It is run once more by itself: what happens then is its own doing. Attempts that failed are no
 * sign of that: while an agent is down all turns have them, and would run one by one.
 */
export function isPoisonSuspect(crashes: number, maxAttempts: number): boolean {
  return crashes >= maxAttempts;
}

/** Turns under way. */
export interface HeldTurns {
  /** Running turns, without those of cancelled messages. */
  readonly running: number;
  /** The most crashes that any of them was under way at before, those of cancelled messages included. */
  readonly mostCrashes: number;
}

/** True if a turn runs beside which no other may begin, also while it ends after it was cancelled. */
export function poisonSuspectRuns({ running, mostCrashes }: HeldTurns, maxAttempts: number): boolean {
  return running <= 1 && isPoisonSuspect(mostCrashes, maxAttempts);
}

/**
 * Counts the ready turns that may begin, from the first on. The first suspect ends the count: it waits until nothing else
 * runs, and then begins alone.
 *
 * @param crashes of each turn that is ready, in their order
 * @param anyHeld true if a turn is under way
 */
export function mayBegin(crashes: readonly number[], anyHeld: boolean, maxAttempts: number): number {
  const first = crashes.findIndex((count) => isPoisonSuspect(count, maxAttempts));
  if (first === -1) return crashes.length;
  return first === 0 && !anyHeld ? 1 : first;
}
