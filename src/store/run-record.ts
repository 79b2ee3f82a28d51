import type { StopJob } from '../lifecycle/stop-cause.js';

/**
 * One start of a gateway and how it ended. Kept in the store, so that the next start, `status` and `doctor` know.
 * Times are milliseconds since the Unix epoch.
 */
export interface RunRecord {
  /** UUID of this start. */
  readonly id: string;
  /** `INVOCATION_ID`; null outside of units. */
  readonly invocationId: string | null;
  /** `/proc/sys/kernel/random/boot_id`: tells a crash of the machine from one of the gateway. Null: it can't be seen. */
  readonly bootId: string | null;
  readonly pid: number;
  /** The gateway's version. */
  readonly version: string;
  readonly startedAt: number;
  /** From the start of the process to READY=1, in ms; null: it never served. */
  readonly startDuration: number | null;
  readonly readyAt: number | null;
  /** Turns of the run before that were queued again. */
  readonly resumedTurns: number;
  /** Its end; null while it runs, and if it ended without a word (killed, aborted, out of memory, power cut). */
  readonly stop: StopRecord | null;
}

/** A run's end, in its own words. */
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
  /** The failure, if there was one. */
  readonly error: string | null;
}

/** Where the runs are kept. Each method is one transaction, on disk when its promise resolves. */
export interface RunStore {
  /** Records a start, and forgets all but the newest `keptRuns`. The runs that are kept, newest first. */
  beginRun(run: RunRecord): Promise<readonly RunRecord[]>;
  /** Records what has become of the run with the same id; of one that isn't kept any more, nothing. */
  updateRun(run: RunRecord): Promise<void>;
  /** Newest first. */
  runs(limit: number): Promise<readonly RunRecord[]>;
}

/** The number of runs that are kept. */
export const keptRuns = 100;

/** The outcome of a run in a word. */
export function runOutcome(run: RunRecord, isCurrent: boolean): 'running' | 'clean' | 'failed' | 'crashed' {
  if (run.stop === null) return isCurrent ? 'running' : 'crashed';
  return run.stop.exitStatus === 0 || run.stop.exitStatus === 75 ? 'clean' : 'failed';
}
