/** What native/signal.cc exports. A negative number is a negative errno. */
export interface NativeSignal {
  /** The read end of a pipe of records (signal-record.ts), which is the caller's to close; also the watch's id. */
  signal_watch(signals: readonly number[]): number;
  /** The records that had no room in the pipe and came after all in it; null while there are some in it, or none. */
  signal_overflow(id: number): Uint8Array | null;
  /** 1, or 0 when there is no such watch in this environment. */
  signal_unwatch(id: number): number;
  /** Puts the handlers of all watched signals before those that were installed since. */
  signal_reinstall(): number;
}
