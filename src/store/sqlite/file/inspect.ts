import { closeSync, existsSync, lstatSync, readSync, statSync } from 'node:fs';
import type { Database } from 'better-sqlite3';
import { checkRegularFile, NoRegularFileError, openRegularFile } from '../../../linux/files.js';
import type { StoreError } from '../../store-error.js';
import { damagedAdvice, FileError, goneError, irregularError, strayLinkError } from './errors.js';
import { applicationId, outlineQueries, schemaVersion } from './schema.js';
import { sealPath } from './seal.js';
import { wrongTable } from './tables.js';

const headerLength = 100;
const magic = 'SQLite format 3\0';

/**
 * Refuses anything but files in the place of the database and of what lies beside it: a named pipe, which an agent could
 * have made, would be waited for without end. Opens nothing, as close(2) would drop SQLite's locks
 * (https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
 */
export function checkFiles(path: string): void {
  try {
    for (const suffix of ['', '-wal', '-shm', '-journal']) checkRegularFile(path + suffix);
    checkRegularFile(sealPath(path));
    for (const suffix of ['-wal', '-shm', '-journal']) refuseStrayLink(path + suffix);
  } catch (error) {
    throw error instanceof NoRegularFileError ? irregularError(error) : error;
  }
}

/** SQLite follows no link there, and says only that it can't open the database. */
function refuseStrayLink(path: string): void {
  const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  if (isLink && !existsSync(path)) throw new NoRegularFileError(path, 'a symbolic link to nothing');
}

/**
 * Looks at the first 100 bytes (https://www.sqlite.org/fileformat2.html#the_database_header) without SQLite, which
 * would already make files beside it: a newer schema or another program's file is refused untouched.
 */
export function checkHeader(path: string): void {
  checkFiles(path);
  const header = Buffer.alloc(headerLength);
  const descriptor = openRegularFile(path, 'links-followed');
  try {
    const length = readSync(descriptor, header, 0, headerLength, 0);
    const isOther =
      length > 0 && !magic.startsWith(header.toString('latin1', 0, Math.min(length, magic.length)));
    if (isOther && leftOf(path) === null) {
      throw new FileError(
        'foreign',
        `${path} is no database, and nothing beside it says that it was the gateway's: check store.path; or, if it was, restore a backup. Nothing was changed.`,
      );
    }
    if (length < headerLength || header.toString('latin1', 0, magic.length) !== magic) {
      throw new FileError(
        'damaged',
        `${damagedAdvice(path)} (${length < headerLength ? `it has ${length} bytes only` : 'it does not begin as a database does'})`,
      );
    }
  } finally {
    closeSync(descriptor);
  }
  checkIdentity(path, header.readUInt32BE(68), header.readUInt32BE(60));
}

export function checkIdentity(path: string, application: number, version: number): void {
  if (application !== applicationId) {
    throw new FileError(
      'foreign',
      `${path} is a database, but not one of sd-gateway's (application_id ${application}): set store.path to another file. It was left as it is.`,
    );
  }
  if (version > schemaVersion) {
    throw new FileError(
      'newer-schema',
      `The database ${path} has schema version ${version}; this sd-gateway knows versions up to ${schemaVersion}: run the newer sd-gateway that wrote it. It was left as it is.`,
    );
  }
}

/** A fixed cost at each start: every table and index of the present schema is there and begins as it should. */
export function checkOutline(database: Database, path: string): void {
  for (const query of outlineQueries) {
    try {
      const row = database.prepare(query).get();
      if (row !== undefined || !query.includes('counters')) continue;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'SQLITE_ERROR')) throw error;
      throw new FileError('damaged', `${damagedAdvice(path)} (${error.message})`, { cause: error });
    }
    throw new FileError('damaged', `${damagedAdvice(path)} (its counters are missing)`);
  }
}

/** Damage in the text of the schema may leave another one that SQLite takes for sound. */
export function checkTables(database: Database, path: string): void {
  const wrong = wrongTable(database, schemaVersion);
  if (wrong === null) return;
  throw new FileError('damaged', `${damagedAdvice(path)} (its table ${wrong} has other columns)`);
}

/** Reads all pages: https://www.sqlite.org/pragma.html#pragma_quick_check */
export function checkWhole(database: Database, path: string): void {
  const found = database
    .prepare<[], string>('PRAGMA quick_check(3)')
    .pluck()
    .all()
    .filter((line) => line !== 'ok');
  if (found.length > 0) {
    throw new FileError('damaged', `${damagedAdvice(path)} (${found.join('; ').replaceAll('\n', ' ')})`);
  }
}

/** The start's refusal where there was a database, and none is there now; null: it is there, or there never was one. */
export function lostDatabase(path: string): StoreError | null {
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) return null;
  const left = leftOf(path);
  if (left !== null) return goneError(path, left);
  return lstatSync(path, { throwIfNoEntry: false }) === undefined ? null : strayLinkError(path);
}

/** Finds the remains of a database that is gone: a write-ahead log with frames, or its seal; null if there was none. */
function leftOf(path: string): string | null {
  const log = statSync(`${path}-wal`, { throwIfNoEntry: false });
  if (log !== undefined && log.size > 0) return `${path}-wal`;
  return existsSync(sealPath(path)) ? sealPath(path) : null;
}
