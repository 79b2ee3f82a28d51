import { statSync } from 'node:fs';
import { readLockHolders } from '../../../linux/file-lock.js';
import { processName } from '../../../linux/process.js';
import type { StoreLog } from '../../store-kind.js';
import { describeReaders } from '../../store-log.js';
import { FileError } from './errors.js';

/** A write-ahead log that somebody keeps from being emptied: a reader needs its pages as they were. */

/** The log's bound, in bytes. */
const longestLogBytes = 1024 ** 3;

/** Free bytes beyond those that the log will take in the database: for the ends of what was accepted. */
const reservedBytes = 8 * 1024 * 1024;

export interface LogRoom {
  readonly logBytes: number;
  /** By so much the database grows once it has taken the log in. */
  readonly growthBytes: number;
  /** Free bytes of the file system; null if it doesn't say. */
  readonly freeBytes: number | null;
}

/** True if no more may be added: the disk has to have the room in which the log is taken in, or it stays full for good. */
export function isLogFull({ logBytes, growthBytes, freeBytes }: LogRoom): boolean {
  return logBytes >= longestLogBytes || (freeBytes !== null && freeBytes < growthBytes + reservedBytes);
}

/** Bytes of the shared-memory file that readers lock (https://www.sqlite.org/walformat.html, section 2.3.1). */
const readLocks = { first: 123, last: 127 } as const;

/** Other processes that hold a snapshot of the database; none where the kernel doesn't show them. */
function databaseReaders(path: string): StoreLog['readers'] {
  return readLockHolders(`${path}-shm`, readLocks)
    .filter((pid) => pid !== process.pid)
    .map((pid) => ({ pid, command: processName(pid) }));
}

/** The size from which on a log is longer than any without a reader, in bytes. */
const longLogBytes = 32 * 1024 * 1024;

/** The log of a database that is open or not. Throws the errors of stat(2). */
export function logState(path: string): StoreLog {
  const sizeBytes = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  return { sizeBytes, isLong: sizeBytes >= longLogBytes, readers: databaseReaders(path) };
}

export function logFullError(path: string, logBytes: number): FileError {
  const size = `${Math.ceil(logBytes / 1024 ** 2)} MiB`;
  return new FileError(
    'full',
    `The write-ahead log ${path}-wal has ${size}, and there is no room for more of it. It can't be emptied because of ${describeReaders(databaseReaders(path))}: end that, or make room on its file system. What was accepted before is safe.`,
  );
}
