/** Signals whose sender the gateway is told. */
export const watchedSignals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;
export type WatchedSignal = (typeof watchedSignals)[number];

/**
 * Where a signal came from: `si_code` of sigaction(2); `other` for a code that no name is known for. The kernel vouches
 * for the sender of SI_USER and SI_TKILL; that of SI_QUEUE is what the sender says (rt_sigqueueinfo(2)).
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

/** Of a record, in bytes: four numbers of four, and the first 16 bytes of the file. */
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
