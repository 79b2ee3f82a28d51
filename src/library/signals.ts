import { ArgumentError } from '../linux/errors.js';
import { showValue } from '../systemd/arguments.js';
import {
  type SignalDelivery,
  type SignalWatch,
  type WatchedSignal,
  watchedSignals,
  watchSignals,
} from '../systemd/signals.js';
import { checkFunction, readList } from './read-arguments.js';

/**
 * Tells each delivery of these signals with its sender, until closed. Without another listener a watched signal has no
 * effect but to be told. Doesn't keep the process alive. Where there is no Linux, the sender isn't known.
 *
 * @param signals one of SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT, or several
 * @param listener told of each delivery
 * @returns the watch, whose `close` gives the signals back to those who had them before
 * @throws {@link ArgumentError} for other signals and for no function; `SystemCallError` if they can't be watched
 * @see sigaction(2), `siginfo_t`
 */
export function onSignal(
  signals: WatchedSignal | readonly WatchedSignal[],
  listener: (delivery: SignalDelivery) => void,
): SignalWatch {
  const names = typeof signals === 'string' ? [signals] : readList<WatchedSignal>('signals', signals);
  if (names === null || names.length === 0) {
    throw new ArgumentError('signals', `Signals are named as ${watchedSignals.join(', ')}`);
  }
  for (const name of names) {
    if (!watchedSignals.includes(name)) {
      const known = watchedSignals.join(', ');
      throw new ArgumentError('signals', `${showValue(name)} can't be watched; those that can: ${known}`);
    }
  }
  checkFunction('listener', listener);
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
