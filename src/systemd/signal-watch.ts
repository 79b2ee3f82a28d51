import { constants } from 'node:os';
import { isMainThread } from 'node:worker_threads';
import { SystemCallError } from './failure.js';
import { native } from './native.js';
import type { SignalCode, SignalDelivery, WatchedSignal } from './signal.js';

export interface SignalWatch {
  /** Gives the signals back to those who had them before. Idempotent. */
  close(): void;
}

/** `si_code` of sigaction(2); numbers of the Linux headers. */
const codes: ReadonlyMap<number, SignalCode> = new Map([
  [0, 'SI_USER'],
  [0x80, 'SI_KERNEL'],
  [-1, 'SI_QUEUE'],
  [-2, 'SI_TIMER'],
  [-4, 'SI_ASYNCIO'],
  [-6, 'SI_TKILL'],
]);

/**
 * libuv installs its handler with the first listener that JavaScript adds for a signal, and none for further ones.
 * With a listener of our own it is there before our handler, which then stays in front whatever others add.
 */
function hold(): void {}

/**
 * Tells each delivery of the signals with its sender, until closed. Listeners that others have added with
 * `process.on` go on hearing the signals too; without any, a watched signal has no effect but to be told. Works in
 * worker threads. Doesn't keep the process alive. Throws a SystemCallError.
 */
export function watchSignals(
  signals: readonly WatchedSignal[],
  listener: (delivery: SignalDelivery) => void,
): SignalWatch {
  const names = new Map(signals.map((signal) => [constants.signals[signal] as number, signal]));
  if (isMainThread) for (const signal of signals) process.on(signal, hold);

  const id = native().signal_watch([...names.keys()], (number, code, senderPid, senderUid, senderComm) => {
    const signal = names.get(number);
    if (signal === undefined) return;
    const delivery: SignalDelivery = {
      signal,
      code: codes.get(code) ?? 'other',
      senderPid,
      senderUid,
      senderComm,
    };
    // What a listener throws is an uncaught exception like any other, not one of the addon's.
    queueMicrotask(() => listener(delivery));
  });

  let open = true;
  // Somebody who removes all listeners takes libuv's handler away, and ours with it.
  const restore = (event: string | symbol, removed: unknown): void => {
    if (!open || removed !== hold || !signals.some((signal) => signal === event)) return;
    process.on(event as WatchedSignal, hold);
    native().signal_reinstall();
  };
  const giveBack = (): void => {
    open = false;
    process.off('removeListener', restore);
    if (isMainThread) for (const signal of signals) process.off(signal, hold);
  };
  if (id < 0) {
    giveBack();
    throw new SystemCallError('Could not watch signals', id);
  }
  if (isMainThread) process.on('removeListener', restore);

  return {
    close() {
      if (!open) return;
      open = false;
      native().signal_unwatch(id);
      giveBack();
    },
  };
}
