import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { FileError } from './errors.js';

/** A file as stat(2) tells it from others. */
interface Identity {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** A file that this process has open. */
interface OpenFile {
  /** A way to it that needs no name of its own (proc(5)). */
  readonly descriptorPath: string;
  /** Its present name; null: it has none any more. */
  readonly name: string | null;
}

/** The kernel's mark behind the name of a file that was removed. */
const deleted = ' (deleted)';

/**
 * Watches that the open database and its log lie where the next start looks for them. SQLite goes on with a file that was
 * removed or moved, and nobody finds again what it writes there.
 */
export class HeldFiles {
  readonly #path: string;
  readonly #database: Identity | null;
  readonly #log: Identity | null;
  #trouble: FileError | null = null;

  /** Call it when both files are open. */
  constructor(path: string) {
    this.#path = path;
    this.#database = identityAt(path);
    this.#log = identityAt(`${path}-wal`);
  }

  /** True if its name leads to no file or to another one: it is neither copied into nor sealed. */
  get isDatabaseLost(): boolean {
    return !isAt(this.#path, this.#database);
  }

  /** Why nothing new may be written; null: both files are in their places. */
  trouble(): FileError | null {
    if (this.isDatabaseLost) this.#trouble ??= new FileError('lost', this.#adviceOnDatabase());
    else if (isAt(`${this.#path}-wal`, this.#log)) this.#trouble = null;
    else this.#trouble ??= new FileError('lost', adviceOnLog(this.#path));
    return this.#trouble;
  }

  #adviceOnDatabase(): string {
    const path = this.#path;
    const database = openFile(this.#database);
    const log = openFile(this.#log);
    const isTaken = identityAt(path) !== null;
    if (database !== null && database.name !== null) {
      const first = isTaken ? ', and another file lies in its place. Move that one away, and' : ':';
      return `The database ${path} was moved to ${database.name}${first} move it back with the files beside it. No restart is needed.`;
    }
    const copies = [[database, path] as const, [log, `${path}-wal`] as const].flatMap(([file, name]) =>
      file === null ? [] : [`cp -p ${file.descriptorPath} ${name}`],
    );
    const way =
      copies.length === 2
        ? `bring it back (${copies.join(' && ')}), and restart the gateway then`
        : 'copy it from the descriptors of the gateway (/proc/PID/fd)';
    const other = isTaken
      ? ` Another file lies in its place: move that one away before; or, to go on with it and lose what the gateway has, stop the gateway, remove ${path}-wal and start it.`
      : '';
    return `The database ${path} was removed. Only the gateway still has it, so don’t stop it before you ${way}.${other}`;
  }
}

function adviceOnLog(path: string): string {
  return `The write-ahead log ${path}-wal was removed or moved: restart the gateway, which copies what is in it into the database as it stops.`;
}

function identityAt(path: string): Identity | null {
  return statSync(path, { bigint: true, throwIfNoEntry: false }) ?? null;
}

/** True also where nobody can tell: a file in a directory that may not be searched is not lost. */
function isAt(path: string, identity: Identity | null): boolean {
  if (identity === null) return true;
  try {
    return isSame(identityAt(path), identity);
  } catch {
    return true;
  }
}

/** Finds what this process has open; null where its descriptors can't be seen, as without a /proc. */
function openFile(identity: Identity | null): OpenFile | null {
  try {
    for (const descriptor of readdirSync('/proc/self/fd')) {
      const link = `/proc/self/fd/${descriptor}`;
      // The descriptor that read the directory is closed by now.
      if (!isSame(identityAt(link), identity)) continue;
      const name = readlinkSync(link);
      const descriptorPath = `/proc/${process.pid}/fd/${descriptor}`;
      return { descriptorPath, name: name.endsWith(deleted) ? null : name };
    }
  } catch {
    // The advice does without.
  }
  return null;
}

function isSame(one: Identity | null, other: Identity | null): boolean {
  return one !== null && one.ino === other?.ino && one.dev === other.dev;
}
