import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname } from 'node:path';

/** After a full disk, new work is taken again once so much is free, in bytes: a message of the usual largest size. */
export const resumeFreeBytes = 1024 * 1024;

/** Below it nothing can be written, in bytes: a region of the shared-memory file (https://www.sqlite.org/walformat.html). */
const minFreeBytes = 32 * 1024;

/** Free bytes for this user on the database's file system; null if it doesn't say. */
export function freeBytes(path: string): number | null {
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
  return (freeBytes(path) ?? resumeFreeBytes) >= resumeFreeBytes;
}

export function isFull(path: string): boolean {
  return (freeBytes(path) ?? minFreeBytes) < minFreeBytes;
}

/** The name of a system call's errno(3), or else the code of the error; "" if it has none. */
export function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const { errno, code }: NodeJS.ErrnoException = error;
  // Node has no name for that one, and says "Unknown system error -122".
  if (errno === -constants.errno.EDQUOT) return 'EDQUOT';
  return typeof code === 'string' ? code : '';
}

/** Why a page can't be written beside the database, as the name of an errno(3), such as "EDQUOT"; null: it can. */
export function writeFailure(path: string): string | null {
  const probe = `${path}-probe`;
  try {
    // One that was cut off may have left it.
    rmSync(probe, { force: true });
    writeFileSync(probe, Buffer.alloc(4_096, 1), { flag: 'wx', mode: 0o600, flush: true });
    return null;
  } catch (error) {
    return codeOf(error);
  } finally {
    try {
      rmSync(probe, { force: true });
    } catch {
      // The failure that led here is the one to be told.
    }
  }
}
