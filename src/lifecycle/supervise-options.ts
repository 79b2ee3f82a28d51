import type { JournalField } from '../systemd/journal.js';
import type { Sender, StopCause, StopPolicy, StopRequest } from './stop-cause.js';
import type { Supervision } from './supervision.js';
import type { PartProgress } from './timeouts.js';

export interface SuperviseOptions {
  /** The supervisor of this process: see `judgeSupervision`. */
  readonly supervision: Supervision;
  /** Asked at each signal. By default a SIGTERM of anybody but the supervisor is a failure. */
  readonly stopPolicy?: () => StopPolicy;
  /**
   * Asked when a kill has begun a stop: true if the service manager stops the unit all the same, as by an `ExecStop=` that
   * kills; null if there is no answer. Asked again behind a long drain. Must not reject.
   */
  readonly isStoppedByManager?: () => Promise<boolean | null>;
  /** The longest that a stop may take, in milliseconds; asked when it begins. By default 45 s. */
  readonly stopTimeoutMs?: () => number;
  /**
   * Extends the timeout of a stop only while the event loop turns. By default for all of `stopTimeoutMs`: also while a
   * database is inside one long call.
   */
  readonly isStopBoundToProgress?: boolean;
  /** The line for `STATUS=` as it is now. By default the last one given to `status`. */
  readonly statusText?: () => string;
  /** Told what an operator may want to read of. Must not throw. */
  readonly report?: ReportService;
  /** The journal entry of a blocked event loop; by default a message of priority "err". */
  readonly blockedLoopEntry?: BlockedLoopEntry;
}

/** A stop as its handler sees it. */
export interface StopContext {
  readonly cause: StopCause;
  /** The process that asked for the stop; null if the service itself did. */
  readonly sender: Sender | null;
  /** When the stop has to be over, by `performance.now()`. */
  readonly deadline: number;
  /** Aborted at the deadline. The process ends as after a crash then. */
  readonly signal: AbortSignal;
}

/** Why a service could not start. */
export interface StartFailure {
  /**
   * `refused`: another start would end the same way (exit status 78). With exit status 1: `unavailable`, something outside
   * of the service is missing; `crash`, anything else.
   */
  readonly cause: 'crash' | 'unavailable' | 'refused';
  /** One line, for `STATUS=`. */
  readonly reason: string;
  /** errno(3), for `ERRNO=`. */
  readonly errno: number | null;
}

/** The parts that the watchdog stands for, beside the event loop. */
export interface WatchdogCheck {
  /** Called at each tick, after the parts were asked: begins what `parts` reports the next time. */
  begin(): void;
  parts(): readonly PartProgress[];
}

/** The journal entry of a blocked event loop: written by another thread, so made beforehand. One line a field. */
export type BlockedLoopEntry = (blocked: string, watchdogMicroseconds: bigint) => readonly JournalField[];

/** An event in the life of a supervised service that its operator may want to read of. Times in milliseconds. */
export type ServiceReport =
  /** `first`: the end of the start, so long after it began; otherwise the end of a reload, which `failed` or not. */
  | {
      readonly type: 'ready';
      readonly first: boolean;
      readonly failed?: boolean;
      readonly afterMs: number;
    }
  /** `isSignal`: by SIGHUP; otherwise through the control socket. */
  | { readonly type: 'reload-requested'; readonly sender: Sender; readonly isSignal: boolean }
  | { readonly type: 'reload-refused'; readonly reason: string }
  | { readonly type: 'stopping'; readonly stop: StopRequest }
  /** A kill had begun the stop, and the supervisor asks for it now: `cause` and exit status are those of a planned one. */
  | { readonly type: 'stop-planned'; readonly stop: StopRequest }
  /** Another stop is under way already: this one changes nothing. */
  | { readonly type: 'further-stop'; readonly stop: StopRequest }
  | { readonly type: 'crashed'; readonly error: unknown; readonly reason: string }
  /** The last report. `atOnce`: nothing is waited for any more. */
  | { readonly type: 'stopped'; readonly atOnce: boolean }
  /** The watchdog is no longer fed, because of these parts. */
  | { readonly type: 'stalled'; readonly parts: readonly string[]; readonly watchdogMicroseconds: bigint }
  /** Other parts hang than before, or none any more. */
  | { readonly type: 'stall-changed'; readonly parts: readonly string[] }
  /** The event loop was blocked for longer than half the watchdog's time, and goes on. */
  | { readonly type: 'loop-blocked'; readonly lateMs: number }
  /** Said once. */
  | { readonly type: 'notify-failed'; readonly reason: string | undefined }
  /** The manager's own timeouts hold. */
  | { readonly type: 'extension-failed'; readonly reason: string }
  | { readonly type: 'barrier-timed-out'; readonly timeoutMs: number }
  | { readonly type: 'barrier-failed'; readonly reason: string };

export type ReportService = (report: ServiceReport) => void;
