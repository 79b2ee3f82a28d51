import { type MessagePort, parentPort, receiveMessageOnPort } from 'node:worker_threads';
import type { Database } from 'better-sqlite3';
import { collectGarbageAtRest } from '../../../lifecycle/effects/idle-heap.js';
import type { StoreError } from '../../store-error.js';
import { Ballast, releasedError } from '../file/ballast.js';
import { type PostedFailure, toFailure, toStoreError } from '../file/errors.js';
import { openDatabase } from '../file/open-database.js';
import { LogMarker, seal } from '../file/seal.js';
import type { LogMark } from '../file/write-ahead-log.js';
import { yields } from '../operations/operations.js';
import { GroupCommit } from './group-commit.js';
import { Housekeeping } from './housekeeping.js';
import type { Call, FromWorker, ToWorker, WorkerOptions } from './protocol.js';

/**
 * The thread that owns the database. Calls that arrive while a commit is under way wait in the port; the next
 * transaction takes all of them. A lone call is committed at once: there is no timer. Calls that nobody waits for come
 * behind all others.
 */

/** Calls of one transaction, so that those behind a great crowd are answered in steps. */
const largestGroup = 1_024;

/** Calls of a transaction that let others go first: some milliseconds' work at most, as a post may come meanwhile. */
const yieldingGroup = 16;

/** From the close of the database to the thread's end, in milliseconds, unless the process ends before. */
const threadExitDelayMs = 250;

const port = parentPort;
if (port === null) throw new Error('sqlite-worker is a worker thread; it is started by SqliteStore.');

const post = (message: FromWorker) => port.postMessage(message);

const refuse = (error: StoreError) => post({ type: 'refusing', failure: toFailure(error) });

/** Calls that come right after it wait in the port, which gives out nothing while nobody listens. */
function awaitOpen(from: MessagePort): Promise<WorkerOptions> {
  return new Promise((resolve, reject) => {
    from.once('message', (message: ToWorker) => {
      if (message.type === 'open') resolve(message.options);
      else
        reject(new Error(`The store's thread was told to ${message.type} before it was told what to open.`));
    });
  });
}

function failureOf(error: unknown, path: string): PostedFailure {
  return toFailure(toStoreError(error, path));
}

/** The database while it is open: takes calls from the port until it is told to close. */
class Serving {
  readonly #database: Database;
  readonly #groups: GroupCommit;
  readonly #path: string;
  readonly #housekeeping: Housekeeping;
  readonly #marker: LogMarker;
  /** Damage was found while it was open: each seal says so, and the next start reads all of it. */
  #damaged = false;
  /** False while the seal can't be written, which is told once. */
  #isSealable = true;
  /** Calls that let others go first. */
  #yielding: Call[] = [];
  #nextYielding: NodeJS.Immediate | null = null;

