import { steadyNow } from '../../lifecycle/effects/clock.js';
import { type BlobChunks, readBlob, writeBlob } from '../blobs.js';
import type { CutOff, Delivery, DeliveryFailure, DeliveryHold } from '../deliveries.js';
import type {
  ArrivedMessage,
  CancelOutcome,
  DeadOutcome,
  HistoryBounds,
  JsonValue,
  Message,
  NewMessage,
  Page,
  PageRequest,
  QueueLimits,
  Reply,
  RevisionOutcome,
  SessionCancelled,
  SessionDeletion,
  SessionPolicy,
  SessionSummary,
  SettledMessages,
  StoreCounts,
  StoredBlob,
  TurnWait,
} from '../messages.js';
import type { LastRun, OpenStore, RunRecord, StoreEvents, StorePolicy } from '../open-store.js';
import type {
  Checkpoint,
  ExpectedRecord,
  LeaseHold,
  NewRecord,
  RecordOutcome,
  StoredRecord,
} from '../records.js';
import { SessionWatchers } from '../session-watchers.js';
import type { StoreError } from '../store-error.js';
import type {
  AcceptOutcome,
  ArrivalClaim,
  Claim,
  Deltas,
  Turn,
  TurnClaim,
  TurnHold,
  TurnToPutBack,
} from '../turns.js';
import { firstTurn, forThread, hold, newlyAccepted } from './thread/arrival.js';
import { changedBy } from './thread/changed-sessions.js';
import { type ConnectionOptions, type Opened, ThreadConnection } from './thread/connection.js';
import type {
  Accepted,
  OperationName,
  ParametersOf,
  ResultOf,
  StoreStatistics,
  ToWorker,
  WorkerOptions,
} from './thread/protocol.js';
import { type StoreThread, startStoreThread } from './thread/store-thread.js';

/** Defaults of the policy: turns may be repeated, senders are told, and what is unknown is for a person to decide. */
export interface SqliteStoreOptions extends Partial<StorePolicy>, Partial<LastRun> {
  /** The database file; it and its directory are made if they are missing. */
  readonly path: string;
  /** Longest wait for a lock of another process, in milliseconds. */
  readonly busyTimeout: number;
  readonly maxAttempts: number;
  /** Time that a message is kept after its end, in milliseconds. 0, the default: for ever. */
  readonly keep?: number;
  /** Time between two rounds of housekeeping, in milliseconds. Default: ten minutes. */
  readonly housekeepingInterval?: number;
  /** Milliseconds since the Unix epoch. Default: the steady clock of this process. */
  readonly now?: () => number;
  /** Reports the same steps to the native thread that extends systemd's start timeout. Default: false. */
  readonly extendStartTimeout?: boolean;
  readonly events?: Partial<StoreEvents>;
}

export interface OpenedStore extends Opened {
  readonly store: SqliteStore;
}

/** Opens the database in a thread of its own. Rejects with a StoreError that says what to do. */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<OpenedStore> {
  const store = beginSqliteStore(options);
  return { store, ...(await store.opened) };
}

/** The same, for who has other work to do until it is `opened`; calls wait for that. */
export function beginSqliteStore(options: SqliteStoreOptions): SqliteStore {
  const opening: WorkerOptions = {
    path: options.path,
    busyTimeout: options.busyTimeout,
    maxAttempts: options.maxAttempts,
    repeatable: options.repeatable ?? true,
    notices: options.notices ?? true,
    unknownPolicy: options.unknownPolicy ?? 'ask',
    endedByItself: options.endedByItself ?? true,
    keep: options.keep ?? 0,
    housekeepingInterval: options.housekeepingInterval ?? 600_000,
    now: (options.now ?? steadyNow)(),
    extendStartTimeout: options.extendStartTimeout ?? false,
  };
  const thread = startStoreThread();
  const store = new SqliteStore(thread, options);
  thread.worker.postMessage({ type: 'open', options: opening } satisfies ToWorker);
  return store;
}

