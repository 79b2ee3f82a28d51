import { statSync } from 'node:fs';
import type { Database } from 'better-sqlite3';
import type { StoreError } from '../../store-error.js';
import { freeBytes } from '../file/disk.js';
import { mayHaveLostWrites, toStoreError } from '../file/errors.js';
import { isLogFull, logFullError } from '../file/log-room.js';
import {
  type CheckpointRow,
  isCopied,
  type LogMark,
  markOf,
  saltsOf,
  syncAnew,
} from '../file/write-ahead-log.js';
import { type Statements, sql } from '../operations/statements.js';

const look = sql<[], CheckpointRow>('PRAGMA wal_checkpoint(NOOP)');
const copyPassively = sql<[], CheckpointRow>('PRAGMA wal_checkpoint(PASSIVE)');
const copyAndTruncate = sql<[], CheckpointRow>('PRAGMA wal_checkpoint(TRUNCATE)');

/** Frames in the write-ahead log before they are copied into the database (4 MB of pages). */
const copyAfterFrames = 1_000;
/** Frames of a log that somebody keeps from being emptied. */
const longFrames = 2 * copyAfterFrames;
/** Time between two tries to empty such a log, in milliseconds. */
const retryAfterMs = 1_000;

/** Copies the write-ahead log of the open database into it, and knows when it takes no more. */
export class LogKeeper {
  readonly #database: Database;
  readonly #path: string;
  readonly #sql: Statements;
  /** As of the last look at the log. */
  #row: CheckpointRow = { busy: 0, log: 0, checkpointed: 0 };
  /** True if a reader kept the last copy from having all of it. */
  #isHeld = false;
  /** True if such a reader has let a log go that had grown long. */
  #isRoomLeft = false;
  /** The log's salts as long as they can't change; null: they have to be read. */
  #salts: string | null = null;
  /** The log is on disk up to here; null: nobody knows how far. */
  #synced: LogMark | null = null;
  /** A sync has failed: the log may lack on disk what it had to write. */
  #isInDoubt = false;
  #copyAtFrames = copyAfterFrames;
  #triedAt = Number.NEGATIVE_INFINITY;
  #copies = 0;

  constructor(database: Database, path: string, statements: Statements) {
    this.#database = database;
    this.#path = path;
    this.#sql = statements;
  }

  /** Times that the log was copied. */
  get copies(): number {
    return this.#copies;
  }

  /** A commit or a copy has failed. */
  failed(error: unknown): void {
    this.#isInDoubt ||= mayHaveLostWrites(error);
  }

  /**
   * Has the disk take the log as it is, if a sync has failed. Nobody must be promised before what lies behind a gap, and
   * nothing copied that was lost. Call it outside of a transaction. Throws what the disk says, and LostWritesError.
   */
  settle(): void {
    if (!this.#isInDoubt) return;
    const row = this.#checkpoint(look);
    // A log whose frames are all copied begins anew.
    if (!isCopied(row)) {
      this.#database.transaction(() => syncAnew(this.#path, this.#synced, row.log)).immediate();
    }
    this.#isInDoubt = false;
  }

  /**
   * Copies the log into the database when it has grown long, and says whether it did. Call it when nobody waits for
   * an answer. `minFrames`: how many frames make it long. `onBegin` is called right before.
   */
  copyWhenDue(onBegin: () => void, minFrames = this.#copyAtFrames): boolean {
    this.settle();
    const { log, checkpointed: copied } = this.#checkpoint(look);
    const isLate = performance.now() - this.#triedAt >= retryAfterMs;
    const isOverdue = log >= longFrames && copied < log && isLate;
    if (log < minFrames && !isOverdue) return false;
    // Should this fail (a full disk), it is tried again after as much again was written, or a moment later.
    this.#copyAtFrames = log + copyAfterFrames;
    this.#triedAt = performance.now();
    onBegin();
    const { checkpointed } = this.#checkpoint(copyPassively);
    this.#copies += 1;
    const wasHeld = this.#isHeld;
    this.#isHeld = checkpointed < log;
    if (this.#isHeld) return true;
    this.#copyAtFrames = copyAfterFrames;
    this.#isRoomLeft ||= wasHeld && log >= longFrames;
    return true;
  }

  /**
   * The salts stay for as long as a part of the log is not copied. If another program copies it, that changes the
   * database's file, so that no mark holds before this one copies again (see seal.ts).
   */
  mark(): LogMark | null {
    const row = this.#checkpoint(look);
    const salts = this.#salts ?? saltsOf(this.#path);
    this.#salts = isCopied(row) ? null : salts;
    return markOf(this.#path, row, salts);
  }

  /** The mark right after a commit with a sync. */
  markSynced(): LogMark | null {
    this.#synced = this.mark();
    return this.#synced;
  }

  /** Why no new work may be added to the log; null: it may. What was accepted before has to come to its end all the same. */
  trouble(): StoreError | null {
    const { log, checkpointed } = this.#row;
    // Copied frames make room for new ones.
    if (log < longFrames || checkpointed >= log) return null;
    try {
      return this.#troubleOfLong();
    } catch (error) {
      return toStoreError(error, this.#path);
    }
  }

  #troubleOfLong(): StoreError | null {
    const pageBytes = Number(this.#database.pragma('page_size', { simple: true }));
    const pages = Number(this.#database.pragma('page_count', { simple: true }));
    const logBytes = this.#row.log * pageBytes;
    const growthBytes = Math.max(0, pages * pageBytes - statSync(this.#path).size);
    const isFull = isLogFull({ logBytes, growthBytes, freeBytes: freeBytes(this.#path) });
    return isFull ? logFullError(this.#path, logBytes) : null;
  }

  /**
   * Empties a log that was long and is copied: there may be nothing to write for a long time. Call it once the seal says that
   * all was copied, or the start after a kill misses what was in the log.
   */
  giveRoomBack(): void {
    if (!this.#isRoomLeft) return;
    this.#isRoomLeft = false;
    const timeout = Number(this.#database.pragma('busy_timeout', { simple: true }));
    // Whoever begins to read just now is not waited for.
    this.#database.pragma('busy_timeout = 0');
    try {
      this.#checkpoint(copyAndTruncate);
    } finally {
      this.#database.pragma(`busy_timeout = ${timeout}`);
    }
  }

  #checkpoint(statement: typeof look): CheckpointRow {
    if (statement !== look) this.#salts = null;
    this.#row = this.#sql.get(statement) ?? { busy: 0, log: 0, checkpointed: 0 };
    return this.#row;
  }
}
