import { isUtf8 } from 'node:buffer';
import { closeSync, fstatSync, lstatSync, readSync, type Stats, statSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { kindOf, NoRegularFileError, openRegularFile } from '../../linux/files.js';
import { errorMessage } from '../../text/failure-text.js';

/** A file or a directory of the other gateway can't be used. The message begins with its path. */
export class SourceError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SourceError';
  }
}

/** Largest file with a token, in bytes. */
const largestSecretBytes = 65_536;

/**
 * The directory of another gateway. Reads files of its owner and of root alone: regular ones, that not everybody may
 * write, behind no link, of a bounded size. Whoever makes one acts as the owner already (`asOwnerOf`).
 */
export class SourceDirectory {
  /** As the operator knows it. */
  readonly path: string;
  readonly #reachable: string;
  readonly #owner: number;

  /** @throws SourceError */
  constructor(path: string, reachable: string) {
    this.path = path;
    this.#reachable = reachable;
    this.#owner = process.geteuid?.() ?? -1;
    const stats = this.#look(path, () => statSync(reachable));
    if (stats?.isDirectory() !== true) throw new SourceError(`${path} is no directory`);
    if (stats.uid !== this.#owner) {
      throw new SourceError(`${path} belongs to UID ${stats.uid}: run the command as that user, or as root`);
    }
    checkMode(path, stats);
  }

  get owner(): number {
    return this.#owner;
  }

  /** The text of a file below the directory; null: it is not there. Throws a SourceError. */
  read(name: string, largestBytes: number): string | null {
    return this.#hasFolders(name)
      ? this.#readText(join(this.path, name), this.#at(name), largestBytes)
      : null;
  }

  /** The same of its bytes. */
  readBytes(name: string, largestBytes: number): Buffer | null {
    return this.withFile(name, largestBytes, (descriptor, size) => readUpTo(descriptor, size));
  }

  /** Opens a file below the directory for `use`, which gets its size in bytes; null: it is not there. Throws a SourceError. */
  withFile<Result>(
    name: string,
    largestBytes: number,
    use: (descriptor: number, size: number) => Result,
  ): Result | null {
    return this.#hasFolders(name)
      ? this.#withFile(join(this.path, name), this.#at(name), largestBytes, use)
      : null;
  }

  /** Changes with each change of the file that SQLite or an editor makes; null: it is not there. */
  stampOf(name: string): string | null {
    const stats = this.#look(join(this.path, name), () => lstatSync(this.#at(name), { bigint: true }));
    return stats === null ? null : `${stats.ino} ${stats.size} ${stats.mtimeNs}`;
  }

  has(name: string): boolean {
    return this.#look(join(this.path, name), () => lstatSync(this.#at(name))) !== null;
  }

  /**
   * The file of a token, wherever the other gateway has it; "~" is the directory that this one lies in. Throws a
   * SourceError.
   */
  readSecretFile(named: string): string {
    const path = named.startsWith('~/') ? join(dirname(this.path), named.slice(2)) : named;
    // It may be the token itself, by mistake.
    if (!isAbsolute(path)) throw new SourceError('the file of its token is not named by an absolute path');
    const text = this.#readText(path, path, largestSecretBytes);
    if (text === null) throw new SourceError(`${path} is not there`);
    return text.trim();
  }

  #at(name: string): string {
    return join(this.#reachable, name);
  }

  /** False: one of the folders on the way is not there. */
  #hasFolders(name: string): boolean {
    const folders: string[] = [];
    for (let folder = dirname(name); folder !== '.'; folder = dirname(folder)) folders.unshift(folder);
    for (const folder of folders) {
      const path = join(this.path, folder);
      const stats = this.#look(path, () => lstatSync(this.#at(folder)));
      if (stats === null) return false;
      if (!stats.isDirectory()) {
        throw new SourceError(`${path} is ${stats.isSymbolicLink() ? 'a symbolic link' : 'no directory'}`);
      }
      this.#check(path, stats);
    }
    return true;
  }

  #readText(path: string, reachable: string, largestBytes: number): string | null {
    return this.#withFile(path, reachable, largestBytes, (descriptor, size) => {
      const bytes = readUpTo(descriptor, size);
      if (!isUtf8(bytes)) throw new SourceError(`${path} is no text in UTF-8`);
      const text = bytes.toString();
      return text.startsWith('\ufeff') ? text.slice(1) : text;
    });
  }

  #withFile<Result>(
    path: string,
    reachable: string,
    largestBytes: number,
    use: (descriptor: number, size: number) => Result,
  ): Result | null {
    const descriptor = this.#look(path, () => openRegularFile(reachable, 'links-refused'));
    if (descriptor === null) return null;
    try {
      const stats = fstatSync(descriptor);
      this.#check(path, stats);
      if (stats.size > largestBytes) throw new SourceError(`${path} is larger than ${largestBytes} bytes`);
      return use(descriptor, stats.size);
    } finally {
      closeSync(descriptor);
    }
  }

  #check(path: string, stats: Stats): void {
    if (stats.uid !== this.#owner && stats.uid !== 0) {
      throw new SourceError(`${path} belongs to UID ${stats.uid}, and not to the owner of ${this.path}`);
    }
    checkMode(path, stats);
  }

  /** Null: nothing is there. */
  #look<Result>(path: string, look: () => Result): Result | null {
    try {
      return look();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return null;
      const reason =
        error instanceof NoRegularFileError ? error.message : `can't be read: ${errorMessage(error)}`;
      throw new SourceError(`${path} ${reason}`, { cause: error });
    }
  }
}

function checkMode(path: string, stats: Stats): void {
  if ((stats.mode & 0o002) === 0) return;
  const what = stats.isFile() ? 'file' : kindOf(stats).replace(/^a /, '');
  throw new SourceError(
    `everybody may write the ${what} ${path}, so anybody may have put people into it: run chmod o-w ${path} once you have looked at it`,
  );
}

/** A file that grows meanwhile is cut there. */
function readUpTo(descriptor: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let length = 0;
  while (length < size) {
    const read = readSync(descriptor, bytes, length, size - length, length);
    if (read === 0) break;
    length += read;
  }
  return bytes.subarray(0, length);
}
