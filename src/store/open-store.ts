import type { StopJob } from '../lifecycle/stop-cause.js';
import type { UnknownPolicy } from './messages.js';
import type { Store } from './store.js';
import type { StoreError, StoreFailure } from './store-error.js';

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
  /** Set if a file beside the store names the newest run. Earlier versions made it after a crash alone. */
  readonly hasLastWords?: true;
  /** Why `stop` is missing though it may have ended as planned, in words that go on after "not on record:". */
  readonly endUnknown?: string;
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
  /** Messages that the drain made dead: of turns that failed or were cut off too often, and of replies. Earlier versions: absent. */
  readonly deadMessages?: number;
  /** The failure, if there was one. */
  readonly error: string | null;
}

/** Keeps the runs. Each method is one transaction, on disk when its promise resolves. */
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
export function runOutcome(
  run: RunRecord,
  isCurrent: boolean,
): 'running' | 'clean' | 'failed' | 'crashed' | 'unknown' {
  if (run.stop === null && isCurrent) return 'running';
  if (run.stop === null) return run.endUnknown === undefined ? 'crashed' : 'unknown';
  return run.stop.exitStatus === 0 || run.stop.exitStatus === 75 ? 'clean' : 'failed';
}

/** Times that were measured, in buckets. */
export interface TimeFigures {
  /** Upper bounds of the buckets, rising. */
  readonly boundsMs: readonly number[];
  /** One for each bound, and one for what is above all of them. */
  readonly counts: readonly number[];
  readonly sumMs: number;
}

/** Figures of a store's own work since it was opened. */
export interface StoreFigures {
  /** Write transactions that were committed. */
  readonly commits: number;
  /** Operations that they held. */
  readonly operations: number;
  /** The times that commits took until they were on disk. */
  readonly commitTime: TimeFigures;
  /**
   * The age of the oldest message that waits for its turn, in milliseconds; null if none waits. Looked for among the heads
   * of the queue, a bounded number of rows.
   */
  readonly longestWaitMs: number | null;
}

/** A store may measure itself; its metrics are left out otherwise. It reads no table that grows with what is stored. */
export interface MeasuredStore {
  statistics(): Promise<StoreFigures>;
}

/** The store of one gateway: its messages, and the record of its runs. */
export type OpenStore = Store & RunStore;

/** Turns and deliveries that the last run had left, and their fate at this start. */
export interface Recovery {
  /** Turns that the last run had left running, now queued again. */
  readonly resumedTurns: number;
  /** Turns set aside because the gateway went down with them too often, or because they must not be run again. */
  readonly deadTurns: number;
  readonly resumedDeliveries: number;
  /** Deliveries that had begun and whose outcome is not known: sent again under their key, or as the policy says. */
  readonly unknownDeliveries: { readonly resent: number; readonly setAside: number };
  /** Those of the resumed turns that wait. */
  readonly killedTurns: readonly KilledTurn[];
}

/** A turn that was under way each time when somebody killed the gateway, and waits before it is run again. */
export interface KilledTurn {
  readonly messageId: string;
  readonly session: string;
  /** In a row. */
  readonly kills: number;
  readonly waitMs: number;
}

/** A store on its way. */
export interface OpeningStore {
  /** Takes calls at once: they wait until it is open. */
  readonly store: OpenStore;
  /** Resolves once it is open and has taken back what the last run left. Rejects with a StoreError. */
  readonly opened: Promise<Recovery>;
}

/** The store's own decisions about turns and deliveries that were cut off, or are given up. */
export interface StorePolicy {
  /**
   * `dispatch.max_attempts`: crashes with a turn under way after which it is run by itself; and set aside when the gateway
   * went down while it was.
   */
  readonly maxAttempts: number;
  /** False if a turn that was cut off must not be run again (`agent.retry`). */
  readonly repeatable: boolean;
  /** True if senders with a reply URL are told of messages that are dead (`delivery.notices`). */
  readonly notices: boolean;
  /** For deliveries that were cut off after they had begun, and say nothing themselves (`delivery.unknown`). */
  readonly unknownPolicy: UnknownPolicy;
}

/** Facts that the gateway knows of the run whose work the store takes back. */
export interface LastRun {
  /**
   * True if it ended by itself: by an exception, a fault or an abort(3). One that was killed from outside, or lost its
   * power, says nothing against the turns that were under way.
   */
  readonly endedByItself: boolean;
}

/** Messages that one round of housekeeping has forgotten, as they ended longer than `store.keep` ago. */
export interface ForgottenMessages {
  readonly messages: number;
  /** Dead ones among them that nobody had retried or discarded. */
  readonly dead: number;
}

/** The store tells these by itself. None may throw. */
export interface StoreEvents {
  /** A step of a check, a migration or a recovery, while it opens. */
  progress(step: string): void;
  /** Something went wrong with nobody waiting for it, such as a checkpoint on a full disk. */
  warning(error: StoreError): void;
  /** New work is refused from now on; told again when the reason changes. */
  refusing(error: StoreError): void;
  /** New work is taken again. */
  accepting(): void;
  forgotten(forgotten: ForgottenMessages): void;
  /** It ended though nobody closed it: nothing can be asked of it any more. */
  ended(error: StoreError): void;
}

/** Time between two questions to a failed store if it can write again, in milliseconds. */
const askInterval = 1_000;

/** Failures that all new work would meet; the others are of one call. */
const keepsFromWriting: readonly StoreFailure[] = ['unavailable', 'full', 'corrupt'];

export interface StoreHealthOptions {
  readonly events: Pick<Partial<StoreEvents>, 'refusing' | 'accepting'>;
  /** Resolves once new work can be written again. */
  readonly tryWrite: () => Promise<void>;
}

/**
 * Knows by what fails whether the store takes new work. As nobody may send anything to a gateway that says it is not
 * ready, the store is then asked by itself until it can be written again.
 */
export class StoreHealth {
  readonly #options: StoreHealthOptions;
  #failure: StoreError | null = null;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: StoreHealthOptions) {
    this.#options = options;
  }

  /** A call to the store has failed, or its own work. */
  failed(error: StoreError): void {
    if (this.#closed || !keepsFromWriting.includes(error.reason)) return;
    const before = this.#failure;
    // A damage is not over when the disk is.
    if (before !== null && (before.reason === 'corrupt' || isSame(before, error))) return;
    this.#failure = error;
    this.#options.events.refusing?.(error);
    if (before === null && error.reason !== 'corrupt') this.#askLater();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #askLater(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#options.tryWrite().then(
        () => this.#recovered(),
        // Told since it began; `failed` has heard of another reason.
        () => this.#askLater(),
      );
    }, askInterval);
  }

  #recovered(): void {
    if (this.#closed || this.#failure === null || this.#failure.reason === 'corrupt') return;
    this.#failure = null;
    this.#options.events.accepting?.();
  }
}

function isSame(a: StoreError, b: StoreError): boolean {
  return a.reason === b.reason && a.detail === b.detail;
}
