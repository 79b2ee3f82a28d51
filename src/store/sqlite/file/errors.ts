import { existsSync } from 'node:fs';
import type { NoRegularFileError } from '../../../linux/files.js';
import { errorMessage } from '../../../text/failure-text.js';
import { StoreError, type StoreErrorOptions, type StoreFailure } from '../../store-error.js';
import { codeOf, isFull, writeFailure } from './disk.js';
import { sqlitePackage } from './open-sqlite.js';

/** Faults of a database that is a file. */
type Kind =
  | 'full'
  | 'read-only'
  | 'input-output'
  | 'lost'
  | 'damaged'
  | 'locked'
  | 'newer-schema'
  | 'foreign'
  | 'not-built'
  | 'internal';

/** For the callers of the store, who know no files. After a failed disk nobody knows what is on it: a key makes it safe. */
const reported: Readonly<Record<Kind, StoreErrorOptions & { readonly reason: StoreFailure }>> = {
  full: { reason: 'full', errno: 'ENOSPC' },
  'read-only': {
    reason: 'unavailable',
    errno: 'EROFS',
    detail: 'The file system of the store, or its file, can’t be written. Nothing was accepted.',
  },
  'input-output': {
    reason: 'unavailable',
    errno: 'EIO',
    detail:
      'The disk of the store failed. Nothing was accepted for sure: send it again with the same Idempotency-Key.',
  },
  locked: {
    reason: 'unavailable',
    detail: 'Another process keeps the store locked. Nothing was accepted.',
  },
  lost: {
    reason: 'unavailable',
    errno: 'ENOENT',
    detail: 'The file of the store was removed or moved. Nothing was accepted.',
  },
  damaged: { reason: 'corrupt' },
  'newer-schema': { reason: 'refused' },
  foreign: { reason: 'refused' },
  'not-built': { reason: 'refused' },
  internal: { reason: 'internal' },
};

/** A failure of the database's file. */
export class FileError extends StoreError {
  constructor(
    readonly kind: Kind,
    message: string,
    options: ErrorOptions = {},
  ) {
    const { reason, ...rest } = reported[kind];
    super(reason, message, { ...rest, ...options });
  }
}

/** The kernel no longer has what a failed sync had to write: the store has to be opened anew. */
export class LostWritesError extends FileError {
  constructor(path: string) {
    super(
      'input-output',
      `A sync of ${path}-wal has failed, and the kernel has dropped what it had to write: look for errors of the disk in its log (journalctl -k). What was answered is safe. The next start goes on from there.`,
    );
  }
}

/** Primary result codes of SQLite (https://www.sqlite.org/rescode.html) and errno names that say why. */
const kinds: readonly (readonly [prefix: string, kind: Kind])[] = [
  ['SQLITE_FULL', 'full'],
  ['ENOSPC', 'full'],
  ['EDQUOT', 'full'],
  ['SQLITE_READONLY', 'read-only'],
  ['SQLITE_CANTOPEN', 'read-only'],
  ['SQLITE_PERM', 'read-only'],
  ['EROFS', 'read-only'],
  ['EACCES', 'read-only'],
  ['EPERM', 'read-only'],
  ['ENOENT', 'read-only'],
  ['ENOTDIR', 'read-only'],
  ['EISDIR', 'read-only'],
  ['SQLITE_IOERR', 'input-output'],
  ['EIO', 'input-output'],
  ['SQLITE_CORRUPT', 'damaged'],
  ['SQLITE_NOTADB', 'damaged'],
  ['SQLITE_BUSY', 'locked'],
  ['SQLITE_LOCKED', 'locked'],
  ['ERR_DLOPEN_FAILED', 'not-built'],
];

/** Messages of a plain SQLITE_ERROR that a statement of this program meets only if the schema's text is damaged. */
const schemaFault = /^no such |^table .* has no column|syntax error|^unrecognized token|^incomplete input/;

/** The message of `bindings` when it has looked everywhere; it gives no code. */
const notFound = 'Could not locate the bindings file';

/** Each package of SQLite (open-sqlite.ts) is mended in its own way. */
const notBuilt =
  sqlitePackage === 'better-sqlite3'
    ? 'SQLite’s native module (better-sqlite3) can’t be loaded. It is installed with binaries for x86-64 and arm64, with glibc or musl. Install sd-gateway again; for another processor, run "npm explore better-sqlite3 -- npm run build-release" where it is installed, which needs a C++ compiler, make and python3.'
    : 'SQLite’s native module (better-sqlite3-12) is not built for this Node.js, as after an install without scripts or a change of Node.js. Run "npm rebuild better-sqlite3-12 --ignore-scripts=false" where sd-gateway is installed, or install it again; a build needs a C++ compiler, make and python3. With Node.js 22.14 or later there is nothing to build.';

