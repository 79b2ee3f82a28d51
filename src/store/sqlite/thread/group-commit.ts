import type { Database } from 'better-sqlite3';
import type { Recovery, StorePolicy } from '../../open-store.js';
import type { StoreError } from '../../store-error.js';
import { Ballast } from '../file/ballast.js';
import { hasRoom } from '../file/disk.js';
import { endsTransaction, fullError, LostWritesError, toFailure, toStoreError } from '../file/errors.js';
import { HeldFiles } from '../file/held-files.js';
import type { LogMark } from '../file/write-ahead-log.js';
import { forgetBlobs } from '../operations/blobs.js';
import { type ForgetRequest, type Forgotten, forget } from '../operations/forget.js';
import { readLongestWaitMs } from '../operations/longest-wait.js';
import { type Handlers, isNewWork, isRead, operations, unsynced } from '../operations/operations.js';
import { forgetRecords } from '../operations/records.js';
import { recover } from '../operations/runs.js';
import { Statements, sql } from '../operations/statements.js';
import type { Transaction } from '../operations/transaction.js';
import { type Counters, readCounters, writeCounters } from '../operations/transaction.js';
import { CommitTimes } from './commit-times.js';
import { LogKeeper } from './log-keeper.js';
import type { Answer, Call, OperationName, ResultOf, StoreStatistics } from './protocol.js';

const begin = sql<[]>('BEGIN IMMEDIATE');
const commit = sql<[]>('COMMIT');
const rollback = sql<[]>('ROLLBACK');
const savepoint = sql<[]>('SAVEPOINT operation');
const release = sql<[]>('RELEASE operation');
const rollbackToSavepoint = sql<[]>('ROLLBACK TO operation');

/** Runs all calls that wait as one transaction with one commit, so that they share one fsync. */
export class GroupCommit {
  readonly #database: Database;
  readonly #path: string;
  readonly #policy: StorePolicy;
  readonly #sql: Statements;
  readonly #handlers: Handlers;
  readonly #log: LogKeeper;
  readonly #ballast: Ballast;
  readonly #files: HeldFiles;
  readonly #commitTimes = new CommitTimes();
  #commits = 0;
  #operations = 0;
  /** The log's end is synced, and no mark tells of it. */
  #isUnmarked = false;

