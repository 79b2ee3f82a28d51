import { fstatSync, lstatSync } from 'node:fs';
import { parentPid, parseProcessStat, readProc } from '../linux/process.js';

/** A process between this one and its manager. */
export interface Ancestor {
  readonly pid: number;
  /** /proc/PID/comm. */
  readonly comm: string;
}

/** Evidence of who supervises this process, as it was at the start. Nothing is judged here. */
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
  /** True if standard input or standard error is a terminal. */
  readonly terminal: boolean;
  /** From the parent up to PID 1 of this PID namespace. */
  readonly ancestors: readonly Ancestor[];
  /** The path in the control group hierarchy that systemd manages. */
  readonly cgroup: string | null;
  /** sd_booted(3). */
  readonly booted: boolean;
}

/** The service of systemd that a process belongs to, and whose manager runs it; null: none, or it can't be seen. */
export function serviceAndManagerOf(pid: number): Pick<CgroupUnit, 'unit' | 'manager'> {
  const { unit, manager, isScope } = unitOfCgroup(parseCgroup(readProc(`/proc/${pid}/cgroup`) ?? ''));
  return isScope ? { unit: null, manager: null } : { unit, manager };
}

/** Its name alone. */
export function serviceOf(pid: number): string | null {
  return serviceAndManagerOf(pid).unit;
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

/** The units that a control group's path names (systemd.unit(5), systemd.special(7)). */
export interface CgroupUnit {
  /** The unit of the manager that is nearest: of the user manager where there is one, else of the system manager. */
  readonly unit: string | null;
  readonly manager: 'system' | 'user' | null;
  /** A session scope or an application's scope: a place where persons start processes, not a service. */
  readonly isScope: boolean;
}

/**
 * The path of this process in the hierarchy that systemd manages, from the text of /proc/PID/cgroup (cgroups(7)):
 * version 2's entry `0::PATH`, or with version 1 the one named `name=systemd`. Where a machine has both, the one that
 * says more than "/" counts: a manager in a container may use the one that its host doesn't. Null when there is
 * neither.
 */
export function parseCgroup(text: string): string | null {
  const paths: string[] = [];
  for (const line of text.split('\n')) {
    const match = /^(\d+):([^:]*):(\/.*)$/s.exec(line);
    if (match === null) continue;
    const [, hierarchy, controllers, path = ''] = match;
    if (hierarchy === '0' && controllers === '') paths.unshift(path);
    else if (controllers === 'name=systemd') paths.push(path);
  }
  return paths.find((path) => path !== '/') ?? paths[0] ?? null;
}

/** systemd escapes names that would clash with a file of the cgroup file system by a leading underscore. */
function unescapeComponent(component: string): string {
  return component.startsWith('_') ? component.slice(1) : component;
}

const unitName = /^[A-Za-z0-9:_.\\@-]+\.(service|scope)$/;

/** Finds the unit in a control group's path; sub-groups below a unit (delegation) belong to it. */
export function unitOfCgroup(path: string | null): CgroupUnit {
  const none: CgroupUnit = { unit: null, manager: null, isScope: false };
  if (path === null) return none;
  const components = path
    .split('/')
    .filter((component) => component !== '')
    .map(unescapeComponent);
  const first = components.findIndex((component) => unitName.test(component));
  const unit = components[first];
  if (unit === undefined) return none;
  if (!/^user@\d+\.service$/.test(unit)) {
    return { unit, manager: 'system', isScope: unit.endsWith('.scope') };
  }
  const below = components.slice(first + 1).find((component) => unitName.test(component));
  // init.scope is where the user manager itself lives.
  if (below === undefined || below === 'init.scope') return { unit, manager: 'system', isScope: false };
  return { unit: below, manager: 'user', isScope: below.endsWith('.scope') };
}
