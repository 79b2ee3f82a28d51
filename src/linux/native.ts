import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { getSystemErrorMap } from 'node:util';
import { errorMessage } from '../text/failure-text.js';
import { NativeAddonError, type SystemCallFailure } from './errors.js';

/** The addon's queue: number of waiting datagrams, number of failed ones so far, the last failure's errno or 0. */
export type NativeQueue = readonly [waiting: number, failed: number, errno: number];

/**
 * Exports of the addon besides the signals: the system calls, under their C names (native/). A negative number is a
 * negative errno. `NOTIFY_SOCKET` is read from the process's own environment. `process.env` is that environment in
 * the main thread only.
 */
export interface NativeCore {
  /**
   * sd_notify(3) of `state` with `status` behind it: 1 sent, 2 queued, 0 without NOTIFY_SOCKET; -EILSEQ unless the
   * status is one line of printable ASCII which fits into a message.
   */
  sd_notify(state: string, status: string): number;
  sd_pid_notify_with_fds(pid: number, state: string, fds: readonly number[]): number;
  sd_notify_queue(): NativeQueue;
  /**
   * The read end of a pipe, which is the caller's to close; 0 without NOTIFY_SOCKET. It hangs up once the manager has
   * taken in all that was sent before, after one byte, an errno, where the barrier could not be sent after all.
   */
  sd_notify_barrier(): number;
  /** A datagram socket at an address as `NOTIFY_SOCKET` has it, which is the caller's to close. */
  datagram_bind(address: string): number;
  /** The next datagram, without ever waiting; -EAGAIN if there is none. Its descriptors are the caller's to close. */
  datagram_receive(
    fd: number,
  ): readonly [text: string, pid: number, uid: number, gid: number, ...descriptors: number[]] | number;
  getppid(): number;
  /** The inode of this process's pidfd, which no later process has; -EOPNOTSUPP before Linux 6.9. */
  pidfd_inode(): bigint | number;
  /** FD_CLOEXEC of fcntl(2). */
  set_close_on_exec(fd: number): number;
  /** Has the signal that ends this process by a fault or an abort(3) written to the file, as two digits. */
  note_fatal_signals(fd: number): number;
  /** _exit(2). */
  _exit(status: number): never;
  /** With O_CLOEXEC. Both ends are the caller's to close. */
  pipe2(): readonly [read: number, write: number] | number;
  /** Lowers the soft RLIMIT_NOFILE of prlimit(2), of a process of this user's. */
  prlimit_nofile(pid: number, soft: number): number;
  /** PR_SET_CHILD_SUBREAPER of prctl(2): 0 or 1. */
  set_child_subreaper(subreaper: number): number;
  /** PR_SET_DUMPABLE of prctl(2): 0 or 1. */
  set_dumpable(dumpable: number): number;
  /** getxattr(2); -ENODATA: the file has no such attribute. */
  getxattr(path: string, name: string): string | number;
  /** flock(2), without ever waiting. */
  flock(fd: number, operation: number): number;
  /** SO_PEERCRED of unix(7). */
  getsockopt_peercred(fd: number): readonly [pid: number, uid: number, gid: number] | number;
  /** Reaps a child that has ended, and gives its PID; 0: it runs. With WNOHANG. */
  waitpid(pid: number): number;
  /** 1 sent, 2 queued. */
  journal_send(address: string, entry: string | Uint8Array): number;
  /** Blocks for at most `timeout` ms; whether nothing waits any more. */
  journal_flush(timeout: number): boolean;
  journal_queue(): NativeQueue;
  /** Times in ms, but `extension` in µs; 0 for no `stall` or `limit`. An id above 0, or 0 without NOTIFY_SOCKET. */
  timeout_extension_start(interval: number, extension: number, stall: number, limit: number): number;
  timeout_extension_stop(id: number): number;
  report_progress(): void;
  /** `limit` in ms; an id above 0. */
  stall_watch_start(limit: number, address: string, entry: string, state: string): number;
  stall_watch_alive(id: number): number;
  stall_watch_stop(id: number): number;
}

