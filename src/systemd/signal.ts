/** Signals whose sender the gateway is told. */
export const watchedSignals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;
export type WatchedSignal = (typeof watchedSignals)[number];

/** Where a signal came from: `si_code` of sigaction(2); `other` for a code that no name is known for. */
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
  /** `si_pid`; 0 when the sender is the kernel or outside this process's PID namespace. */
  readonly senderPid: number;
  readonly senderUid: number;
  /** The sender's /proc/PID/comm, read as early as could be; null when it was gone by then. */
  readonly senderComm: string | null;
}
