/**
 * One start of a gateway and how it ended. Kept in the store, so that the next start, `status` and `doctor` know.
 * Times are milliseconds since the Unix epoch.
 */
export interface RunRecord {
  /** UUID of this start. */
  readonly id: string;
  /** `INVOCATION_ID`; null outside of units. */
  readonly invocationId: string | null;
  /** `/proc/sys/kernel/random/boot_id`: tells a crash of the machine from one of the gateway. */
  readonly bootId: string;
  readonly pid: number;
  /** The gateway's version. */
  readonly version: string;
  readonly startedAt: number;
  /** From the start of the process to READY=1, in ms; null: it never served. */
  readonly startDuration: number | null;
  readonly readyAt: number | null;
  /** Turns of the run before that were queued again. */
  readonly resumedTurns: number;
  /** Null: it runs, or it ended without a word (killed, aborted, out of memory, power cut). */
  readonly stop: StopRecord | null;
}

/** How a run ended, in its own words. */
export interface StopRecord {
  readonly requestedAt: number;
  /** When this was written: the last thing before the store was closed. */
  readonly at: number;
  /** A `StopCause` of src/lifecycle/stop-cause.ts. */
  readonly cause: string;
  /** One line for a person: cause, signal and sender. */
  readonly description: string;
  readonly exitStatus: number;
  readonly signal: string | null;
  readonly sender: { readonly pid: number; readonly uid: number; readonly comm: string | null } | null;
  /** Which job of the service manager stopped the unit; null where it isn't known, or there was none. */
  readonly job: StopJob | null;
  readonly drainMicroseconds: number | null;
  /** Turns that ended during the drain. */
  readonly finishedTurns: number;
  /** Turns that were put back for the next start. */
  readonly putBackTurns: number;
  /** What failed, where something did. */
  readonly error: string | null;
}

export interface StopJob {
  /** `stop`, `restart`, … (org.freedesktop.systemd1(5), jobs). */
  readonly type: string;
  /** What the manager is doing with the whole system or session. */
  readonly shutdown: 'poweroff' | 'reboot' | 'halt' | 'kexec' | 'exit' | 'shutdown' | null;
  /** The unit whose job drew this one along; null: it was asked for itself. */
  readonly because: { readonly unit: string; readonly job: string; readonly dependency: string } | null;
}

/** How many runs are kept. */
export const keptRuns = 100;

/** The outcome of a run in a word. */
export function runOutcome(run: RunRecord, isCurrent: boolean): 'running' | 'clean' | 'failed' | 'crashed' {
  if (run.stop === null) return isCurrent ? 'running' : 'crashed';
  return run.stop.exitStatus === 0 || run.stop.exitStatus === 75 ? 'clean' : 'failed';
}