  constructor(database: Database, groups: GroupCommit, options: WorkerOptions) {
    this.#database = database;
    this.#groups = groups;
    this.#path = options.path;
    this.#marker = new LogMarker(options.path);
    this.#housekeeping = new Housekeeping(database, groups, {
      keep: options.keep,
      interval: options.housekeepingInterval,
      checkpoint: (minFrames) => this.#checkpointWhenDue(minFrames),
      onForgotten: (forgotten) => post({ type: 'forgotten', forgotten }),
      onFailure: (error) => this.#warn(error),
    });
    collectGarbageAtRest((error) => this.#warn(error));
  }

  listen(from: MessagePort): void {
    from.on('message', (first: ToWorker) => {
      const calls: Call[] = [];
      let message: ToWorker | undefined = first;
      while (message !== undefined) {
        if (message.type === 'close') {
          this.#perform([...this.#yielding.splice(0), ...calls]);
          this.#close();
          // The end of a thread takes processor time and the process's memory map. A process that ends now needs neither.
          setTimeout(() => from.close(), threadExitDelayMs);
          return;
        }
        if (message.type === 'calls') for (const call of message.calls) calls.push(call);
        // Messages that are left in the port come as events of their own.
        message = calls.length < largestGroup ? receiveMessageOnPort(from)?.message : undefined;
      }
      this.#perform(calls.filter(({ operation }) => !yields.has(operation)));
      this.#yielding.push(...calls.filter(({ operation }) => yields.has(operation)));
      this.#performYielding();
      this.#checkpointWhenDue();
      this.#restoreBallast();
    });
  }

  /** Some of them in each turn of the event loop, which takes what has come to the port before. */
  #performYielding(): void {
    if (this.#yielding.length === 0) return;
    this.#nextYielding ??= setImmediate(() => {
      this.#nextYielding = null;
      const calls = this.#yielding.splice(0, yieldingGroup);
      // The close has taken them.
      if (calls.length === 0) return;
      this.#perform(calls);
      this.#checkpointWhenDue();
      this.#performYielding();
    });
  }

  #perform(calls: readonly Call[]): void {
    for (let start = 0; start < calls.length; start += largestGroup) {
      const wasSpent = this.#groups.isBallastSpent;
      const answers = this.#groups.run(calls.slice(start, start + largestGroup));
      if (this.#groups.isBallastSpent && !wasSpent) refuse(releasedError(this.#path));
      for (const answer of answers) if ('failure' in answer) this.#noteDamage(answer.failure);
      // Before anybody is promised what the log has.
      this.#markLog();
      post({ type: 'answers', answers });
    }
  }

  /** A seal on another file than the open one would vouch for what nobody has checked. */
  get #isUnsealable(): boolean {
    return this.#groups.isDatabaseLost;
  }

  #markLog(): void {
    try {
      const mark = this.#groups.newMark();
      if (mark === null) return;
      this.#marker.mark(mark);
      this.#isSealable = true;
    } catch (error) {
      this.#warnOfSeal(error);
    }
  }

  #checkpointWhenDue(minFrames?: number): void {
    try {
      if (!this.#groups.checkpointWhenDue(() => this.#beginCopy(), minFrames)) return;
      if (this.#sealCopied()) this.#groups.giveRoomBack();
    } catch (error) {
      this.#warn(error);
    }
  }

  /** Not only by the housekeeping: the disk may be full again before. The store is asked until there is room. */
  #restoreBallast(): void {
    try {
      this.#groups.restoreSpentBallast();
    } catch (error) {
      this.#warn(error);
    }
  }

  #close(): void {
    this.#housekeeping.stop();
    let failure: PostedFailure | null = null;
    try {
      const checkpointed = this.#checkpoint();
      this.#marker.close();
      this.#database.close();
      if (checkpointed) this.#seal('closed');
    } catch (error) {
      failure = failureOf(error, this.#path);
      this.#noteDamage(failure);
      if (this.#database.open) this.#database.close();
    }
    post({ type: 'closed', failure });
  }

  /** True if it could be done. On a full disk it can't: the log has everything, and the next start reads it from there. */
  #checkpoint(): boolean {
    if (this.#groups.isDatabaseLost) return false;
    try {
      this.#groups.settle();
      // The close removes the log. To truncate it before is one more wait for the disk, and a full checkpoint would wait
      // for whoever reads, a backup say.
      this.#beginCopy();
      this.#database.pragma('wal_checkpoint(PASSIVE)');
      this.#sealCopied();
      return true;
    } catch (error) {
      this.#warn(error);
      return false;
    }
  }

  #beginCopy(): void {
    if (this.#isUnsealable) return;
    try {
      this.#marker.beginCopy();
    } catch (error) {
      this.#warnOfSeal(error);
    }
  }

  /** Gives true if the seal says that all of the log was copied. */
  #sealCopied(): boolean {
    if (this.#isUnsealable) return false;
    try {
      const mark = this.#groups.mark();
      // The mark so far tells what was synced. If a reader holds the copy up, the log may have more by now.
      if (mark?.isCopied === true) return this.#seal('open', mark);
      this.#marker.seal(this.#damaged ? 'damaged' : 'open');
    } catch (error) {
      this.#warnOfSeal(error);
    }
    return false;
  }

  /** Gives false if it can't be written. The next start then checks the whole database, and that is all. */
  #seal(state: 'open' | 'closed', mark: LogMark | null = null): boolean {
    if (this.#isUnsealable) return false;
    try {
      seal(this.#path, this.#damaged ? 'damaged' : state, mark);
      this.#isSealable = true;
      return true;
    } catch (error) {
      this.#warnOfSeal(error);
      return false;
    }
  }

  #warnOfSeal(error: unknown): void {
    if (this.#isSealable) this.#warn(error);
    this.#isSealable = false;
  }

  #noteDamage({ reason }: PostedFailure): void {
    if (reason !== 'corrupt' || this.#damaged) return;
    this.#damaged = true;
    if (this.#isUnsealable) return;
    try {
      this.#marker.seal('damaged');
    } catch (error) {
      post({ type: 'warning', failure: failureOf(error, this.#path) });
    }
  }

  #warn(error: unknown): void {
    this.#groups.failed(error);
    const failure = failureOf(error, this.#path);
    this.#noteDamage(failure);
    post({ type: 'warning', failure });
  }
}

async function start(from: MessagePort, options: WorkerOptions): Promise<void> {
  // Imported only when asked for, so that the store has no need of the addon.
  const extension = options.extendStartTimeout
    ? await import('../../../systemd/timeout-extension.js')
    : { reportProgress: () => {} };
  const progress = (step: string) => {
    extension.reportProgress();
    post({ type: 'progress', step });
  };
  const warn = (error: StoreError) => post({ type: 'warning', failure: toFailure(error) });
  const { database, report } = openDatabase({ ...options, progress, warn });
  try {
    progress('recovering what the last run left');
    const groups = new GroupCommit(database, options);
    const recovery = groups.recover(options.now, options.endedByItself);
    const serving = new Serving(database, groups, options);
    serving.listen(from);
    post({ type: 'opened', recovery, report });
    const trouble = groups.ballastTrouble();
    if (trouble !== null) refuse(trouble);
  } catch (error) {
    database.close();
    throw error;
  }
}

async function startOnFullDisk(from: MessagePort, options: WorkerOptions): Promise<void> {
  try {
    await start(from, options);
  } catch (error) {
    const isFull = toStoreError(error, options.path).reason === 'full';
    if (!isFull || !new Ballast(options.path).release()) throw error;
    refuse(releasedError(options.path));
    await start(from, options);
  }
}

async function run(from: MessagePort): Promise<void> {
  const options = await awaitOpen(from);
  try {
    await startOnFullDisk(from, options);
  } catch (error) {
    post({ type: 'not-opened', failure: failureOf(error, options.path) });
    from.close();
  }
}

// No await at the top level: it is bundled as CommonJS (rolldown.config.ts).
void run(port);
