import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  lchownSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Database } from 'better-sqlite3';
import { renameDurably } from '../../../linux/files.js';
import { ArchiveError, type ArchiveItem } from '../../archive.js';
import { StoreError } from '../../store-error.js';
import type { AsCaller, Copied, Recovered } from '../../store-kind.js';
import { FileError, toStoreError } from '../file/errors.js';
import { checkFiles, checkHeader } from '../file/inspect.js';
import { openDatabase } from '../file/open-database.js';
import { readSeal } from '../file/seal.js';
import { checkLog, emptyDamagedCopied, type LogMark, mendLog } from '../file/write-ahead-log.js';
import { readArchive } from './archive-read.js';
import { ArchiveWriter, type Written } from './archive-write.js';
import { openDamaged } from './damaged-schema.js';
import { connectOffline, connectToPresent } from './offline.js';
import { attachmentsOf, type RunRow, type Salvage, salvage } from './salvage.js';

export { loadSqlite } from './offline.js';

/** Work on a database from outside of a gateway. Each function throws a StoreError. */

/** Longest wait for a lock of another process, in milliseconds. */
const busyTimeout = 10_000;

const suffixes = ['', '-wal', '-shm', '-seal'] as const;

/** Reads all of it. Gives its faults, a line each; no line: it is sound. */
export function checkStore(path: string): readonly string[] {
  try {
    if (!existsSync(path)) throw new StoreError('internal', `There is no database ${path}.`);
    checkHeader(path);
    const database = connectOffline(path, busyTimeout);
    try {
      const integrity = database
        .prepare<[], string>('PRAGMA integrity_check(20)')
        .pluck()
        .all()
        .filter((line) => line !== 'ok');
      if (integrity.length > 0) return integrity;
      const orphans = database
        .prepare<[], { table: string; rowid: number }>('PRAGMA foreign_key_check')
        .all();
      return orphans.map(({ table, rowid }) => `row ${rowid} of ${table} belongs to nothing`);
    } finally {
      database.close();
    }
  } catch (error) {
    const failure = toStoreError(error, path);
    if (failure.reason === 'corrupt') return [failure.message];
    throw failure;
  }
}

/** Copies it to a file, while the gateway runs or not; the file is there when it is whole and on disk, or not at all. */
export async function backUpStore(
  path: string,
  target: string,
  asCaller: AsCaller = (work) => work(),
): Promise<Copied> {
  if (existsSync(target)) throw new StoreError('internal', `${target} is there already: name another file.`);
  const unfinished = `${target}.part`;
  try {
    const database = connectToPresent(path, busyTimeout);
    let copied: Copied;
    try {
      // Reads one state to the end: else each commit of the gateway has the copy begin anew
      // (https://www.sqlite.org/c3ref/backup_finish.html), and that of a busy one never ends.
      database.exec('BEGIN');
      copied = countsOf(database);
      await asCaller(async () => {
        // One that was cut off may have left it.
        rmSync(unfinished, { force: true });
        // For nobody else, from its first byte on.
        closeSync(openSync(unfinished, 'wx', 0o600));
        await database.backup(unfinished);
      });
    } finally {
      database.close();
    }
    asCaller(() => renameDurably(unfinished, target));
    return copied;
  } catch (error) {
    asCaller(() => {
      for (const suffix of ['', '-wal', '-shm', '-journal']) {
        rmSync(`${unfinished}${suffix}`, { force: true });
      }
    });
    if (isFileError(error)) throw error;
    const failure = toStoreError(error, path);
    // The failure is the copy's.
    throw failure.reason === 'corrupt' ? failure : asCaller(() => toStoreError(error, target));
  }
}

function countsOf(database: Database): Copied {
  const counts = database.prepare<[], Copied>(
    'SELECT (SELECT count(*) FROM sessions) AS sessions, (SELECT count(*) FROM messages) AS messages',
  );
  return counts.get() ?? { sessions: 0, messages: 0 };
}

