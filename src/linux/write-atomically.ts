import {
  closeSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Has the disk keep what was written into the file (fsync(2)). */
export function syncFile(path: string): void {
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
