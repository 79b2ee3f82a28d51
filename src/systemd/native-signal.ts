/** What native/signal.cc exports. A negative number is a negative errno. */
export interface NativeSignal {
  /** `comm` is null when the sender was gone. An id above 0. */
  signal_watch(
    signals: readonly number[],
    listener: (signal: number, code: number, pid: number, uid: number, comm: string | null) => void,
  ): number;
  /** 1, or 0 when there is no such watch in this environment. */
  signal_unwatch(id: number): number;
  /** Puts the handlers of all watched signals before those that were installed since. */
  signal_reinstall(): number;
}