/** Has `write` take all that it holds, at its own pace: no snapshot is held meanwhile (see readArchive). */
export async function exportStore(
  path: string,
  write: (items: Iterable<ArchiveItem>) => Promise<void>,
): Promise<Copied> {
  try {
    const database = connectToPresent(path, busyTimeout);
    const counts = { session: 0, message: 0, blob: 0, record: 0 };
    function* counted(): Generator<ArchiveItem> {
      for (const item of readArchive(database)) {
        counts[item.type] += 1;
        yield item;
      }
    }
    try {
      await write(counted());
      return { sessions: counts.session, messages: counts.message };
    } finally {
      database.close();
    }
  } catch (error) {
    // The failure is that of the written file, not of the database.
    if (isFileError(error)) throw error;
    throw error instanceof Error && 'code' in error ? toStoreError(error, path) : error;
  }
}

/** Adds all items, or none. To be called while no gateway has the database. */
export async function importToStore(
  path: string,
  items: AsyncIterable<ArchiveItem> | Iterable<ArchiveItem>,
  /** Told of each item that does not go with the others; without it none is taken then. */
  onRefused?: (item: ArchiveItem, reason: string) => void,
): Promise<Written> {
  try {
    const isNew = !existsSync(path);
    const { database } = openDatabase({ path, busyTimeout, progress: () => {}, warn: () => {} });
    try {
      giveTo(path, statSync(isNew ? dirname(path) : path));
      database.exec('BEGIN IMMEDIATE');
      const writer = new ArchiveWriter(database);
      const write = (item: ArchiveItem) => writer.write(item);
      const writeAlone = database.transaction(write);
      for await (const item of items) {
        if (onRefused === undefined) write(item);
        else
          tryToWrite(
            () => writeAlone(item),
            (reason) => onRefused(item, reason),
          );
      }
      const written = writer.finish();
      database.exec('COMMIT');
      return written;
    } finally {
      if (database.inTransaction) database.exec('ROLLBACK');
      database.close();
    }
  } catch (error) {
    throw error instanceof Error && 'code' in error ? toStoreError(error, path) : error;
  }
}

/**
 * True if there is nothing to recover: the database is sound, and its log reaches as far as it had been synced. False if
 * that can't be seen: the recovery says why.
 */
export function isSound(path: string): boolean {
  try {
    return checkStore(path).length === 0 && reaches(path, readSeal(path).log);
  } catch {
    return false;
  }
}

/**
 * Puts what can still be read into a new database in its place; the damaged files are kept aside. To be called while no
 * gateway has the database. Where nothing can be read all is left as it was.
 */
export async function recoverStore(path: string, stamp: string): Promise<Recovered> {
  const copy = `${path}-recovering`;
  const fresh = `${path}-recovered`;
  const aside = `${path}.damaged-${stamp}`;
  const clean = () => {
    for (const place of [copy, fresh]) {
      for (const suffix of suffixes) rmSync(place + suffix, { force: true });
    }
  };
  try {
    if (!existsSync(path)) throw new StoreError('internal', `There is no database ${path}.`);
    checkFiles(path);
    refuseNewer(path);
    clean();
    // Whoever owns the directory must not have root write elsewhere through a link.
    copyFileSync(path, copy, constants.COPYFILE_EXCL);
    if (existsSync(`${path}-wal`)) copyFileSync(`${path}-wal`, `${copy}-wal`, constants.COPYFILE_EXCL);
    const lostFrames = mendCopy(path, copy);
    const database = openDamaged(copy, busyTimeout);
    let saved: Saved;
    try {
      saved = await saveTo(fresh, salvage(database), path);
    } finally {
      database.close();
    }
    const { written, lost, remade, expected } = saved;
    giveTo(fresh, statSync(path));
    const move = (suffix: string) => {
      if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
    };
    for (const suffix of ['', '-wal', '-shm']) move(suffix);
    renameDurably(fresh, path);
    // The last: a start in between, after a power cut say, must not take the store for one that never was.
    move('-seal');
    clean();
    const missing = expected === null ? null : Math.max(0, expected - written.messages - lost.length);
    return { ...written, lost: [...lostFrames, ...lost, ...remade], missing, aside };
  } catch (error) {
    clean();
    throw error instanceof Error && 'code' in error ? toStoreError(error, path) : error;
  }
}