function advice(kind: Kind, path: string): string {
  switch (kind) {
    case 'full':
      return `There is no room for the database ${path}: free space on its file system (df "${path}") or raise the quota. What was accepted before is safe.`;
    case 'read-only':
      return `The database ${path} can't be opened for writing: check the owner and mode of the file and its directory, and that the file system is mounted read-write.`;
    case 'input-output':
      return `The disk under the database ${path} failed: look for its errors in the kernel's log (journalctl -k).`;
    case 'damaged':
      return damagedAdvice(path);
    case 'locked':
      return `Another process holds a lock on the database ${path}: find it with "fuser ${path}" and end it.`;
    case 'not-built':
      return notBuilt;
    default:
      return `The store failed on ${path}.`;
  }
}

/** Advice about a database that can't be trusted. */
export function damagedAdvice(path: string): string {
  return (
    `The database ${path} is damaged; it was left as it is. Restore a backup; or salvage what is readable: ` +
    `"sd-gateway store recover" (with the --instance, --user or --system of this gateway), which keeps the damaged files aside.`
  );
}

/** For a database that is gone though the gateway made one. `left`: what lies there of it. */
export function goneError(path: string, left: string): StoreError {
  // Made by a recovery that was cut off when it had moved the damaged one aside.
  const recovered = `${path}-recovered`;
  // SQLite would write into any other database what the log has of this one.
  const withoutLog = existsSync(`${path}-wal`) ? `move ${path}-wal away and ` : '';
  const remains = [`${path}-wal`, `${path}-seal`].filter((file) => existsSync(file)).join(' and ');
  const back = existsSync(recovered)
    ? `${withoutLog}rename ${recovered} to ${path}, which ends the recovery that was cut off`
    : 'put it back';
  return new FileError(
    'damaged',
    `The database ${path} is gone, but ${left} is there: ${back}; or ${withoutLog}restore a backup; or, to begin with an empty one, move ${remains} away.`,
  );
}

/** For a link where the database should be: its file system is not mounted, say. */
export function strayLinkError(path: string): StoreError {
  return new FileError(
    'damaged',
    `The database ${path} is a symbolic link to a file that is not there: mount what it points to, or put the database back; or, to begin with an empty one, remove the link.`,
  );
}

/** Explains that a named pipe, a directory or the like lies in the place of a file of the database. */
export function irregularError({ path, message }: NoRegularFileError): StoreError {
  return new FileError('foreign', `${path} ${message}: move it away. Nothing was changed.`);
}

/** Explains why the seal isn't written: a link leads to another file, and a pipe keeps nothing. */
export function strayAtSeal(seal: string, kind: 'symbolic link' | 'named pipe'): StoreError {
  return new FileError(
    'read-only',
    `${seal} is a ${kind}: remove it. The next start checks the whole database and makes a new one.`,
  );
}

/** For a disk with too little room to go on. */
export function fullError(path: string): FileError {
  return new FileError('full', advice('full', path));
}

/** Whatever was thrown, as a StoreError with what happened, where, and what to do. */
export function toStoreError(error: unknown, path: string): StoreError {
  if (error instanceof StoreError) return error;
  const code = codeOf(error);
  const detail = errorMessage(error);
  // Nothing but SQLite is looked for by its name (open-sqlite.ts).
  if (detail.startsWith(notFound) || code === 'MODULE_NOT_FOUND') {
    return new FileError('not-built', advice('not-built', path), { cause: error });
  }
  const isSchemaFault = code === 'SQLITE_ERROR' && schemaFault.test(detail);
  const named = isSchemaFault
    ? 'damaged'
    : (kinds.find(([prefix]) => code.startsWith(prefix))?.[1] ?? 'internal');
  const kind = named === 'input-output' ? kindOfDisk(path) : named;
  // The message of a system call begins with its code.
  const known = code === '' || detail.startsWith(`${code}:`) ? detail : `${code}: ${detail}`;
  return new FileError(kind, `${advice(kind, path)} (${known})`, { cause: error });
}

/** True for an error of SQLite behind which writes may be gone that it takes for made. */
export function mayHaveLostWrites(error: unknown): boolean {
  const cause = error instanceof StoreError ? error.cause : error;
  return codeOf(cause).startsWith('SQLITE_IOERR');
}

/** A StoreError in a form that crosses threads. */
export interface PostedFailure {
  readonly reason: StoreFailure;
  readonly message: string;
  readonly detail?: string | undefined;
  readonly errno?: string | undefined;
}

export function toFailure({ reason, message, detail, errno }: StoreError): PostedFailure {
  return { reason, message, detail: detail ?? undefined, errno: errno ?? undefined };
}

/**
 * SQLite calls it an I/O error where a shared-memory file finds no room, a quota is used up, or a file system has become
 * read-only.
 */
function kindOfDisk(path: string): Kind {
  if (isFull(path)) return 'full';
  const code = writeFailure(path);
  return kinds.find(([prefix]) => prefix === code)?.[1] ?? 'input-output';
}

/** True for an error of the database or its disk, which the rest of a transaction would meet as well. */
export function endsTransaction(error: StoreError): boolean {
  return error.reason !== 'internal' && error.reason !== 'bad-cursor';
}
