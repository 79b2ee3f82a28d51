import { openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { SystemCallError } from './errors.js';
import { failure, native } from './native.js';

/** getppid(2), asked anew at each call; 0 when the parent is outside this PID namespace. */
export function parentPid(): number {
  return native().getppid();
}

/**
 * Ends the process at once with what has to be done at the end, the listeners of `exit`, but without waiting for its
 * threads (_exit(2)): `process.exit` waits for a worker that is inside a long call, such as one of the database.
 */
export function exitAtOnce(status: number): never {
  process.exitCode = status;
  process.emit('exit', status);
  return native()._exit(status);
}

/** Opens a pipe (pipe2(2)), whose ends are closed on exec and are the caller's to close. Throws `SystemCallError`. */
export function pipe(): { readonly read: number; readonly write: number } {
  const result = native().pipe2();
  if (typeof result === 'number') throw new SystemCallError('Could not open a pipe', failure(result));
  const [read, write] = result;
  return { read, write };
}

/**
 * Lowers the soft limit of another process's descriptors (RLIMIT_NOFILE of prlimit(2)); a lower one stays. A process that has
 * ended is left alone.
 *
 * @throws SystemCallError
 */
export function lowerOpenFilesLimit(pid: number, soft: number): void {
  const result = native().prlimit_nofile(pid, soft);
  if (result === 0 || failure(result).code === 'ESRCH') return;
  throw new SystemCallError(`Could not lower the limit of descriptors of process ${pid}`, failure(result));
}

/**
 * Closes this process's memory, environment and descriptors to the other processes of its user, and has it leave no core
 * dump (PR_SET_DUMPABLE of prctl(2)). From now on its files in /proc are root's: what is readable by the owner alone has
 * to be open by then. The programs that it starts are not affected.
 *
 * @throws SystemCallError
 */
export function closeMemoryToOthers(): void {
  const result = native().set_dumpable(0);
  if (result < 0)
    throw new SystemCallError('Could not close the memory of this process to others', failure(result));
}

/** The peer that connected to a Unix socket, as of the moment of the connection. */
export interface PeerCredentials {
  /** 0 when the peer is outside this PID namespace. */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** SO_PEERCRED of unix(7), for a connected Unix socket's descriptor. Throws `SystemCallError`. */
export function peerCredentials(fd: number): PeerCredentials {
  const result = native().getsockopt_peercred(fd);
  if (typeof result === 'number') {
    throw new SystemCallError(`Could not tell who is at the other end of descriptor ${fd}`, failure(result));
  }
  const [pid, uid, gid] = result;
  return { pid, uid, gid };
}

/** The beginning of /proc/PID/stat (proc(5)). */
export interface ProcessStat {
  readonly comm: string;
  /** One letter, such as R, S, or Z of a zombie: it has ended, and its parent has not asked how. */
  readonly state: string;
  readonly parentPid: number;
  readonly processGroup: number;
  /** As of setsid(2). */
  readonly processSession: number;
}

/** Reads the text of /proc/PID/stat; the name may hold spaces and parentheses. */
export function parseProcessStat(text: string): ProcessStat | null {
  const match = /^\d+ \((.*)\) (\S) (\d+) (-?\d+) (-?\d+) /s.exec(text);
  if (match === null) return null;
  const [parentPid = 0, processGroup = 0, processSession = 0] = match.slice(3).map(Number);
  return { comm: match[1] ?? '', state: match[2] ?? '', parentPid, processGroup, processSession };
}

/** The contents of a file below /proc; null when the process is gone or hidden (`hidepid=`, `ProtectProc=`). */
export function readProc(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/** /proc/PID/comm; null when the process has ended or is hidden. */
export function processName(pid: number): string | null {
  return readProc(`/proc/${pid}/comm`)?.trimEnd() ?? null;
}

/** The mount of the unified hierarchy of control groups (cgroups(7), version 2). */
export const controlGroupMount = '/sys/fs/cgroup';

/** Reads the text of /proc/PID/cgroup: the directory of the control group of version 2; null if there is none. */
export function parseControlGroup(text: string): string | null {
  const path = /^0::(\/.*)$/m.exec(text)?.[1];
  return path === undefined ? null : join(controlGroupMount, path);
}

/** A process as far as /proc tells what it belongs to (proc(5)). */
export interface ProcessTrace {
  readonly pid: number;
  readonly processGroup: number;
  /** As of setsid(2). */
  readonly processSession: number;
  /** A variable of the environment that it was started with; null: it has none, or that can't be read. */
  readonly mark: string | null;
  /** The directory of its control group of version 2; null: it has none. */
  readonly controlGroup: string | null;
}

/** A parent that exits while we climb hands its children to another: a bound instead of a chance of a loop. */
const mostAncestors = 64;

/** No more of a file is read, in bytes. */
const longestFile = 256 * 1024;

/**
 * Reads a process and its ancestors, the nearest first, up to PID 1 of this PID namespace or to the first that is gone or
 * hidden (`hidepid=`, `ProtectProc=`). Rejects only with what is wrong here, such as EMFILE.
 *
 * @param variable the environment variable that `mark` tells
 */
export async function readAncestry(pid: number, variable: string): Promise<readonly ProcessTrace[]> {
  const traces: ProcessTrace[] = [];
  let next = pid;
  while (next > 0 && traces.length < mostAncestors) {
    const stat = parseProcessStat((await readProcAsync(`/proc/${next}/stat`)) ?? '');
    if (stat === null) break;
    const { processGroup, processSession, parentPid } = stat;
    const environment = (await readProcAsync(`/proc/${next}/environ`)) ?? '';
    const controlGroup = parseControlGroup((await readProcAsync(`/proc/${next}/cgroup`)) ?? '');
    const mark = variableIn(environment, variable);
    traces.push({ pid: next, processGroup, processSession, mark, controlGroup });
    next = parentPid;
  }
  return traces;
}

/** The value that getenv(3) finds, from the text of /proc/PID/environ; null: it is not set. */
export function variableIn(environment: string, name: string): string | null {
  const entry = environment.split('\0').find((text) => text.startsWith(`${name}=`));
  return entry === undefined ? null : entry.slice(name.length + 1);
}

/** Gives null if the process is gone or hidden. Runs in libuv's threads: a process can delay a read of its environment. */
async function readProcAsync(path: string): Promise<string | null> {
  let file: FileHandle | null = null;
  try {
    file = await open(path);
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(longestFile), 0, longestFile, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(code)) return null;
    throw error;
  } finally {
    await file?.close();
  }
}

/**
 * True if each process of the group that can be seen has ended: nothing of it runs, and nobody has reaped it. False where
 * /proc can't be read, as when descriptors have run out.
 */
export function hasOnlyZombies(group: number): boolean {
  let zombies = 0;
  for (const name of processNumbers()) {
    const stat = parseProcessStat(readProc(`/proc/${name}/stat`) ?? '');
    if (stat?.processGroup !== group) continue;
    // A process of several threads is shown as a zombie once its first one has ended.
    if (stat.state !== 'Z' || /^Threads:\s+(?:[2-9]|\d\d)/m.test(readProc(`/proc/${name}/status`) ?? ''))
      return false;
    zombies += 1;
  }
  return zombies > 0;
}

let isSubreaper = false;

/**
 * Has the kernel give this process the orphans of all that it has started (PR_SET_CHILD_SUBREAPER of prctl(2)). It has to
 * reap them from now on.
 *
 * @throws SystemCallError
 */
export function adoptOrphans(): void {
  const result = native().set_child_subreaper(1);
  if (result < 0) throw new SystemCallError('Could not become the parent of orphans', failure(result));
  isSubreaper = true;
}

/** True since `adoptOrphans`. */
export function adoptsOrphans(): boolean {
  return isSubreaper;
}

/** The PIDs of this process's children that have ended and were not reaped yet. Empty where /proc can't be read. */
export function zombieChildren(): readonly number[] {
  return (childNumbers() ?? processNumbers())
    .filter((name) => {
      const stat = parseProcessStat(readProc(`/proc/${name}/stat`) ?? '');
      return stat?.parentPid === process.pid && stat.state === 'Z';
    })
    .map(Number);
}

/** The PIDs of this process's children; null where the kernel does not list them (proc_pid_task(5), `children`). */
function childNumbers(): readonly string[] | null {
  if (readProc(`/proc/self/task/${process.pid}/children`) === null) return null;
  const threads = readdirSync('/proc/self/task');
  const lists = threads.map((thread) => readProc(`/proc/self/task/${thread}/children`) ?? '');
  return lists.flatMap((list) => list.split(' ').filter((pid) => pid !== ''));
}

/** Reaps a child that has ended (waitpid(2)). Does nothing if it was reaped already. Throws `SystemCallError`. */
export function reap(pid: number): void {
  const result = native().waitpid(pid);
  if (result >= 0 || failure(result).code === 'ECHILD') return;
  throw new SystemCallError(`Could not reap process ${pid}`, failure(result));
}

/** The PIDs that /proc shows; none where it can't be read. */
export function processNumbers(): readonly string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

let knownBootId: string | null = null;

/**
 * The kernel's own id of this boot (random(4)); another one: the machine was started again since. Null where it can't be
 * seen (`ProcSubset=pid`). Read once: it stays the same, and later there may be no descriptor for it.
 */
export function bootId(): string | null {
  try {
    knownBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    // Whoever asks does without it.
  }
  return knownBootId;
}

/** The limit of open descriptors (RLIMIT_NOFILE of getrlimit(2)) and their number now; null if it can't be seen. */
export interface OpenFiles {
  /** The soft limit, which Node.js raises to the hard one as it starts. Infinity: there is none. */
  readonly limit: number | null;
  readonly open: number | null;
}

/** The soft "Max open files" of /proc/PID/limits (proc(5)); null where there is no such line. */
export function parseOpenFilesLimit(text: string): number | null {
  const soft = /^Max open files +(\d+|unlimited) /m.exec(text)?.[1];
  if (soft === undefined) return null;
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

export function openFiles(): OpenFiles {
  return {
    limit: orNull(() => parseOpenFilesLimit(readFileSync('/proc/self/limits', 'utf8'))),
    // Without the one that reads the directory.
    open: orNull(() => readdirSync('/proc/self/fd').length - 1),
  };
}

/** Neither is worth a failure: there may be no /proc at all. */
function orNull<Value>(read: () => Value): Value | null {
  try {
    return read();
  } catch {
    return null;
  }
}

/** `VmRSS` of /proc/PID/status (proc(5)) in bytes; null where there is none. */
export function parseResidentMemory(text: string): number | null {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1];
  return kibibytes === undefined ? null : Number(kibibytes) * 1_024;
}

/**
 * The memory of this process that is in use. Its file is opened once: `process.memoryUsage` opens one at each call, and
 * throws when descriptors have run out, or the process may no longer see its own files.
 */
export class ResidentMemory {
  readonly #descriptor: number;
  readonly #buffer = Buffer.alloc(4_096);

  private constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** Gives null if there is no /proc. */
  static open(): ResidentMemory | null {
    try {
      const memory = new ResidentMemory(openSync('/proc/self/status', 'r'));
      memory.bytes();
      return memory;
    } catch {
      return null;
    }
  }

  bytes(): number {
    const length = readSync(this.#descriptor, this.#buffer, 0, this.#buffer.length, 0);
    const bytes = parseResidentMemory(this.#buffer.toString('latin1', 0, length));
    if (bytes === null) throw new Error('/proc/self/status has no VmRSS');
    return bytes;
  }
}
