import type { Log } from '../log/log.js';
import type { Clock } from './dispatch-clock.js';

/**
 * The dispatcher's calls to the store: which are under way and since when, so that a store that hangs is seen, and
 * whether the last ones failed, so that trouble is put on record when it begins and when it ends, not in between.
 */
export class StoreCalls {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #pending = new Set<{ readonly since: number }>();
  #trouble: string | null = null;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Why the last call failed; null when it did not. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /** When the oldest call that has not been answered began; null when there is none. */
  get waitingSince(): number | null {
    for (const call of this.#pending) return call.since;
    return null;
  }

  /** Passes on what the call gives or throws. */
  async run<Result>(what: string, call: () => Promise<Result>): Promise<Result> {
    const pending = { since: this.#clock.now() };
    this.#pending.add(pending);
    try {
      const result = await call();
      if (this.#trouble !== null) {
        this.#trouble = null;
        this.#log.notice('The store answers the dispatcher again.');
      }
      return result;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (this.#trouble === null) {
        this.#log.err(`The store could not ${what}: ${reason} The dispatcher keeps trying.`);
      }
      this.#trouble = reason;
      throw error;
    } finally {
      this.#pending.delete(pending);
    }
  }
}
