import type { Clock } from '../../lifecycle/effects/clock.js';
import { pause } from '../../lifecycle/effects/waits.js';
import type { Log } from '../../log/log.js';
import { StoreError } from '../../store/store-error.js';
import { errorMessage } from '../../text/failure-text.js';

/** When the dispatcher and the deliverer ask the store again: pure functions. */

/** Between two tries of a store call that failed. */
const firstStoreDelayMs = 100;
const longestStoreDelayMs = 5_000;

/** After what is due was asked for and nothing came, something else (a delivery, say) is what is due. */
const shortestDueDelayMs = 250;

/** The wait after the store has failed for the `failures`th time in a row. */
export function storeRetryDelayMs(failures: number): number {
  return Math.min(firstStoreDelayMs * 2 ** Math.max(failures - 1, 0), longestStoreDelayMs);
}

/**
 * The sleep once all that was ready is claimed. It ends after a lease at the latest: a gateway that shares the store may
 * have claimed a session since `nextDueInMs` was read, and have died.
 */
export function dueDelayMs(nextDueInMs: number | null, leaseMs: number): number {
  if (nextDueInMs === null) return leaseMs;
  return Math.min(Math.max(nextDueInMs, shortestDueDelayMs), leaseMs);
}

/** A lease is renewed this often, so that two renewals may fail before it runs out. */
export function renewalIntervalMs(leaseMs: number): number {
  return Math.floor(leaseMs / 3);
}

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
      const reason = errorMessage(error);
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

export interface WriteOutcome {
  readonly result: 'written' | 'claim-lost' | 'given-up';
  /** 1: the first one was the last. */
  readonly tries: number;
}

export interface StoredWriteOptions {
  readonly calls: StoreCalls;
  readonly clock: Clock;
  /** Completes "The store could not …". */
  readonly purpose: string;
  /** Once it is aborted, each write is tried once more at most. */
  readonly giveUp: AbortSignal;
}

/** Writes how work ended until the store has it: what was done is neither lost nor done again. */
export class StoredWrite {
  readonly #options: StoredWriteOptions;

  constructor(options: StoredWriteOptions) {
    this.#options = options;
  }

  /** `write` gives false when the claim was lost. It gives up when the store is closed, or there is no more time. */
  async write(write: () => Promise<boolean>): Promise<WriteOutcome> {
    const { calls, purpose, giveUp } = this.#options;
    for (let tries = 1; ; tries += 1) {
      const lastTry = giveUp.aborted;
      try {
        const written = await calls.run(purpose, write);
        return { result: written ? 'written' : 'claim-lost', tries };
      } catch (error) {
        // On record by StoreCalls.
        if (lastTry || (error instanceof StoreError && error.reason === 'closed')) {
          return { result: 'given-up', tries };
        }
      }
      // There may be no more time.
      await pause({ clock: this.#options.clock, signal: this.#options.giveUp }, storeRetryDelayMs(tries));
    }
  }
}
