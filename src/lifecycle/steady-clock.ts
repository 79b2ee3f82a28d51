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
