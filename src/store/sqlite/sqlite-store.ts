import type { Worker } from 'node:worker_threads';
import { steadyNow } from '../../lifecycle/steady-clock.js';
import { type BlobChunks, readBlob, writeBlob } from '../blobs.js';
import type { CutOff, Delivery, DeliveryFailure, DeliveryHold } from '../deliveries.js';
import type {
  CancelOutcome,
  DeadOutcome,
  JsonValue,
  Message,
  NewMessage,
  Page,
  QueueLimits,
  Reply,
  SessionCancelled,
  SessionPolicy,
  SessionSummary,
  SettledMessages,
  StoreCounts,
  StoredBlob,
  TurnWait,
} from '../messages.js';
import type { OpenStore, Recovery, StoreEvents, StorePolicy } from '../open-store.js';
import type {
  Checkpoint,
  ExpectedRecord,
  LeaseHold,
  NewRecord,
  RecordOutcome,
  StoredRecord,
} from '../records.js';
import type { RunRecord } from '../run-record.js';
import { StoreError } from '../store-error.js';
import { StoreHealth } from '../store-health.js';
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
import type { Failure } from './file/errors.js';
import type { Finding } from './file/open-database.js';
import { turnIdOf } from './operations/identifiers.js';
import type {
  Accepted,
  Answer,
  Call,
  FromWorker,
  OperationName,
  ParametersOf,
  ResultOf,
  StoreStatistics,
  ToWorker,
  WorkerOptions,
} from './thread/protocol.js';
import { SessionWatchers } from './thread/session-watchers.js';
import { type StoreThread, startStoreThread } from './thread/store-thread.js';

/** Defaults of the policy: turns may be repeated, senders are told, and what is unknown is for a person to decide. */
export interface SqliteStoreOptions extends Partial<StorePolicy> {
  /** The database file; it and its directory are made if they are missing. */
  readonly path: string;
  /** How long to wait for a lock of another process, in milliseconds. */
  readonly busyTimeout: number;
  readonly maxAttempts: number;
  /** How long a message is kept after its end, in milliseconds; 0, the default: for ever. */
  readonly keep?: number;
  /** How often it is looked for what is older, in milliseconds. Default: ten minutes. */
  readonly housekeepingInterval?: number;
  /** Milliseconds since the Unix epoch. Default: the steady clock of this process. */
  readonly now?: () => number;
  /** Reports the same steps to the native thread that extends systemd's start timeout. Default: false. */
  readonly extendStartTimeout?: boolean;
  /** One that was started already. Default: a new one. */
  readonly thread?: StoreThread;
  readonly events?: Partial<StoreEvents>;
}

export interface OpenedStore {
  readonly store: SqliteStore;
  readonly recovery: Recovery;
  readonly finding: Finding;
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
    keep: options.keep ?? 0,
    housekeepingInterval: options.housekeepingInterval ?? 600_000,
    now: (options.now ?? steadyNow)(),
    extendStartTimeout: options.extendStartTimeout ?? false,
  };
  const thread = options.thread ?? startStoreThread();
  const store = new SqliteStore(thread, options);
  thread.worker.ref();
  thread.worker.postMessage({ type: 'open', options: opening } satisfies ToWorker);
  return store;
}

/** What has to travel to the other thread of a claim that it has given out: its texts may be long. */
function hold({ messageId, session, owner, epoch }: TurnHold | DeliveryHold): TurnHold {
  return { messageId, session, owner, epoch };
}

/** A copy: a view into a larger buffer would take all of that buffer along to the other thread. */
function forThread(message: NewMessage): NewMessage {
  const { fingerprint } = message;
  return { ...message, fingerprint: fingerprint === null ? null : new Uint8Array(fingerprint) };
}

/** The message as the store has it now: it need not travel back. */
function newlyAccepted(
  message: NewMessage,
  { seq, acceptedAt, epoch, generation }: Accepted & { readonly outcome: 'accepted' },
): Message {
  const { id, session, text, metadata, replyTo, channel, attachments = [] } = message;
  return {
    id,
    session,
    seq,
    state: epoch === null ? 'queued' : 'running',
    text,
    metadata,
    replyTo,
    sender: message.sender ?? null,
    channel,
    acceptedAt,
    attempts: epoch === null ? 0 : 1,
    reply: null,
    delivery: null,
    error: null,
    changedAt: acceptedAt,
    generation,
    waitingFor: null,
    collectedIn: null,
    ...(attachments.length === 0 ? {} : { attachments }),
  };
}

function firstTurn(message: Message, { owner, epoch, agent }: Pick<Turn, 'owner' | 'epoch' | 'agent'>): Turn {
  const { id, session, seq, text, metadata, sender, replyTo, acceptedAt, generation, attachments } = message;
  return {
    turnId: turnIdOf(id),
    messageId: id,
    session,
    seq,
    text,
    metadata,
    sender,
    collected: [],
    replyTo,
    acceptedAt,
    agent,
    generation,
    attempt: 1,
    putBacks: 0,
    owner,
    epoch,
    ...(attachments === undefined ? {} : { attachments }),
  };
}

