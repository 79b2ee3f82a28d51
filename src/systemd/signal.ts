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
