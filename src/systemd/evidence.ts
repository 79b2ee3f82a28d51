import { fstatSync, lstatSync } from 'node:fs';
import { parseProcessStat, readProc } from '../linux/proc.js';
import { parentPid } from '../linux/process.js';
import { parseCgroup, unitOfCgroup } from './cgroup.js';

/** A process between this one and its manager. */
export interface Ancestor {
  readonly pid: number;
  /** /proc/PID/comm. */
  readonly comm: string;
}

/** What there is to see of who supervises this process, as it was at the start; nothing is judged here. */
export interface SupervisionEvidence {
  readonly pid: number;
  readonly parentPid: number;
  readonly uid: number;
  /** `$INVOCATION_ID`, `$SYSTEMD_EXEC_PID`, … of systemd.exec(5), unchecked. */
  readonly invocationId: string | null;
  readonly notifySocket: string | null;
  readonly systemdExecPid: string | null;
  readonly journalStream: string | null;
  /** `$MANAGERPID`: set by user managers for their units. */
  readonly managerPid: string | null;
  /** Device and inode of standard error, `DEV:INO` in decimal as in `$JOURNAL_STREAM`; null when it is closed. */
  readonly standardError: string | null;
  /** Whether standard input or standard error is a terminal. */
  readonly terminal: boolean;
  /** From the parent up to PID 1 of this PID namespace. */
  readonly ancestors: readonly Ancestor[];
  /** The path in the control group hierarchy that systemd manages. */
  readonly cgroup: string | null;
  /** sd_booted(3). */
  readonly booted: boolean;
}

/** The service of systemd that a process belongs to; null: none, or it can't be seen. */
export function serviceOf(pid: number): string | null {
  const { unit, isScope } = unitOfCgroup(parseCgroup(readProc(`/proc/${pid}/cgroup`) ?? ''));
  return isScope ? null : unit;
}

function readAncestors(parentPid: number): Ancestor[] {
  const ancestors: Ancestor[] = [];
  let pid = parentPid;
  // A parent that exits while we climb hands its children to another: a bound instead of a chance of a loop.
  for (let depth = 0; pid > 0 && depth < 64; depth++) {
    const stat = parseProcessStat(readProc(`/proc/${pid}/stat`) ?? '');
    // Hidden processes keep their number: it is what a signal's sender is compared with.
    ancestors.push({ pid, comm: stat?.comm ?? '' });
    if (stat === null) break;
    pid = stat.parentPid;
  }
  // The manager is an ancestor of all, also where the way up to it is hidden.
  if (ancestors.length > 0 && ancestors.at(-1)?.pid !== 1) {
    const stat = parseProcessStat(readProc('/proc/1/stat') ?? '');
    ancestors.push({ pid: 1, comm: stat?.comm ?? '' });
  }
  return ancestors;
}

function deviceAndInode(descriptor: number): string | null {
  try {
    const { dev, ino } = fstatSync(descriptor, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return null;
  }
}

/** sd_booted(3): whether systemd is the init of this machine. Throws the errors of lstat(2). */
export function booted(): boolean {
  return lstatSync('/run/systemd/system', { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Reads the evidence once; `booted` is the outcome of sd_booted(3). */
export function readSupervisionEvidence(
  environment: NodeJS.ProcessEnv,
  booted: boolean,
): SupervisionEvidence {
  const parent = parentPid();
  // It loads node:net, which a program that only imports this library may have no need of.
  const { isatty } = process.getBuiltinModule('node:tty');
  return {
    pid: process.pid,
    parentPid: parent,
    uid: process.getuid?.() ?? -1,
    invocationId: environment.INVOCATION_ID ?? null,
    notifySocket: environment.NOTIFY_SOCKET ?? null,
    systemdExecPid: environment.SYSTEMD_EXEC_PID ?? null,
    journalStream: environment.JOURNAL_STREAM ?? null,
    managerPid: environment.MANAGERPID ?? null,
    standardError: deviceAndInode(2),
    terminal: isatty(0) || isatty(2),
    ancestors: readAncestors(parent),
    cgroup: parseCgroup(readProc('/proc/self/cgroup') ?? ''),
    booted,
  };
}
