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

function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
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
