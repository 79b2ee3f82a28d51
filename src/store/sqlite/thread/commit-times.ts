import type { TimeFigures } from '../../open-store.js';

/** From a disk that promises to a disk that dies. */
const boundsMs = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 5_000];

/** The times of commits, most of which is the fsync. */
export class CommitTimes {
  readonly #counts: number[] = new Array(boundsMs.length + 1).fill(0);
  #sumMs = 0;

  add(durationMs: number): void {
    const index = boundsMs.findIndex((bound) => durationMs <= bound);
    const bucket = index === -1 ? boundsMs.length : index;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sumMs += durationMs;
  }

  figures(): TimeFigures {
    return { boundsMs, counts: [...this.#counts], sumMs: this.#sumMs };
  }
}
