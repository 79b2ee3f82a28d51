import type { NewMessage, QueueLimits, SessionCancelled } from '../../messages.js';
import type {
  ForgottenMessages,
  LastRun,
  Recovery,
  RunStore,
  StoreFigures,
  StorePolicy,
} from '../../open-store.js';
import type { Checkpoint } from '../../records.js';
import type { Store } from '../../store.js';
import type { AcceptOutcome, ArrivalClaim } from '../../turns.js';
import type { PostedFailure } from '../file/errors.js';
import type { OpenReport } from '../file/open-database.js';

/** An accepted message is known where it came from, but for its number. */
export type Accepted =
  | Exclude<AcceptOutcome, { readonly outcome: 'accepted' }>
  | {
      readonly outcome: 'accepted';
      readonly seq: number;
      readonly acceptedAt: number;
      readonly agent: string | null;
      readonly generation: number;
      /** The epoch of the claim on its turn; null if it waits. */
      readonly epoch: number | null;
      readonly interrupted: SessionCancelled['messages'];
    };

/** Calls to the worker: the store's methods, and its own figures. */
export interface Operations
  extends Omit<Store, 'close' | 'watch' | 'accept' | 'acceptAll' | 'putBlob' | 'openBlob'>,
    RunStore {
  accept(message: NewMessage, limits: QueueLimits, claim?: ArrivalClaim): Promise<Accepted>;
  acceptAll(
    messages: readonly NewMessage[],
    limits: QueueLimits,
    checkpoint: Checkpoint | null,
  ): Promise<readonly Accepted[]>;
  addBlobChunk(id: string, position: number, data: Uint8Array): Promise<void>;
  readBlobChunk(id: string, position: number): Promise<Uint8Array | null>;
  statistics(): Promise<StoreStatistics>;
  /** Resolves when there is room and a page was written; rejects with what keeps it from that. */
  tryWrite(): Promise<void>;
}

export type OperationName = keyof Operations;
export type ParametersOf<Name extends OperationName> = Parameters<Operations[Name]>;
export type ResultOf<Name extends OperationName> = Awaited<ReturnType<Operations[Name]>>;

export interface StoreStatistics extends StoreFigures {
  readonly checkpoints: number;
  /** As the connection says them: "wal", and 2 for FULL. */
  readonly journalMode: string;
  readonly synchronous: number;
}

export type Call<Name extends OperationName = OperationName> = {
  [Each in Name]: {
    readonly id: number;
    readonly operation: Each;
    readonly parameters: ParametersOf<Each>;
    /** When it was made, in milliseconds since the Unix epoch. */
    readonly at: number;
  };
}[Name];

export type Answer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failure: PostedFailure };

export interface WorkerOptions extends StorePolicy, LastRun {
  readonly path: string;
  readonly busyTimeout: number;
  /** Time that a message is kept after its end, in milliseconds; 0: for ever. */
  readonly keep: number;
  readonly housekeepingInterval: number;
  readonly now: number;
  /** Reports each step to the thread that extends systemd's start timeout. */
  readonly extendStartTimeout: boolean;
}

export type ToWorker =
  /** The first message, and only the first. */
  | { readonly type: 'open'; readonly options: WorkerOptions }
  | { readonly type: 'calls'; readonly calls: readonly Call[] }
  | { readonly type: 'close' };

export type FromWorker =
  | { readonly type: 'progress'; readonly step: string }
  | { readonly type: 'opened'; readonly recovery: Recovery; readonly report: OpenReport }
  | { readonly type: 'not-opened'; readonly failure: PostedFailure }
  | { readonly type: 'answers'; readonly answers: readonly Answer[] }
  /** Something that no caller waits for went wrong. */
  | { readonly type: 'warning'; readonly failure: PostedFailure }
  /** New work is refused, though no call has failed yet. */
  | { readonly type: 'refusing'; readonly failure: PostedFailure }
  /** Messages that had come to their end long ago were forgotten. */
  | { readonly type: 'forgotten'; readonly forgotten: ForgottenMessages }
  | { readonly type: 'closed'; readonly failure: PostedFailure | null };
