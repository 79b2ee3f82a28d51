import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Something else lies in the place of a file. The message goes on after its name: "is a named pipe, no regular file". */
export class NoRegularFileError extends Error {
  constructor(
    readonly path: string,
    kind: string,
    options?: ErrorOptions,
  ) {
    super(`is ${kind}, no regular file`, options);
    this.name = 'NoRegularFileError';
  }
}

export type Links = 'links-followed' | 'links-refused';

/** Names what lies in the place of a file: "a directory". */
export function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a directory';
  if (stats.isFIFO()) return 'a named pipe';
  return stats.isSocket() ? 'a socket' : 'a device';
}

/**
 * Opens a file to read it, and gives the descriptor. Never waits, as open(2) of a named pipe does for a writer. Throws the
 * errors of open(2), and a NoRegularFileError.
 *
 * @param links whether the last part of the path may be a symbolic link
 */
export function openRegularFile(path: string, links: Links): number {
  const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants;
  const descriptor = openOrSay(path, O_RDONLY | O_NONBLOCK | (links === 'links-refused' ? O_NOFOLLOW : 0));
  const stats = fstatSync(descriptor);
  if (stats.isFile()) return descriptor;
  closeSync(descriptor);
  throw new NoRegularFileError(path, kindOf(stats));
}

function openOrSay(path: string, flags: number): number {
  try {
    return openSync(path, flags);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isLink = code === 'ELOOP' && (flags & constants.O_NOFOLLOW) !== 0;
    if (isLink) throw new NoRegularFileError(path, 'a symbolic link', { cause: error });
    if (code === 'ENXIO') throw new NoRegularFileError(path, 'a socket', { cause: error });
    throw error;
  }
}

/** Reads all of a file, opened as by `openRegularFile`. */
export function readRegularFile(path: string, links: Links): Buffer {
  const descriptor = openRegularFile(path, links);
  try {
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Throws a NoRegularFileError if something else lies there; opens nothing. */
export function checkRegularFile(path: string): void {
  let stats: Stats | undefined;
  try {
    stats = statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ELOOP') throw error;
    throw new NoRegularFileError(path, 'a symbolic link that leads round in a circle', { cause: error });
  }
  if (stats !== undefined && !stats.isFile()) throw new NoRegularFileError(path, kindOf(stats));
}

/** Has the disk keep what was written into the file (fsync(2)). */
function syncFile(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** So that a new name in it survives a power cut. */
export function syncDirectory(path: string): void {
  syncFile(path);
}

/** Gives a file that is whole its name, which survives a power cut no sooner than the file's content does. */
export function renameDurably(from: string, to: string): void {
  syncFile(from);
  renameSync(from, to);
  syncDirectory(dirname(to));
}

/**
 * Puts a file in its place whole or not at all, also through a loss of power: a file of another name in the same
 * directory, fsync(2), rename(2). Makes the directory if need be. Throws the errors of the file system.
 */
export function writeAtomically(path: string, text: string, mode: number): void {
  const directory = dirname(path);
  mkdirSync(directory, { recursive: true });
  // systemd reads no file whose name begins with a dot.
  const temporary = join(directory, `.${basename(path)}.${process.pid}`);
  try {
    const fd = openSync(temporary, 'wx', mode);
    try {
      // Whatever the umask is.
      fchmodSync(fd, mode);
      writeSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectory(directory);
}