/** The store's methods: each is one call to the thread that owns the database. */
export class SqliteStore implements OpenStore {
  /** Settled once the worker has opened the database, or could not. */
  readonly opened: Promise<Opened>;
  /** Resolves when the worker has ended: null after `close`, else why it is gone and nothing can be asked of it. */
  readonly ended: Promise<StoreError | null>;
  readonly #connection: ThreadConnection;
  readonly #watchers = new SessionWatchers();
  readonly #blobs: BlobChunks = {
    add: (id, position, data) => this.#call('addBlobChunk', id, position, data),
    read: (id, position) => this.#call('readBlobChunk', id, position),
    remove: (id) => this.removeBlob(id),
  };
  /** Turns that began with their message, unless another one has come since that waits. */
  #arrived = new WeakSet<TurnHold>();

  constructor(thread: StoreThread, options: ConnectionOptions) {
    this.#connection = new ThreadConnection(thread, options, (call, result) => {
      for (const session of changedBy(call, result)) this.#watchers.changed(session);
    });
    this.opened = this.#connection.opened;
    this.ended = this.#connection.ended;
  }

  async accept(message: NewMessage, limits: QueueLimits, claim?: ArrivalClaim): Promise<AcceptOutcome> {
    return this.#outcomeOf(message, await this.#call('accept', forThread(message), limits, claim), claim);
  }

  async acceptAll(
    messages: readonly NewMessage[],
    limits: QueueLimits,
    checkpoint: Checkpoint | null,
  ): Promise<readonly AcceptOutcome[]> {
    const outcomes = await this.#call('acceptAll', messages.map(forThread), limits, checkpoint);
    return messages.flatMap((message, index) => {
      const outcome = outcomes[index];
      return outcome === undefined ? [] : [this.#outcomeOf(message, outcome)];
    });
  }

  #outcomeOf(message: NewMessage, outcome: Accepted, claim?: ArrivalClaim): AcceptOutcome {
    if (outcome.outcome !== 'accepted') return outcome;
    const { epoch, agent, interrupted } = outcome;
    const taken = newlyAccepted(message, outcome);
    const turn = epoch === null ? null : firstTurn(taken, { owner: claim?.owner ?? '', epoch, agent });
    this.#noteArrival(turn);
    return { outcome: 'accepted', message: taken, turn, interrupted };
  }

  claimTurns(claim: TurnClaim): Promise<readonly Turn[]> {
    // It comes with the end of a turn, whose place it is to fill.
    const when = this.#connection.isSendingLater ? 'later' : 'now';
    return this.#connection.callBy(when, 'claimTurns', claim);
  }

  renewLeases(owner: string, leaseMs: number): Promise<ResultOf<'renewLeases'>> {
    return this.#call('renewLeases', owner, leaseMs);
  }

  completeTurn(turn: TurnHold, reply: Reply, isAwaited = false): Promise<boolean> {
    const isNow = isAwaited || !this.#arrived.has(turn) || this.#connection.isSending;
    return this.#connection.callBy(isNow ? 'now' : 'later', 'completeTurn', hold(turn), reply);
  }

  failTurn(turn: TurnHold, error: string, retryInMs: number | null): Promise<boolean> {
    return this.#call('failTurn', hold(turn), error, retryInMs);
  }

  putBackTurns(turns: readonly TurnToPutBack[]): Promise<number> {
    const holds = turns.map((turn) => ({
      ...hold(turn),
      cutOff: turn.cutOff === true,
      retryInMs: turn.retryInMs ?? null,
    }));
    return this.#call('putBackTurns', holds);
  }

  releaseTurn(turn: TurnHold): Promise<boolean> {
    return this.#call('releaseTurn', hold(turn));
  }

  setTurnWait(turn: TurnHold, wait: TurnWait | null): Promise<boolean> {
    return this.#call('setTurnWait', hold(turn), wait);
  }

  appendDeltas(turn: TurnHold, texts: readonly string[]): Promise<number | null> {
    return this.#call('appendDeltas', hold(turn), texts);
  }

  deltas(messageId: string, after: number, limit: number): Promise<Deltas> {
    return this.#call('deltas', messageId, after, limit);
  }

  putBlob(
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    limitBytes: number,
  ): Promise<StoredBlob | null> {
    return writeBlob(this.#blobs, content, limitBytes);
  }

  openBlob(id: string): Promise<AsyncIterable<Uint8Array> | null> {
    return readBlob(this.#blobs, id);
  }

  removeBlob(id: string): Promise<void> {
    return this.#call('removeBlob', id);
  }

  cancelMessage(id: string): Promise<CancelOutcome | null> {
    return this.#call('cancelMessage', id);
  }

  cancelSession(session: string): Promise<SessionCancelled | null> {
    return this.#call('cancelSession', session);
  }

  reviseMessage(arrived: ArrivedMessage, text: string | null): Promise<RevisionOutcome | null> {
    return this.#call('reviseMessage', arrived, text);
  }

  deadMessages(page: PageRequest): Promise<Page<Message>> {
    return this.#call('deadMessages', page);
  }

  retryDead(id: string): Promise<DeadOutcome | null> {
    return this.#call('retryDead', id);
  }

  discardMessage(id: string): Promise<DeadOutcome | null> {
    return this.#call('discardMessage', id);
  }

  claimDeliveries(claim: Claim): Promise<readonly Delivery[]> {
    return this.#call('claimDeliveries', claim);
  }

  noteDeliveryPart(delivery: DeliveryHold, part: number, receipt: JsonValue): Promise<boolean> {
    return this.#call('noteDeliveryPart', hold(delivery), part, receipt);
  }

  notePreview(turn: TurnHold, receipt: JsonValue): Promise<boolean> {
    return this.#call('notePreview', hold(turn), receipt);
  }

  completeDelivery(delivery: DeliveryHold): Promise<boolean> {
    return this.#call('completeDelivery', hold(delivery));
  }

  beginDelivery(delivery: DeliveryHold): Promise<boolean> {
    return this.#call('beginDelivery', hold(delivery));
  }

  failDelivery(delivery: DeliveryHold, failure: DeliveryFailure): Promise<boolean> {
    return this.#call('failDelivery', hold(delivery), failure);
  }

  putBackDeliveries(deliveries: readonly (DeliveryHold & CutOff)[]): Promise<number> {
    const holds = deliveries.map((delivery) => ({
      ...hold(delivery),
      ...(delivery.unknownOutcome !== undefined && { unknownOutcome: delivery.unknownOutcome }),
    }));
    return this.#call('putBackDeliveries', holds);
  }

  nextDueInMs(owner: string): Promise<number | null> {
    return this.#call('nextDueInMs', owner);
  }

  claimLease(kind: string, name: string, owner: string, leaseMs: number): Promise<number | null> {
    return this.#call('claimLease', kind, name, owner, leaseMs);
  }

  renewLease(lease: LeaseHold, leaseMs: number): Promise<boolean> {
    return this.#call('renewLease', lease, leaseMs);
  }

  releaseLease(lease: LeaseHold): Promise<boolean> {
    return this.#call('releaseLease', lease);
  }

  record(kind: string, key: string): Promise<StoredRecord | null> {
    return this.#call('record', kind, key);
  }

  records(kind: string, page: PageRequest): Promise<Page<StoredRecord>> {
    return this.#call('records', kind, page);
  }

  putRecord(record: NewRecord, expected?: ExpectedRecord): Promise<RecordOutcome> {
    return this.#call('putRecord', record, expected);
  }

  deleteRecord(kind: string, key: string, expected?: number): Promise<boolean> {
    return this.#call('deleteRecord', kind, key, expected);
  }

  message(id: string): Promise<Message | null> {
    return this.#call('message', id);
  }

  session(name: string): Promise<SessionSummary | null> {
    return this.#call('session', name);
  }

  setPolicy(name: string, policy: SessionPolicy | null): Promise<SessionSummary> {
    return this.#call('setPolicy', name, policy);
  }

  setAgent(name: string, agent: string | null): Promise<SessionSummary> {
    return this.#call('setAgent', name, agent);
  }

  resetSession(name: string): Promise<SessionSummary | null> {
    return this.#call('resetSession', name);
  }

  deleteSession(name: string, limit: number): Promise<SessionDeletion | null> {
    return this.#call('deleteSession', name, limit);
  }

  history(session: string, limit: number, of?: HistoryBounds): Promise<readonly Message[]> {
    return this.#call('history', session, limit, of);
  }

  watch(session: string, changed: () => void): () => void {
    return this.#watchers.watch(session, changed);
  }

  sessions(page: PageRequest): Promise<Page<SessionSummary>> {
    return this.#call('sessions', page);
  }

  sessionMessages(session: string, page: PageRequest): Promise<Page<Message> | null> {
    return this.#call('sessionMessages', session, page);
  }

  settledMessages(session: string, seq: number, limit: number): Promise<SettledMessages> {
    return this.#call('settledMessages', session, seq, limit);
  }

  settledUpTo(session: string): Promise<number> {
    return this.#call('settledUpTo', session);
  }

  counts(): Promise<StoreCounts> {
    return this.#call('counts');
  }

  beginRun(run: RunRecord): Promise<readonly RunRecord[]> {
    return this.#call('beginRun', run);
  }

  updateRun(run: RunRecord): Promise<void> {
    return this.#call('updateRun', run);
  }

  runs(limit: number): Promise<readonly RunRecord[]> {
    return this.#call('runs', limit);
  }

  probe(): Promise<void> {
    return this.#call('probe');
  }

  /** Counts commits and the operations that shared them, and says how commits are made durable. */
  statistics(): Promise<StoreStatistics> {
    return this.#call('statistics');
  }

  /** Resolves if the store takes new work again after a failure of its disk. */
  tryWrite(): Promise<void> {
    return this.#call('tryWrite');
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  #call<Name extends OperationName>(
    operation: Name,
    ...parameters: ParametersOf<Name>
  ): Promise<ResultOf<Name>> {
    return this.#connection.callBy('now', operation, ...parameters);
  }

  /** Nobody is known to wait for its end while it leaves no reply to be posted, and no other message waits. */
  #noteArrival(turn: Turn | null): void {
    if (turn === null) this.#arrived = new WeakSet();
    else if (turn.replyTo === null) this.#arrived.add(turn);
  }
}