/** So many calls are sent to the worker while more are still coming. */
const crowd = 16;

/**
 * The end of a turn that nobody is known to wait for may wait for other calls: a client that posts one message after
 * the other has the next one there by then, and both share an fsync.
 */
const commitDelayMs = 1;

interface Waiter {
  readonly call: Call;
  resolve(result: unknown): void;
  reject(error: StoreError): void;
}

/**
 * The store's side on the main thread: it never waits for the disk. The calls of one turn of the event loop travel
 * as one message, in their order; the worker does the rest (see sqlite-worker.ts).
 */
export class SqliteStore implements OpenStore {
  /** Settled once the worker has opened the database, or could not. */
  readonly opened: Promise<Pick<OpenedStore, 'recovery' | 'finding'>>;
  /** Resolves when the worker has ended: null after `close`, else why it is gone and nothing can be asked of it. */
  readonly ended: Promise<StoreError | null>;

  readonly #worker: Worker;
  readonly #health: StoreHealth;
  readonly #now: () => number;
  readonly #waiters = new Map<number, Waiter>();
  readonly #watchers = new SessionWatchers();
  readonly #blobs: BlobChunks = {
    add: (id, position, data) => this.#call('addBlobChunk', id, position, data),
    read: (id, position) => this.#call('readBlobChunk', id, position),
    remove: (id) => this.removeBlob(id),
  };
  #collected: Call[] = [];
  /** Turns that began with their message, unless another one has come since that waits. */
  #arrived = new WeakSet<TurnHold>();
  #sendAfterEvents: NodeJS.Immediate | null = null;
  #sendLater: NodeJS.Timeout | null = null;
  #nextId = 1;
  #closing: Promise<void> | null = null;
  /** Resolves when the worker says that the database is closed: with what went wrong then, or null. */
  readonly #closed: Promise<StoreError | null>;
  #settleClosed: (failure: StoreError | null) => void = () => undefined;
  /** Why no call can be taken any more. */
  #end: StoreError | null = null;

  constructor(
    { worker, ended }: StoreThread,
    { path, events = {}, now = steadyNow }: Pick<SqliteStoreOptions, 'path' | 'events' | 'now'>,
  ) {
    this.#worker = worker;
    this.#now = now;
    this.#health = new StoreHealth({ events, tryWrite: () => this.tryWrite() });
    this.#closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    this.ended = ended.then(({ status, error }) => {
      if (error !== undefined) this.#end ??= threadFailed(path, error);
      return this.#stopped(path, status);
    });
    this.opened = new Promise((resolve, reject) => {
      worker.on('message', (message: FromWorker) => {
        if (message.type === 'opened') resolve(message);
        else this.#receive(message, events);
      });
      void this.ended.then(() => reject(this.#end));
    });
    // A store that could not be opened says so there.
    void this.opened.then(
      () => this.ended.then((failure) => failure !== null && events.ended?.(failure)),
      () => undefined,
    );
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
    const { owner } = claim ?? { owner: '' };
    const turn = epoch === null ? null : firstTurn(taken, { owner, epoch, agent });
    this.#noteArrival(turn);
    return { outcome: 'accepted', message: taken, turn, interrupted };
  }

  claimTurns(claim: TurnClaim): Promise<readonly Turn[]> {
    // It comes with the end of a turn, whose place it is to fill.
    return this.#callBy(this.#sendLater === null ? 'now' : 'later', 'claimTurns', claim);
  }

  renewLeases(owner: string, leaseMs: number): Promise<ResultOf<'renewLeases'>> {
    return this.#call('renewLeases', owner, leaseMs);
  }

  completeTurn(turn: TurnHold, reply: Reply): Promise<boolean> {
    const isAwaited = !this.#arrived.has(turn) || this.#collected.length > 0;
    return this.#callBy(isAwaited ? 'now' : 'later', 'completeTurn', hold(turn), reply);
  }

  failTurn(turn: TurnHold, error: string, retryInMs: number | null): Promise<boolean> {
    return this.#call('failTurn', hold(turn), error, retryInMs);
  }

  putBackTurns(turns: readonly TurnToPutBack[]): Promise<number> {
    const holds = turns.map((turn) => ({ ...hold(turn), cutOff: turn.cutOff === true }));
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

  deadMessages(page: { readonly limit: number; readonly after: string | null }): Promise<Page<Message>> {
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

  records(
    kind: string,
    page: { readonly limit: number; readonly after: string | null },
  ): Promise<Page<StoredRecord>> {
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

  history(session: string, limit: number): Promise<readonly Message[]> {
    return this.#call('history', session, limit);
  }

  watch(session: string, changed: () => void): () => void {
    return this.#watchers.watch(session, changed);
  }

  sessions(page: { readonly limit: number; readonly after: string | null }): Promise<Page<SessionSummary>> {
    return this.#call('sessions', page);
  }

  sessionMessages(
    session: string,
    page: { readonly limit: number; readonly after: string | null },
  ): Promise<Page<Message> | null> {
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

  /** How well commits are shared, and how they are made durable. */
  statistics(): Promise<StoreStatistics> {
    return this.#call('statistics');
  }

  /** Whether it takes new work again, after a failure of its disk. */
  tryWrite(): Promise<void> {
    return this.#call('tryWrite');
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#health.close();
    if (this.#end === null) {
      this.#send();
      this.#post({ type: 'close' });
    }
    // The thread’s own end is not waited for: it takes as long as its heap is large, and there is nothing in it to lose.
    const failure = await Promise.race([this.#closed, this.ended]);
    this.#worker.unref();
    if (failure !== null) throw failure;
  }

  #call<Name extends OperationName>(
    operation: Name,
    ...parameters: ParametersOf<Name>
  ): Promise<ResultOf<Name>> {
    return this.#callBy('now', operation, ...parameters);
  }

  #callBy<Name extends OperationName>(
    when: 'now' | 'later',
    operation: Name,
    ...parameters: ParametersOf<Name>
  ): Promise<ResultOf<Name>> {
    if (this.#end !== null) return Promise.reject(this.#end);
    if (this.#closing !== null) return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      const call = { id, operation, parameters, at: this.#now() } as Call;
      this.#waiters.set(id, { call, resolve, reject });
      this.#collected.push(call);
      if (when === 'later') this.#sendLater ??= setTimeout(() => this.#send(), commitDelayMs);
      else this.#sendSoon();
    });
  }

  /** Nobody is known to wait for its end while it leaves no reply to be posted, and no other message waits. */
  #noteArrival(turn: Turn | null): void {
    if (turn === null) this.#arrived = new WeakSet();
    else if (turn.replyTo === null) this.#arrived.add(turn);
  }

  /** After the events that came with this one, before the loop waits for new ones: no delay for a lone call. */
  #sendSoon(): void {
    // A crowd is not waited for to its end: the worker is to have work while its next part is still read.
    if (this.#collected.length >= crowd) this.#send();
    else this.#sendAfterEvents ??= setImmediate(() => this.#send());
  }

  #receive(message: FromWorker, events: Partial<StoreEvents>): void {
    switch (message.type) {
      case 'answers':
        for (const answer of message.answers) this.#settle(answer);
        break;
      case 'progress':
        events.progress?.(message.step);
        break;
      case 'warning':
        this.#warned(toError(message.failure), events);
        break;
      case 'forgotten':
        events.forgotten?.(message.forgotten);
        break;
      case 'not-opened':
        this.#end = toError(message.failure);
        break;
      case 'closed':
        this.#settleClosed(message.failure === null ? null : toError(message.failure));
        break;
    }
  }

  #warned(error: StoreError, events: Partial<StoreEvents>): void {
    events.warning?.(error);
    // Met by the store's own work: nobody's call has failed, and the next ones may not meet it.
    if (error.reason === 'corrupt') this.#health.failed(error);
  }

  /** The worker is gone: whoever still waits is told why. Null when it had been asked to go. */
  #stopped(path: string, status: number): StoreError | null {
    const planned = this.#closing !== null && this.#end === null;
    this.#end ??= planned
      ? closedError()
      : new StoreError('internal', `The thread of the store on ${path} ended (status ${status}).`);
    for (const waiter of this.#waiters.values()) waiter.reject(this.#end);
    this.#waiters.clear();
    return planned ? null : this.#end;
  }

  #send(): void {
    const calls = this.#collected;
    if (this.#sendAfterEvents !== null) clearImmediate(this.#sendAfterEvents);
    if (this.#sendLater !== null) clearTimeout(this.#sendLater);
    this.#sendAfterEvents = null;
    this.#sendLater = null;
    if (calls.length === 0 || this.#end !== null) return;
    this.#collected = [];
    try {
      this.#post({ type: 'calls', calls });
    } catch (error) {
      // DataCloneError: a value that is not plain data. None of these calls was sent.
      const failure = new StoreError('internal', `The store was given what it can't keep: ${error}`, {
        cause: error,
      });
      for (const { id } of calls) {
        this.#waiters.get(id)?.reject(failure);
        this.#waiters.delete(id);
      }
    }
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #settle(answer: Answer): void {
    const waiter = this.#waiters.get(answer.id);
    this.#waiters.delete(answer.id);
    if ('failure' in answer) {
      const error = toError(answer.failure);
      waiter?.reject(error);
      this.#health.failed(error);
    } else if (waiter !== undefined) {
      this.#watchers.answered(waiter.call, answer.result);
      waiter.resolve(answer.result);
    }
  }
}

function threadFailed(path: string, error: unknown): StoreError {
  const detail = error instanceof Error ? error.message : String(error);
  return new StoreError('internal', `The thread of the store on ${path} failed: ${detail}`, { cause: error });
}

function toError({ reason, message, detail, errno }: Failure): StoreError {
  return new StoreError(reason, message, { detail, errno });
}

function closedError(): StoreError {
  return new StoreError('closed', 'The store is closed: the gateway is stopping.');
}