/** Lets SQLite read all that is left of the log. Gives what is not, for the operator: a line or none. */
function mendCopy(path: string, copy: string): readonly string[] {
  const { log } = readSeal(path);
  emptyDamagedCopied(copy, log);
  if (log === null || reaches(path, log)) return [];
  const bad = mendLog(copy, log);
  return [
    `what ${bad} of the ${log.frames} pages in the write-ahead log had, which are damaged or gone: the last messages, or what became of them`,
  ];
}

function reaches(path: string, mark: LogMark | null): boolean {
  try {
    checkLog(path, mark, true);
    return true;
  } catch (error) {
    if (error instanceof FileError && error.kind === 'damaged') return false;
    throw error;
  }
}

interface Saved {
  readonly written: Written;
  readonly lost: readonly string[];
  readonly remade: readonly string[];
  readonly expected: number | null;
}

/** Writes what was found to a new database. */
async function saveTo(fresh: string, found: Salvage, path: string): Promise<Saved> {
  const { sessions, messages, records, blobs, expected } = found;
  const lost = [...found.lost];
  const remade = [...found.remade];
  // One that never had a message is whole without any.
  if (sessions.length === 0 && expected !== 0) {
    throw new FileError(
      'damaged',
      `Nothing can be read of the database ${path}; it was left as it is. Restore a backup, or move it and ${path}-seal away to begin anew.`,
    );
  }
  /** Bytes that were found of each file. */
  const sizes = new Map<string, number>();
  function* items(): Generator<ArchiveItem> {
    yield* sessions;
    yield* messages;
    for (const blob of blobs) {
      sizes.set(blob.id, (sizes.get(blob.id) ?? 0) + Buffer.byteLength(blob.data, 'base64'));
      yield blob;
    }
    yield* records;
  }
  const written = await importToStore(fresh, items(), (item, reason) => {
    if (item.type === 'message') lost.push(`message ${item.id}, ${item.seq} of "${item.session}": ${reason}`);
    else if (item.type === 'record') remade.push(`the record of the kind ${item.kind}: ${reason}`);
  });
  writeRuns(fresh, found.runs);
  for (const message of messages) {
    for (const { id, name, size } of attachmentsOf(message)) {
      if ((sizes.get(id) ?? -1) === size) continue;
      remade.push(`the file ${JSON.stringify(name)} of the message ${message.id}, or a part of it`);
    }
  }
  return { written, lost, remade, expected };
}

/** They are no part of an archive: another gateway has runs of its own. */
function writeRuns(path: string, runs: readonly RunRow[]): void {
  const database = connectToPresent(path, busyTimeout);
  try {
    const insert = database.prepare<[Buffer, string]>(
      'INSERT OR IGNORE INTO runs (id, record) VALUES (?, ?)',
    );
    database.transaction(() => {
      for (const { id, record } of runs) insert.run(id, record);
    })();
  } finally {
    database.close();
  }
}

/** Writes, and calls `refused` if a value or its place is one that no message can have. */
function tryToWrite(write: () => void, refused: (reason: string) => void): void {
  try {
    write();
  } catch (error) {
    const { code = '', message = '' } = error as { readonly code?: string; readonly message?: string };
    if (!(error instanceof ArchiveError) && !code.startsWith('SQLITE_CONSTRAINT')) throw error;
    refused(message);
  }
}

/** Refuses a newer schema: this program would lose what it doesn't know. Other damage of the header is no reason. */
function refuseNewer(path: string): void {
  try {
    checkHeader(path);
  } catch (error) {
    if (error instanceof FileError && error.kind === 'newer-schema') throw error;
  }
}

function isFileError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

/**
 * A gateway with a user of its own has to be able to write it, and what lies beside it. That user can put links there,
 * which must not have root give away what they point to.
 */
function giveTo(path: string, { uid, gid }: { readonly uid: number; readonly gid: number }): void {
  if (process.geteuid?.() !== 0) return;
  for (const suffix of suffixes) if (existsSync(path + suffix)) lchownSync(path + suffix, uid, gid);
}
