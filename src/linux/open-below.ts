import { closeSync, constants, openSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { openRegularFile } from './files.js';

/** A path leads out of its directory. */
export class OutsideError extends Error {
  constructor(path: string, directory: string) {
    super(`${JSON.stringify(path)} is not below ${directory}`);
    this.name = 'OutsideError';
  }
}

/**
 * Opens a regular file below a directory to read it, and gives the descriptor. Each part of the path is opened by itself
 * below the one before, and none may be a symbolic link: whoever moves the parts meanwhile gains nothing. Throws the
 * errors of open(2), a NoRegularFileError, and an OutsideError.
 *
 * @param path relative to the directory, or absolute
 */
export function openBelow(directory: string, path: string): number {
  const parts = relative(directory, resolve(directory, path)).split('/');
  const [first = ''] = parts;
  if (first === '' || first === '..' || path.includes('\0')) throw new OutsideError(path, directory);
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  let parent = openSync(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  // As openat(2) does: a descriptor names the directory, wherever it is by now (proc(5), /proc/self/fd).
  const inParent = (part: string) => `/proc/self/fd/${parent}/${part}`;
  try {
    for (const part of parts.slice(0, -1)) {
      const next = openSync(inParent(part), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      closeSync(parent);
      parent = next;
    }
    return openRegularFile(inParent(parts.at(-1) ?? ''), 'links-refused');
  } finally {
    closeSync(parent);
  }
}
