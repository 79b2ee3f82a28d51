import type { Clock } from '../../lifecycle/clock.js';
import { StoreError } from '../../store/store-error.js';
import { storeRetryDelayMs } from './retry-policy.js';
import type { StoreCalls } from './store-calls.js';

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
      await this.#pause(storeRetryDelayMs(tries));
    }
  }

  /** Ends early when there is no more time. */
  #pause(delayMs: number): Promise<void> {
    const { giveUp, clock } = this.#options;
    if (giveUp.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        giveUp.removeEventListener('abort', end);
        resolve();
      };
      const cancel = clock.after(delayMs, end);
      giveUp.addEventListener('abort', end);
    });
  }
}
