import { accessSync, constants, statfsSync } from 'node:fs';
import { dirname } from 'node:path';

/** After a full disk, new work is taken again once so much is free, in bytes: a message of the usual largest size. */
const enough = 1024 * 1024;

/** Below it nothing can be written, in bytes: a region of the shared-memory file (https://www.sqlite.org/walformat.html). */
const least = 32 * 1024;

/** What is free for this user on the file system of the database, in bytes; null: it doesn't say. */
function freeBytes(path: string): number | null {
  try {
    const { bavail, bsize, blocks } = statfsSync(dirname(path));
    // Some network file systems tell neither.
    return blocks === 0 ? null : bavail * bsize;
  } catch {
    // The failure that led here is the one to be told.
    return null;
  }
}

export function hasRoom(path: string): boolean {
  return (freeBytes(path) ?? enough) >= enough;
}

export function isFull(path: string): boolean {
  return (freeBytes(path) ?? least) < least;
}

/** Whether the file system was mounted, or remounted by the kernel after an error, for reading only. */
export function isReadOnly(path: string): boolean {
  try {
    accessSync(dirname(path), constants.W_OK);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EROFS';
  }
}
