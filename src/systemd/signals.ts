import { readlinkSync } from 'node:fs';
import { SystemCallError } from '../linux/errors.js';
import { failure, native, readPipe } from '../linux/native.js';

/** Signals whose sender the gateway is told. */
export const watchedSignals = [
  'SIGTERM',
  'SIGINT',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGCONT',
] as const;
export type WatchedSignal = (typeof watchedSignals)[number];

/**
 * The origin of a signal: `si_code` of sigaction(2); `other` for a code that no name is known for. The kernel vouches
 * for the sender of SI_USER and SI_TKILL. The sender of SI_QUEUE names itself (rt_sigqueueinfo(2)).
 */
export type SignalCode =
  | 'SI_USER'
  | 'SI_KERNEL'
  | 'SI_QUEUE'
  | 'SI_TKILL'
  | 'SI_TIMER'
  | 'SI_ASYNCIO'
  | 'other';

/** One delivery of a signal, with its sender (sigaction(2), `siginfo_t`). */
export interface SignalDelivery {
  readonly signal: WatchedSignal;
  readonly code: SignalCode;
  /** `si_pid`; 0 when it is the kernel, a timer, or a process outside this process's PID namespace. */
  readonly senderPid: number;
  readonly senderUid: number;
  /** The sender's /proc/PID/comm, read as early as could be; null when it was gone by then. */
  readonly senderComm: string | null;
}

/** One delivery as the handler has taken it down: `SignalRecord` of native/signal-record.h. */
export interface SignalRecord {
  readonly signal: number;
  /** `si_code`. */
  readonly code: number;
  /** 0 when `si_code` names no sender. */
  readonly pid: number;
  readonly uid: number;
  /** The sender's /proc/PID/comm; null when it was gone. */
  readonly comm: string | null;
}

/** Size of a record in bytes: four numbers of four, and the first 16 bytes of /proc/PID/comm. */
export const recordSize = 32;
const commStart = 16;

/** The name is followed by a line feed, but for one that is cut, and by NULs. */
function parseComm(bytes: Buffer): string | null {
  const end = bytes.indexOf(0);
  const name = bytes.toString('utf8', 0, end < 0 ? bytes.length : end).replace(/\n$/, '');
  return name === '' ? null : name;
}

/** Reads the records that `data` has whole, in this machine's byte order. */
export function parseSignalRecords(data: Uint8Array): SignalRecord[] {
  // A copy, which begins at a whole number of the machine's words.
  const bytes = Buffer.from(Uint8Array.from(data).buffer);
  return Array.from({ length: Math.floor(bytes.length / recordSize) }, (_, index) => {
    const start = index * recordSize;
    const [signal = 0, code = 0, pid = 0, uid = 0] = new Int32Array(bytes.buffer, start, 4);
    return {
      signal,
      code,
      pid,
      uid: uid >>> 0,
      comm: parseComm(bytes.subarray(start + commStart, start + recordSize)),
    };
  });
}

export interface SignalWatch {
  /**
   * Gives the signals back to those who had them before. Idempotent.
   *
   * @see sigaction(2)
   */
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
 * Tells each delivery of the signals with its sender, until closed. Listeners that others have added with
 * `process.on` go on hearing the signals too; without any, a watched signal has no effect but to be told. Doesn't
 * keep the process alive. Throws a TypeError for a signal that can't be watched, and a SystemCallError.
 *
 * Works in worker threads, with one limit: only the main thread can keep libuv from putting its own handler into
 * place, so a watch of a worker alone hears nothing more of a signal once the main thread adds its first
 * `process.on` listener for it, or removes its last.
 */
export function watchSignals(
  signals: readonly WatchedSignal[],
  listener: (delivery: SignalDelivery) => void,
): SignalWatch {
  const names = numbersOf(signals);
  const { isMainThread } = process.getBuiltinModule('node:worker_threads');
  if (typeof listener !== 'function')
    throw new TypeError('A watch of signals needs a function to tell them to');
  let open = true;

  // libuv installs its handler with the first listener that JavaScript adds for a signal, and none for further ones.
  // With a listener of ours it is there before our handler, which then stays in front whatever others add. One for
  // each watch, so that the end of one is told from somebody's removing all.
  const hold = (): void => {};
  // Somebody who removes all listeners takes libuv's handler away, and ours with it.
  const restore = (event: string | symbol, removed: unknown): void => {
    if (!open || removed !== hold) return;
    process.on(event as WatchedSignal, hold);
    native().signal_reinstall();
  };
  const giveBack = (): void => {
    open = false;
    if (!isMainThread) return;
    process.off('removeListener', restore);
    for (const signal of names.values()) process.off(signal, hold);
  };

  const addon = native();
  if (isMainThread) {
    for (const signal of names.values()) process.on(signal, hold);
    process.on('removeListener', restore);
  }
  const id = addon.signal_watch([...names.keys()]);
  if (id < 0) {
    giveBack();
    throw new SystemCallError('Could not watch signals', failure(id));
  }
  const canName = procIsOurs();
  const tell = ({ signal: number, code, pid, uid, comm }: SignalRecord): void => {
    const signal = names.get(number);
    if (signal === undefined) return;
    const delivery: SignalDelivery = {
      signal,
      code: codes.get(code) ?? 'other',
      senderPid: pid,
      senderUid: uid,
      senderComm: canName ? comm : null,
    };
    // An exception of a listener is uncaught like any other. It keeps no other delivery from being told.
    queueMicrotask(() => {
      if (open) listener(delivery);
    });
  };
  const pipe = readPipe(id);
  pipe.unref();
  let rest = Buffer.alloc(0);
  pipe.on('data', (data: Buffer) => {
    const all = Buffer.concat([rest, data]);
    rest = all.subarray(all.length - (all.length % recordSize));
    parseSignalRecords(all).forEach(tell);
    const beyond = addon.signal_overflow(id);
    if (beyond !== null) parseSignalRecords(beyond).forEach(tell);
  });

  return {
    close() {
      if (!open) return;
      // Before its end of the pipe is closed, and its number may become another's.
      addon.signal_unwatch(id);
      pipe.destroy();
      giveBack();
      // A worker may still watch what libuv has just set back to its default.
      addon.signal_reinstall();
    },
  };
}

/** In /proc of another PID namespace a PID is somebody else's; /proc/self is this process by its number there. */
function procIsOurs(): boolean {
  try {
    return readlinkSync('/proc/self') === String(process.pid);
  } catch {
    // There is no /proc: no name was read from it.
    return false;
  }
}

function numbersOf(signals: readonly WatchedSignal[]): ReadonlyMap<number, WatchedSignal> {
  const given: unknown = signals;
  if (!Array.isArray(given)) throw new TypeError('A watch of signals needs an array of their names');
  // A program that only imports this library may have no need of it.
  const { constants } = process.getBuiltinModule('node:os');
  const names = new Map<number, WatchedSignal>();
  for (const signal of signals) {
    if (!watchedSignals.includes(signal)) {
      throw new TypeError(`${String(signal)} can't be watched; those that can: ${watchedSignals.join(', ')}`);
    }
    names.set(constants.signals[signal], signal);
  }
  return names;
}
