import type { Worker } from 'node:worker_threads';
import { steadyNow } from '../../../lifecycle/effects/clock.js';
import { errorMessage } from '../../../text/failure-text.js';
import { type Recovery, type StoreEvents, StoreHealth } from '../../open-store.js';
import { StoreError } from '../../store-error.js';
import type { PostedFailure } from '../file/errors.js';
import type { OpenReport } from '../file/open-database.js';
import type {
  Answer,
  Call,
  FromWorker,
  OperationName,
  ParametersOf,
  ResultOf,
  ToWorker,
} from './protocol.js';
import type { StoreThread } from './store-thread.js';

/** So many calls are sent to the worker while more are still coming. */
const batchThreshold = 16;

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

export interface ConnectionOptions {
  readonly path: string;
  readonly events?: Partial<StoreEvents>;
  /** Milliseconds since the Unix epoch. Default: the steady clock of this process. */
  readonly now?: () => number;
}

/** The opened database. */
export interface Opened {
  readonly recovery: Recovery;
  readonly report: OpenReport;
}

/**
 * The main thread's end of the store's thread: it never waits for the disk. The calls of one turn of the event loop
 * travel as one message, in their order; the worker does the rest (see sqlite-worker.ts).
 */
export class ThreadConnection {
  /** Settled once the worker has opened the database, or could not. */
  readonly opened: Promise<Opened>;
  /** Resolves when the worker has ended: null after `close`, else why it is gone and nothing can be asked of it. */
  readonly ended: Promise<StoreError | null>;

  readonly #worker: Worker;
  readonly #health: StoreHealth;
  readonly #now: () => number;
  readonly #answered: (call: Call, result: unknown) => void;
  readonly #waiters = new Map<number, Waiter>();
  #collected: Call[] = [];
  #sendAfterEvents: NodeJS.Immediate | null = null;
  #sendLater: NodeJS.Timeout | null = null;
  #nextId = 1;
  #isOpen = false;
  #closing: Promise<void> | null = null;
  /** Resolves when the worker says that the database is closed: with what went wrong then, or null. */
  readonly #closed: Promise<StoreError | null>;
  #settleClosed: (failure: StoreError | null) => void = () => undefined;
  /** Why no call can be taken any more. */
  #end: StoreError | null = null;

  constructor(
    { worker, ended }: StoreThread,
    { path, events = {}, now = steadyNow }: ConnectionOptions,
    answered: (call: Call, result: unknown) => void,
  ) {
    this.#answered = answered;
    this.#worker = worker;
    this.#now = now;
    this.#health = new StoreHealth({ events, tryWrite: () => this.callBy('now', 'tryWrite') });
    this.#closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    this.ended = ended.then(({ status, error }) => {
      if (error !== undefined) this.#end ??= threadFailed(path, error);
      return this.#stopped(path, status);
    });
    this.opened = new Promise((resolve, reject) => {
      worker.on('message', (message: FromWorker) => {
        if (message.type === 'opened') {
          this.#isOpen = true;
          resolve(message);
        } else this.#receive(message, events);
      });
      void this.ended.then(() => reject(this.#end));
    });
    // A store that could not be opened says so there.
    void this.opened.then(
      () => this.ended.then((failure) => failure !== null && events.ended?.(failure)),
      () => undefined,
    );
  }

  /** True if calls wait to be sent, and go with the next. */
  get isSending(): boolean {
    return this.#collected.length > 0;
  }

  /** True if they wait for others to come. */
  get isSendingLater(): boolean {
    return this.#sendLater !== null;
  }

  /** Finishes what was asked for before, then closes the database. Idempotent. */
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

  callBy<Name extends OperationName>(
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

  /** After the events that came with this one, before the loop waits for new ones: no delay for a lone call. */
  #sendSoon(): void {
    // Calls before the database is open wait in the port: the loop may be busy with the start for long.
    // A crowd is not waited for to its end: the worker is to have work while its next part is still read.
    if (!this.#isOpen || this.#collected.length >= batchThreshold) this.#send();
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
      case 'refusing':
        this.#health.failed(toError(message.failure));
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
      this.#answered(waiter.call, answer.result);
      waiter.resolve(answer.result);
    }
  }
}

function threadFailed(path: string, error: unknown): StoreError {
  const detail = errorMessage(error);
  return new StoreError('internal', `The thread of the store on ${path} failed: ${detail}`, { cause: error });
}

function toError({ reason, message, detail, errno }: PostedFailure): StoreError {
  return new StoreError(reason, message, { detail, errno });
}

function closedError(): StoreError {
  return new StoreError('closed', 'The store is closed: the gateway is stopping.');
}
