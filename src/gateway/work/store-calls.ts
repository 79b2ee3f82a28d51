import type { Clock } from '../../lifecycle/clock.js';
import type { Log } from '../../log/log.js';

/**
 * The calls to the store of one part of the gateway, the dispatcher say: which are under way and since when, so that
 * a store that hangs is seen, and whether the last ones failed, so that trouble is put on record when it begins and
 * when it ends, not in between. Each purpose by itself: a full disk stops the writing, not the reading.
 */
export class StoreCalls {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #caller: string;
  readonly #pending = new Set<{ readonly since: number }>();
  readonly #troubles = new Map<string, string>();

  constructor(log: Log, clock: Clock, caller: string) {
    this.#log = log;
    this.#clock = clock;
    this.#caller = caller;
  }

  /** Why the last call for some purpose failed; null when none did. */
  get trouble(): string | null {
    for (const reason of this.#troubles.values()) return reason;
    return null;
  }

  /** When the oldest call that has not been answered began; null when there is none. */
  get waitingSince(): number | null {
    for (const call of this.#pending) return call.since;
    return null;
  }

  /**
   * Passes on what the call gives or throws. `purpose` completes "The store could not …", and must be tried again
   * after a failure, or the trouble would stand for ever.
   */
  async run<Result>(purpose: string, call: () => Promise<Result>): Promise<Result> {
    const pending = { since: this.#clock.now() };
    this.#pending.add(pending);
    try {
      const result = await call();
      if (this.#troubles.delete(purpose)) {
        this.#log.notice(`The store can ${purpose} again, as the ${this.#caller} asks.`);
      }
      return result;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (!this.#troubles.has(purpose)) {
        this.#log.err(`The store could not ${purpose}: ${reason} The ${this.#caller} keeps trying.`);
      }
      this.#troubles.set(purpose, reason);
      throw error;
    } finally {
      this.#pending.delete(pending);
    }
  }
}