/** Exports of native/signal.cc. A negative number is a negative errno. */
interface NativeSignal {
  /** The read end of a pipe of records (signals.ts), which is the caller's to close; also the watch's id. */
  signal_watch(signals: readonly number[]): number;
  /** The records that had no room in the pipe and came after all in it; null while there are some in it, or none. */
  signal_overflow(id: number): Uint8Array | null;
  /** 1, or 0 when there is no such watch in this environment. */
  signal_unwatch(id: number): number;
  /** Puts the handlers of all watched signals before those that were installed since. */
  signal_reinstall(): number;
}

export type Native = NativeCore & NativeSignal;

/** The package's top folder, two up both from src/linux and from dist/linux. Found when it is needed: an import is quick. */
const folder = () => fileURLToPath(new URL('../../', import.meta.url));

/** The addon is part of two packages. */
function packageName(): string {
  const { name } = JSON.parse(readFileSync(`${folder()}package.json`, 'utf8')) as { readonly name: string };
  return name;
}

const nothingSent = 0;
const noEntry = -2;
const notSupported = -95;

/**
 * The system calls where there is no Linux: nobody supervises this process and there is no journal, so that a program
 * made for systemd starts there too.
 */
const elsewhere: Native = {
  sd_notify: () => nothingSent,
  sd_pid_notify_with_fds: () => nothingSent,
  sd_notify_barrier: () => nothingSent,
  sd_notify_queue: () => [0, 0, 0],
  datagram_bind: () => notSupported,
  datagram_receive: () => notSupported,
  getppid: () => process.ppid,
  pidfd_inode: () => notSupported,
  set_close_on_exec: () => notSupported,
  _exit: (status) => process.exit(status),
  flock: () => notSupported,
  getxattr: () => notSupported,
  pipe2: () => notSupported,
  getsockopt_peercred: () => notSupported,
  waitpid: () => notSupported,
  journal_send: () => noEntry,
  journal_flush: () => true,
  journal_queue: () => [0, 0, 0],
  timeout_extension_start: () => nothingSent,
  timeout_extension_stop: () => nothingSent,
  report_progress: () => undefined,
  stall_watch_start: () => notSupported,
  stall_watch_alive: () => notSupported,
  stall_watch_stop: () => notSupported,
  note_fatal_signals: () => notSupported,
  prlimit_nofile: () => notSupported,
  set_child_subreaper: () => notSupported,
  set_dumpable: () => notSupported,
  signal_watch: () => notSupported,
  signal_overflow: () => null,
  signal_unwatch: () => notSupported,
  signal_reinstall: () => notSupported,
};

let loaded: Native | undefined;

/**
 * The addon: a prebuilt binary for this machine, or the one built here. Loaded at the first call, so that what
 * needs no system call works without it. Where there is no Linux: `elsewhere`. Throws `NativeAddonError`.
 */
export function native(): Native {
  loaded ??= process.platform === 'linux' ? load() : elsewhere;
  return loaded;
}

function load(): Native {
  const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);
  try {
    const nodeGypBuild: (folder: string) => Native = require('node-gyp-build');
    // A copy: V8 keeps what an addon fills as a hash table, in which each call would have to look for its function.
    return { ...nodeGypBuild(folder()) };
  } catch (cause) {
    throw new NativeAddonError(explainMissingAddon(cause), { cause });
  }
}

function explainMissingAddon(cause: unknown): string {
  const { platform, arch, versions } = process;
  const name = packageName();
  return (
    `The native addon of ${name} can't be loaded in ${folder()} ` +
    `(platform ${platform}, architecture ${arch}, Node ${versions.node}, ABI ${versions.modules}). ` +
    'No prebuilt binary fits, and none was built here, as after an install without scripts. ' +
    `Run "npm rebuild ${name} --ignore-scripts=false" where ${name} is installed, or reinstall it ` +
    'with scripts allowed; a build needs a C++ compiler, make and python3 ' +
    `(Debian: apt-get install build-essential python3). The loader said: ${errorMessage(cause)}`
  );
}

/** The read end of a pipe as a stream, which closes it. node:net is loaded for those that need one. */
export function readPipe(fd: number): Socket {
  const { Socket } = process.getBuiltinModule('node:net');
  return new Socket({ fd, readable: true, writable: false });
}

/** Reads a negative errno, as the addon returns it. */
export function failure(negativeErrno: number): SystemCallFailure {
  const [code, message] = getSystemErrorMap().get(negativeErrno) ?? [
    `errno ${-negativeErrno}`,
    'see errno(3)',
  ];
  return { outcome: 'failed', errno: -negativeErrno, code, message };
}
