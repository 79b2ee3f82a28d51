import { closeSync, constants, fchmodSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { createTar } from 'nanotar';

export interface ArchivedFile {
  readonly name: string;
  readonly text: string;
}

/** The files below one directory, as a .tar.gz that names no user of this machine. */
export function archiveOf(directory: string, files: readonly ArchivedFile[]): Buffer {
  const attrs = { uid: 0, gid: 0, mode: '600', mtime: Date.now() };
  return gzipSync(
    createTar(files.map(({ name, text }) => ({ name: `${directory}/${name}`, data: text, attrs }))),
  );
}

/**
 * Writes a file for its owner alone. Overwrites nothing, and follows no link. Throws the errors of the file system; the
 * file is not there then.
 */
export function writeNewFile(path: string, content: Uint8Array): void {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const descriptor = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    // Whatever the umask is.
    fchmodSync(descriptor, 0o600);
    for (let at = 0; at < content.length; ) at += writeSync(descriptor, content, at);
    fsyncSync(descriptor);
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
}
