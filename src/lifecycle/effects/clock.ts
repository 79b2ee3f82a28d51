/**
 * The wall clock, which is followed when it is set forward; when it is set back time goes on from where it was.
 *
 * @param monotonic milliseconds since any moment
 */
export function steadyClock(wall: () => number, monotonic: () => number): () => number {
  let offset = Number.NEGATIVE_INFINITY;
  return () => {
    const elapsed = monotonic();
    offset = Math.max(offset, wall() - elapsed);
    return Math.floor(elapsed + offset);
  };
}

/** Milliseconds since the Unix epoch, never less than before: one clock for the whole process. */
export const steadyNow = steadyClock(
  () => Date.now(),
  () => performance.now(),
);

/** The time of the gateway's work. Tests have their own. */
export interface Clock {
  /** Milliseconds since the Unix epoch, never less than before: a wall clock that is set back delays nothing. */
  now(): number;
  /** Calls back once, after so many milliseconds; the returned function takes it back. */
  after(milliseconds: number, callback: () => void): () => void;
}

/** setTimeout(3) of Node counts in a signed 32-bit integer and fires at once beyond it. */
const longestTimer = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: steadyNow,
  after(milliseconds, callback) {
    const timer = setTimeout(callback, Math.min(Math.max(milliseconds, 0), longestTimer));
    return () => clearTimeout(timer);
  },
};
