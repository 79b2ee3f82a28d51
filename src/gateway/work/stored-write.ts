import { StoreError } from '../../store/store.js';
import { storeDelay } from '../dispatch/policy.js';
import type { Clock } from './clock.js';
import type { StoreCalls } from './store-calls.js';

export interface WriteOutcome {
  readonly result: 'written' | 'claim-lost' | 'given-up';
  /** 1: the first one was the last. */
  readonly tries: number;
}

/** Writes how turns ended until the store has it: a reply that the agent gave is neither lost nor made again. */
export class Persistence {
  readonly #calls: StoreCalls;
  readonly #clock: Clock;
  readonly #pauses = new Set<() => void>();
  #hurried = false;

  constructor(calls: StoreCalls, clock: Clock) {
    this.#calls = calls;
    this.#clock = clock;
  }

  /** `write` gives false when the claim was lost. It gives up when the store is closed, or hurried. */
  async write(write: () => Promise<boolean>): Promise<WriteOutcome> {
    for (let failures = 1; ; failures += 1) {
      const lastTry = this.#hurried;
      try {
        const written = await this.#calls.run('write the end of a turn', write);
        return { result: written ? 'written' : 'claim-lost', tries: failures };
      } catch (error) {
        // On record by StoreCalls.
        if (lastTry || (error instanceof StoreError && error.reason === 'closed')) {
          return { result: 'given-up', tries: failures };
        }
      }
      await this.#pause(storeDelay(failures));
    }
  }

  /** From now on each write is tried once more at most. */
  hurry(): void {
    this.#hurried = true;
    for (const end of [...this.#pauses]) end();
  }

  #pause(milliseconds: number): Promise<void> {
    if (this.#hurried) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        this.#pauses.delete(end);
        resolve();
      };
      const cancel = this.#clock.after(milliseconds, end);
      this.#pauses.add(end);
    });
  }
}
