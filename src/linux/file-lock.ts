import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, statSync } from 'node:fs';
import { SystemCallError } from './errors.js';
import { kindOf, NoRegularFileError } from './files.js';
import { failure, native } from './native.js';

export type FileLock =
  /** Held until `release` or the end of the process, however that ends: the kernel frees it. */
  | { readonly locked: true; release(): void }
  /** `holderPid`: null when the kernel doesn't tell, or it is outside this PID namespace. */
  | { readonly locked: false; readonly holderPid: number | null };

/** flock(2). */
const LOCK_EX = 2;
const errnoWouldBlock = 11;

interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** The numbers of a device, as gnu_dev_major(3) splits them. */
function deviceNumbers(device: bigint): { readonly major: bigint; readonly minor: bigint } {
  return {
    major: ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n),
    minor: (device & 0xffn) | ((device >> 12n) & 0xffffff00n),
  };
}

/**
 * Finds the holder of the flock(2) lock of a file in the text of /proc/locks (proc_locks(5)). Returns null if it
 * doesn't say, as for a holder outside this PID namespace.
 */
export function lockHolder(locks: string, file: FileIdentity): number | null {
  const { major, minor } = deviceNumbers(file.dev);
  for (const line of locks.split('\n')) {
    const match = /^\d+: FLOCK\s+\S+\s+\S+\s+(-?\d+)\s+([\da-f]+):([\da-f]+):(\d+)\s/.exec(line);
    if (match === null) continue;
    const [, pid = '', lineMajor = '', lineMinor = '', inode = ''] = match;
    if (
      BigInt(`0x${lineMajor}`) !== major ||
      BigInt(`0x${lineMinor}`) !== minor ||
      BigInt(inode) !== file.ino
    ) {
      continue;
    }
    return Number(pid) > 0 ? Number(pid) : null;
  }
  return null;
}

/** Bytes of a file, both ends included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** Finds the holders of shared fcntl(2) locks that begin in those bytes of a file, in the text of /proc/locks. */
export function sharedLockHolders(
  locks: string,
  file: FileIdentity,
  { first, last }: ByteRange,
): readonly number[] {
  const { major, minor } = deviceNumbers(file.dev);
  const pids = new Set<number>();
  for (const line of locks.split('\n')) {
    const match = /^\d+: POSIX\s+\S+\s+READ\s+(\d+)\s+([\da-f]+):([\da-f]+):(\d+)\s+(\d+)\s/.exec(line);
    if (match === null) continue;
    const [, pid = '', lineMajor = '', lineMinor = '', inode = '', start = ''] = match;
    const isFile =
      BigInt(`0x${lineMajor}`) === major && BigInt(`0x${lineMinor}`) === minor && BigInt(inode) === file.ino;
    if (isFile && Number(pid) > 0 && Number(start) >= first && Number(start) <= last) pids.add(Number(pid));
  }
  return [...pids];
}

/** The same for the file at `path`; none where the kernel doesn't show it. Throws the errors of stat(2). */
export function readLockHolders(path: string, range: ByteRange): readonly number[] {
  const file = statSync(path, { bigint: true, throwIfNoEntry: false });
  return file === undefined ? [] : sharedLockHolders(readLocks(), file, range);
}

/** Empty where the kernel doesn't show it (`ProcSubset=pid`). */
function readLocks(): string {
  try {
    return readFileSync('/proc/locks', 'utf8');
  } catch {
    return '';
  }
}

function isStillAt(path: string, file: FileIdentity): boolean {
  const now = statSync(path, { bigint: true, throwIfNoEntry: false });
  return now !== undefined && now.dev === file.dev && now.ino === file.ino;
}

/**
 * Locks the file at `path` for this process alone (flock(2)), without waiting. Makes the file if need be, mode 0600,
 * and leaves it there: removing it would let two processes hold a lock on two files of one name. Throws what open(2)
 * fails with, a `NoRegularFileError` if something else lies there, and `SystemCallError` where locks don't work.
 */
export function tryLock(path: string): FileLock {
  const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  while (true) {
    // Node opens with O_CLOEXEC: a child can't keep the lock alive.
    const fd = openLockFile(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK);
    const file = fstatSync(fd, { bigint: true });
    const result = native().flock(fd, LOCK_EX);
    if (result < 0) {
      closeSync(fd);
      if (result === -errnoWouldBlock) {
        return { locked: false, holderPid: lockHolder(readLocks(), file) };
      }
      throw new SystemCallError(`Could not lock ${path}`, failure(result));
    }
    if (isStillAt(path, file)) {
      let held = true;
      const release = () => {
        if (held) closeSync(fd);
        held = false;
      };
      return { locked: true, release };
    }
    // Somebody removed the file between our open and our lock: what we hold keeps nobody out.
    closeSync(fd);
  }
}

function openLockFile(path: string, flags: number): number {
  let descriptor: number;
  try {
    descriptor = openSync(path, flags, 0o600);
  } catch (error) {
    // A link in its place, a directory and a socket can't be opened so, each with an error of its own.
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined || stats.isFile()) throw error;
    const kind = stats.isSymbolicLink() ? 'a symbolic link' : kindOf(stats);
    throw new NoRegularFileError(path, kind, { cause: error });
  }
  const stats = fstatSync(descriptor);
  if (stats.isFile()) return descriptor;
  closeSync(descriptor);
  throw new NoRegularFileError(path, kindOf(stats));
}
