import { StoreError } from '../../store/store-error.js';
import { backoffMs } from '../backoff.js';
import type { ChannelContext } from '../channel.js';

/** The waits for a store that fails. */
const storeBackoff = { firstDelayMs: 100, delayLimitMs: 5_000 };

/** Tries until the store has taken something. Rejects at the end of the channel, and if the store can't ever take it. */
export async function untilStored<Value>(
  { name, clock, log }: Pick<ChannelContext, 'name' | 'clock' | 'log'>,
  signal: AbortSignal,
  put: () => Promise<Value>,
): Promise<Value> {
  let isTold = false;
  for (let failures = 0; ; failures += 1) {
    try {
      const value = await put();
      if (isTold) log.notice('The store takes mails again.');
      return value;
    } catch (error) {
      const passes = error instanceof StoreError && error.reason !== 'internal' && error.reason !== 'closed';
      if (!passes || signal.aborted) throw error;
      if (!isTold) {
        isTold = true;
        log.err(
          `No more mails are taken by the channel ${name}, as the store does not take them: ${error.message} It is tried again.`,
        );
      }
    }
    await pause(clock, backoffMs(storeBackoff, failures), signal);
  }
}

/** Resolves after the delay, or as soon as the signal is aborted. */
export async function pause(
  clock: ChannelContext['clock'],
  delayMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const end = () => {
      cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.after(delayMs, end);
    signal.addEventListener('abort', end);
  });
}