  constructor(database: Database, options: StorePolicy & { readonly path: string }) {
    this.#database = database;
    this.#path = options.path;
    const { maxAttempts, repeatable, notices, unknownPolicy } = options;
    this.#policy = { maxAttempts, repeatable, notices, unknownPolicy };
    this.#sql = new Statements(database);
    this.#log = new LogKeeper(database, options.path, this.#sql);
    this.#ballast = new Ballast(options.path);
    this.#files = new HeldFiles(options.path);
    this.#handlers = {
      ...operations,
      statistics: (transaction) => this.#statistics(transaction),
      tryWrite: () => this.#tryWrite(),
    };
  }

  /** `endedByItself`: see `LastRun`. */
  recover(now: number, endedByItself: boolean): Recovery {
    return this.#transact((transaction) => recover(transaction, { isOwnFault: endedByItself }), now);
  }

  /** Deletes some of the records whose time is over; gives how many. */
  forgetRecords(limit: number, now: number): number {
    return this.#transact((transaction) => forgetRecords(transaction, limit), now);
  }

  /** Deletes some of the files that nothing has named; gives how many. */
  forgetBlobs(limit: number, now: number): number {
    return this.#transact((transaction) => forgetBlobs(transaction, limit), now);
  }

  forget(request: ForgetRequest, now: number): Forgotten {
    return this.#transact((transaction) => forget(transaction, request), now);
  }

  /**
   * One answer for each call, in no order that matters. What is only read is read after the commit: a page that can't be
   * read, or no memory, has SQLite roll back all of a transaction, and not only the statement that met it. A trial write
   * asks for more room than the others may need, so it has a transaction apart.
   */
  run(calls: readonly Call[]): Answer[] {
    const writes: Call[] = [];
    const tries: Call[] = [];
    const asked: Call[] = [];
    const refused: Answer[] = [];
    const lost = this.#files.trouble();
    const trouble = lost ?? this.#log.trouble() ?? this.#ballast.trouble();
    const hasFiles = calls.some(({ operation }) => operation === 'addBlobChunk');
    const fileTrouble = hasFiles ? this.#ballast.fileTrouble() : null;
    for (const call of calls) {
      // The probe tells of it where nobody posts.
      if (lost !== null && call.operation === 'probe') refused.push(failed(call, lost));
      else if (isRead.has(call.operation)) asked.push(call);
      else if (trouble !== null && isNewWork.has(call.operation)) refused.push(failed(call, trouble));
      else if (fileTrouble !== null && call.operation === 'addBlobChunk')
        refused.push(failed(call, fileTrouble));
      else (call.operation === 'tryWrite' ? tries : writes).push(call);
    }
    return [...refused, ...this.#write(writes), ...this.#write(tries), ...this.#read(asked)];
  }

  #write(calls: readonly Call[]): Answer[] {
    if (calls.length === 0) return [];
    const isSynced = calls.some(({ operation }) => !unsynced.has(operation));
    try {
      if (!isSynced) this.#database.pragma('synchronous = NORMAL');
      const answers = this.#together(calls);
      this.#operations += calls.length;
      this.#isUnmarked = isSynced;
      return answers;
    } catch (error) {
      if (error instanceof LostWritesError) throw error;
      // Nothing of it is in the database.
      const failure = toStoreError(error, this.#path);
      const accepted = calls.filter(({ operation }) => !isNewWork.has(operation) && operation !== 'tryWrite');
      if (failure.reason !== 'full' || accepted.length === 0 || !this.#ballast.release()) {
        return calls.map((call) => failed(call, failure));
      }
      const refused = calls.filter((call) => !accepted.includes(call));
      return [...refused.map((call) => failed(call, failure)), ...this.#write(accepted)];
    } finally {
      if (!isSynced) this.#database.pragma('synchronous = FULL');
    }
  }

  /** Why no new work is taken until there is room for the ballast; null: it is. */
  ballastTrouble(): StoreError | null {
    return this.#ballast.trouble();
  }

  get isBallastSpent(): boolean {
    return this.#ballast.isSpent;
  }

  /** See Ballast. */
  restoreSpentBallast(): void {
    this.#ballast.restoreSpent();
  }

  /** See Ballast. */
  restoreBallast(): void {
    this.#ballast.restore();
  }

  /** Something failed that was no call. See LogKeeper. */
  failed(error: unknown): void {
    this.#log.failed(error);
  }

  /** See LogKeeper. */
  settle(): void {
    this.#log.settle();
  }

  /** See HeldFiles. */
  get isDatabaseLost(): boolean {
    return this.#files.isDatabaseLost;
  }

  /** See LogKeeper. */
  checkpointWhenDue(onBegin: () => void, minFrames?: number): boolean {
    // A copy of both files, by hand, then finds the database as the log takes it to be.
    if (this.#files.isDatabaseLost) return false;
    return this.#log.copyWhenDue(onBegin, minFrames);
  }

  /** Call it once the seal says that all of the log was copied. */
  giveRoomBack(): void {
    this.#log.giveRoomBack();
  }

  /** The mark up to which the log is synced; null: no further than was asked for before. */
  newMark(): LogMark | null {
    // The file is looked at only if there is something to mark.
    if (!this.#isUnmarked || this.isDatabaseLost) return null;
    const mark = this.#log.markSynced();
    this.#isUnmarked = false;
    return mark;
  }

  mark(): LogMark | null {
    return this.#log.mark();
  }

  /** `now`: of operations that are no calls, which have a time of their own. */
  #transact<Outcome>(work: (transaction: Transaction) => Outcome, now = 0): Outcome {
    this.#log.settle();
    this.#sql.run(begin);
    try {
      const before = this.#readCounters();
      const transaction = this.#transaction({ ...before }, now);
      const outcome = work(transaction);
      if (
        Object.entries(before).some(([name, count]) => transaction.counters[name as keyof Counters] !== count)
      ) {
        this.#sql.run(writeCounters, transaction.counters);
      }
      const began = performance.now();
      this.#sql.run(commit);
      this.#commitTimes.add(performance.now() - began);
      this.#commits += 1;
      return outcome;
    } catch (error) {
      this.#log.failed(error);
      // SQLite may have rolled back by itself: https://www.sqlite.org/lang_transaction.html
      if (this.#database.inTransaction) this.#sql.run(rollback);
      throw error;
    }
  }

  /**
   * An operation that fails on its own leaves the others of its transaction alone. Savepoints, which that takes, are as
   * much work as the rest, and next to no operation fails: they are set only when one has.
   */
  #together(calls: readonly Call[]): Answer[] {
    try {
      return this.#transact((transaction) =>
        calls.map((call) => ({ id: call.id, result: this.#handle(transaction, call) })),
      );
    } catch (error) {
      if (calls.length === 1 || endsTransaction(toStoreError(error, this.#path))) throw error;
      return this.#transact((transaction) => calls.map((call) => this.#perform(transaction, call)));
    }
  }

  #perform(transaction: Transaction, call: Call): Answer {
    const counters = { ...transaction.counters };
    this.#sql.run(savepoint);
    try {
      const answer = { id: call.id, result: this.#handle(transaction, call) };
      // So that a count that can't be fails the one who makes it.
      this.#sql.run(writeCounters, transaction.counters);
      this.#sql.run(release);
      return answer;
    } catch (error) {
      const failure = toStoreError(error, this.#path);
      if (endsTransaction(failure) || !this.#database.inTransaction) throw failure;
      this.#sql.run(rollbackToSavepoint);
      this.#sql.run(release);
      Object.assign(transaction.counters, counters);
      return failed(call, failure);
    }
  }

  #read(calls: readonly Call[]): Answer[] {
    return calls.map((call) => {
      try {
        return { id: call.id, result: this.#handle(this.#transaction(this.#readCounters(), call.at), call) };
      } catch (error) {
        return failed(call, toStoreError(error, this.#path));
      }
    });
  }

  #handle<Name extends OperationName>(transaction: Transaction, call: Call<Name>): ResultOf<Name> {
    const handler: Handlers[Name] = this.#handlers[call.operation];
    transaction.now = call.at;
    return handler(transaction, ...call.parameters);
  }

  #transaction(counters: Counters, now: number): Transaction {
    return { sql: this.#sql, counters, now, ...this.#policy };
  }

  #readCounters(): Counters {
    const counters = this.#sql.get(readCounters);
    if (counters === undefined) throw new Error(`The counters of the database ${this.#path} are missing.`);
    return counters;
  }

  #tryWrite(): void {
    const trouble = this.#files.trouble() ?? this.#log.trouble() ?? this.#ballast.trouble();
    if (trouble !== null) throw trouble;
    // A page may find a place in the log where a message would not.
    if (!hasRoom(this.#path)) throw fullError(this.#path);
    const version = this.#database.pragma('user_version', { simple: true });
    this.#database.pragma(`user_version = ${version}`);
  }

  #statistics(transaction: Transaction): StoreStatistics {
    return {
      commits: this.#commits,
      operations: this.#operations,
      commitTime: this.#commitTimes.figures(),
      longestWaitMs: readLongestWaitMs(transaction),
      checkpoints: this.#log.copies,
      journalMode: String(this.#database.pragma('journal_mode', { simple: true })),
      synchronous: Number(this.#database.pragma('synchronous', { simple: true })),
    };
  }
}

function failed(call: Call, error: StoreError): Answer {
  return { id: call.id, failure: toFailure(error) };
}
