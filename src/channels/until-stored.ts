import { pause } from '../lifecycle/effects/waits.js';
import { StoreError } from '../store/store-error.js';
import { backoffMs } from './backoff.js';
import type { ChannelContext } from './channel.js';

/** The waits for a store that fails. */
const storeBackoff = { firstDelayMs: 100, delayLimitMs: 5_000 };

/** Has a channel wait for a store that fails, and tells once that it does. */
export class StoreRetries {
  readonly #context: Pick<ChannelContext, 'clock' | 'log' | 'signal'>;
  #fails = false;

  /** @param context its signal ends the waiting */
  constructor(context: Pick<ChannelContext, 'clock' | 'log' | 'signal'>) {
    this.#context = context;
  }

  /** Tries until the store has taken something. Rejects at the end of the channel, and if the store can't ever take it. */
  async untilStored<Value>(put: () => Promise<Value>): Promise<Value> {
    const { log, signal } = this.#context;
    for (let failures = 0; ; failures += 1) {
      try {
        const value = await put();
        if (this.#fails) log.notice('The store takes messages again.');
        this.#fails = false;
        return value;
      } catch (error) {
        if (!storeFails(error) || error.reason === 'closed' || signal.aborted) throw error;
        this.noteFailure(error);
      }
      await pause(this.#context, backoffMs(storeBackoff, failures));
    }
  }

  noteFailure({ message }: StoreError): void {
    if (this.#fails) return;
    this.#fails = true;
    this.#context.log.err(
      `Messages are not acknowledged, as the store does not take them: ${message} It is tried again.`,
    );
  }
}

/** True if the store fails, whatever it is given. If `untilStored` rejects with that, the channel has ended. */
export function storeFails(error: unknown): error is StoreError {
  return error instanceof StoreError && error.reason !== 'internal';
}
