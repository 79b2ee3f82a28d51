import { existsSync, statSync } from 'node:fs';
import type { Database } from 'better-sqlite3';
import { keptRuns, type RunRecord } from '../../open-store.js';
import { StoreError } from '../../store-error.js';
import type { StoreDescription } from '../../store-kind.js';
import { toStoreError } from '../file/errors.js';
import { checkFiles, checkHeader } from '../file/inspect.js';
import { schemaVersionOf } from '../file/migrate.js';
import { openSqlite } from '../file/open-sqlite.js';
import { applicationId, schemaVersion } from '../file/schema.js';
import { Statements } from '../operations/statements.js';
import { type Counters, readCounters } from '../operations/transaction.js';

export { lostDatabase } from '../file/inspect.js';

/** Loads SQLite before root acts as a user who may not read the program's files. Throws a StoreError. */
export function loadSqlite(path: string): void {
  try {
    openSqlite(':memory:').close();
  } catch (error) {
    throw toStoreError(error, path);
  }
}

/** Checks that SQLite can be loaded, and that the database is one that this program knows. Throws a StoreError. */
export function checkOpenable(path: string): void {
  loadSqlite(path);
  if (existsSync(path)) checkHeader(path);
}

/**
 * Opens the database of a gateway, which may run or not, to read it: nothing in it is changed, and nothing is left
 * beside it.
 */
export function connectOffline(path: string, busyTimeout: number): Database {
  checkFiles(path);
  const log = statSync(`${path}-wal`, { throwIfNoEntry: false });
  // With a log that a crash has left, closing must not copy it into the database: that is for the next start. Without
  // one, a connection that only reads would leave an empty one behind.
  const readonly = log !== undefined && log.size > 0;
  return openSqlite(path, { readonly, fileMustExist: true, timeout: busyTimeout });
}

/** The same for what has to know the present schema. Throws a StoreError. */
export function connectToPresent(path: string, busyTimeout: number): Database {
  if (!existsSync(path)) throw new StoreError('internal', `There is no database ${path}.`);
  checkHeader(path);
  const database = connectOffline(path, busyTimeout);
  const version = schemaVersionOf(database);
  if (version === schemaVersion) return database;
  database.close();
  throw new StoreError(
    'internal',
    `The database ${path} has schema version ${version}, and this sd-gateway works with ${schemaVersion}: start the gateway once, which brings it there.`,
  );
}

/** Longest wait for a lock of another process, in milliseconds. */
const busyTimeout = 1_000;

/**
 * The runs in the database of a gateway that doesn't run, newest first; null: there is no database, or it is older than
 * such records. Nothing in it is changed. Throws a StoreError.
 */
export function readRuns(path: string): readonly RunRecord[] | null {
  if (!existsSync(path)) return null;
  try {
    const database = connectOffline(path, busyTimeout);
    try {
      if (database.pragma('application_id', { simple: true }) !== applicationId) return null;
      const table = database
        .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'runs'")
        .get();
      if (table === undefined) return null;
      return database
        .prepare<[limit: number], string>('SELECT record FROM runs ORDER BY number DESC LIMIT ?')
        .pluck()
        .all(keptRuns)
        .map((record) => JSON.parse(String(record)) as RunRecord);
    } finally {
      database.close();
    }
  } catch (error) {
    throw toStoreError(error, path);
  }
}

function countsOf(counters: Counters | undefined): StoreDescription['counts'] {
  if (counters === undefined) return null;
  const { place: _place, round: _round, epoch: _epoch, ...counts } = counters;
  return counts;
}

/** See `OfflineStore.describe`. Nothing in the database is changed. Throws a StoreError. */
export function describeDatabase(path: string): StoreDescription {
  try {
    const exists = existsSync(path);
    const database = exists ? connectOffline(path, busyTimeout) : openSqlite(':memory:');
    try {
      const version = database.prepare<[], string>('SELECT sqlite_version()').pluck().get();
      const found = exists ? schemaVersionOf(database) : null;
      const counters = found === schemaVersion ? new Statements(database).get(readCounters) : undefined;
      return { engine: `SQLite ${version}`, schemaVersion: found, counts: countsOf(counters) };
    } finally {
      database.close();
    }
  } catch (error) {
    throw toStoreError(error, path);
  }
}
