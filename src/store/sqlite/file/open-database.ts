import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type Database from 'better-sqlite3';
import { syncDirectory } from '../../../linux/files.js';
import { StoreError } from '../../store-error.js';
import {
  checkHeader,
  checkIdentity,
  checkOutline,
  checkTables,
  checkWhole,
  lostDatabase,
} from './inspect.js';
import { migrate, schemaVersionOf } from './migrate.js';
import { openSqlite } from './open-sqlite.js';
import { applicationId, migrations, schemaVersion } from './schema.js';
import { readSeal, type SealFinding, seal } from './seal.js';
import { checkLog, emptyDamagedCopied, logOf, markOf, syncAnew } from './write-ahead-log.js';

export interface OpenOptions {
  readonly path: string;
  /** Longest wait for another process's lock, in milliseconds. */
  readonly busyTimeout: number;
  /** Called at each step of a check or a migration. */
  readonly progress: (step: string) => void;
  /** Called with what an operator should know though nothing is lost. */
  readonly warn: (error: StoreError) => void;
}

/** The cache for pages that SQLite has read, in KiB. SQLite never gives it back by itself. */
const cacheKibibytes = 8_192;

/** The log is twice as long as one that is copied into the database in time. */
const largestRestingLogBytes = 8 * 1024 * 1024;

/** The state in which the database was found. */
export interface OpenReport {
  readonly created: boolean;
  /** True when the last run closed it and nobody has written to it since. */
  readonly closedCleanly: boolean;
  /** Every page of it was read and checked (see seal.ts for when). */
  readonly checkedWhole: boolean;
  /** The schema version that was migrated from; null when it was the present one. */
  readonly migratedFrom: number | null;
}

/** Opens the database, makes it if there is none, and trusts it only after it was checked. */
export function openDatabase(options: OpenOptions): {
  readonly database: Database.Database;
  readonly report: OpenReport;
} {
  const { path, progress } = options;
  const created = createIfMissing(options);
  checkHeader(path);
  requireWritable(path);
  const { intact, closed, log, isSameBoot } = created ? newSeal : readSeal(path);
  // Before SQLite opens it, which would write over what it doesn't take for its own.
  checkLog(path, log, isSameBoot);
  const wasEmptied = emptyDamagedCopied(path, log);
  if (wasEmptied) options.warn(emptiedLogWarning(path));
  const database = connect(options);
  try {
    checkIdentity(
      path,
      Number(database.pragma('application_id', { simple: true })),
      schemaVersionOf(database),
    );
    const outdated = schemaVersionOf(database) < schemaVersion;
    const checkedWhole = !intact || outdated || wasEmptied;
    if (checkedWhole) {
      progress('checking the database');
      checkWhole(database, path);
    }
    if (outdated) progress('migrating the database');
    const before = migrate(database, migrations, () => progress('migrating the database'));
    // So that an older program sees the newer version in the file's header, and leaves it alone.
    if (outdated) database.pragma('wal_checkpoint(TRUNCATE)');
    checkOutline(database, path);
    if (checkedWhole) checkTables(database, path);
    const row = logOf(database);
    // A gateway that was killed may have left writes that no sync made last, or that a failed one dropped.
    if (row.log > 0) database.transaction(() => syncAnew(path, log, row.log)).immediate();
    seal(path, 'open', markOf(path, row));
    return {
      database,
      report: { created, closedCleanly: closed, checkedWhole, migratedFrom: outdated ? before : null },
    };
  } catch (error) {
    database.close();
    throw error;
  }
}

const newSeal: SealFinding = { intact: true, closed: true, log: null, isSameBoot: true };

function emptiedLogWarning(path: string): StoreError {
  return new StoreError(
    'internal',
    `The write-ahead log ${path}-wal was damaged. The database has all of it: the log was emptied, and nothing is lost. Look after the disk.`,
  );
}

function connect({ path, busyTimeout }: OpenOptions): Database.Database {
  const database = openSqlite(path, { fileMustExist: true, timeout: busyTimeout });
  try {
    if (database.pragma('journal_mode = WAL', { simple: true }) !== 'wal') {
      throw new StoreError(
        'internal',
        `The database ${path} can't use a write-ahead log on its file system.`,
      );
    }
    // A commit is on disk when it returns: what was answered 202 survives a power cut.
    database.pragma('synchronous = FULL');
    database.pragma('foreign_keys = ON');
    database.pragma('temp_store = MEMORY');
    // Checkpoints run after the answers were sent, not within a commit that somebody waits for.
    database.pragma('wal_autocheckpoint = 0');
    // After a long reader had the log grow, its rest is given back once the log begins anew.
    database.pragma(`journal_size_limit = ${largestRestingLogBytes}`);
    database.pragma(`cache_size = -${cacheKibibytes}`);
    if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * SQLite would read what it may not write, and give the files that it makes beside it the same mode: those would be in the way
 * when the mode of the database is mended. The error names the file.
 */
function requireWritable(path: string): void {
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    // Not access(2), which goes by another user where root acts as the owner.
    if (existsSync(file)) closeSync(openSync(file, constants.O_RDWR | constants.O_NONBLOCK));
  }
}

/**
 * A new database appears under its name only when it is complete, so that an empty file is never one of ours and a
 * lost one is never replaced in silence.
 */
function createIfMissing(options: OpenOptions): boolean {
  const { path } = options;
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return false;
  const lost = lostDatabase(path);
  if (lost !== null) throw lost;
  makeDirectory(dirname(path));
  options.progress('making the database');
  const unfinished = `${path}-new`;
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(unfinished + suffix, { force: true });
  closeSync(openSync(unfinished, 'wx', 0o600));
  const database = openSqlite(unfinished, { timeout: options.busyTimeout });
  try {
    // Lets free pages be given back later; it can't be turned on in a database that has tables.
    database.pragma('auto_vacuum = INCREMENTAL');
    database.pragma('synchronous = FULL');
    database.pragma(`application_id = ${applicationId}`);
    migrate(database, migrations, () => {});
    database.pragma('journal_mode = WAL');
  } finally {
    database.close();
  }
  renameSync(unfinished, path);
  syncDirectory(dirname(path));
  return true;
}

/** Step by step, because mkdirSync's own recursion never ends where no directory can be made (below /proc, say). */
function makeDirectory(path: string): void {
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return;
  makeDirectory(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}
