import { ArgumentError, showValue } from '../systemd/arguments.js';
import {
  type SignalDelivery,
  type SignalWatch,
  type WatchedSignal,
  watchedSignals,
  watchSignals,
} from '../systemd/signals.js';

/**
 * Tells each delivery of these signals with its sender, until closed (sigaction(2), `siginfo_t`). Without another
 * listener a watched signal then has no effect but to be told. Doesn't keep the process alive. Where there is no Linux,
 * the sender isn't known. Throws `ArgumentError` and `SystemCallError`.
 */
export function onSignal(
  signals: WatchedSignal | readonly WatchedSignal[],
  listener: (delivery: SignalDelivery) => void,
): SignalWatch {
  const names: readonly WatchedSignal[] = typeof signals === 'string' ? [signals] : signals;
  if (!Array.isArray(names) || names.length === 0) {
    throw new ArgumentError('signals', `Signals are named as ${watchedSignals.join(', ')}`);
  }
  for (const name of names) {
    if (!watchedSignals.includes(name)) {
      const known = watchedSignals.join(', ');
      throw new ArgumentError('signals', `${showValue(name)} can't be watched; those that can: ${known}`);
    }
  }
  if (typeof listener !== 'function') {
    throw new ArgumentError('listener', `A signal is told to a function, not to ${showValue(listener)}`);
  }
  return process.platform === 'linux' ? watchSignals(names, listener) : listenElsewhere(names, listener);
}

function listenElsewhere(
  signals: readonly WatchedSignal[],
  listener: (delivery: SignalDelivery) => void,
): SignalWatch {
  const tell = (signal: NodeJS.Signals): void =>
    listener({
      signal: signal as WatchedSignal,
      code: signal === 'SIGINT' ? 'SI_KERNEL' : 'other',
      senderPid: 0,
      senderUid: 0,
      senderComm: null,
    });
  for (const signal of signals) process.on(signal, tell);
  return {
    close() {
      for (const signal of signals) process.off(signal, tell);
    },
  };
}
