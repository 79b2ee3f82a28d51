import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { kindOf, NoRegularFileError, openRegularFile } from './files.js';

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
  return inParent(directory, path, (file) => openRegularFile(file, 'links-refused'));
}

/** Opens a regular file in the same way to write it, from its beginning. Makes it for its owner alone if there is none. */
export function openBelowToWrite(directory: string, path: string): number {
  const { O_WRONLY, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  return inParent(directory, path, (file) => {
    const descriptor = openSync(file, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
    const stats = fstatSync(descriptor);
    if (stats.isFile()) return descriptor;
    closeSync(descriptor);
    throw new NoRegularFileError(path, kindOf(stats));
  });
}

/** Calls `open` with a path to the file by its directory's descriptor, wherever that directory is by now. */
function inParent(directory: string, path: string, open: (file: string) => number): number {
  const parts = relative(directory, resolve(directory, path)).split('/');
  const [first = ''] = parts;
  if (first === '' || first === '..' || path.includes('\0')) throw new OutsideError(path, directory);
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  let parent = openSync(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  // As openat(2) does (proc(5), /proc/self/fd). The kernel lets a process do so whatever PR_SET_DUMPABLE says.
  const below = (part: string) => `/proc/self/fd/${parent}/${part}`;
  try {
    for (const part of parts.slice(0, -1)) {
      const next = openSync(below(part), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      closeSync(parent);
      parent = next;
    }
    return open(below(parts.at(-1) ?? ''));
  } finally {
    closeSync(parent);
  }
}
