import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ControlGroup, leafName, ownControlGroup } from './control-group.js';
import { processNumbers, readProc, variableIn } from './process.js';

/** A process as /proc/PID/stat has it (proc(5)). */
export interface ScannedProcess {
  readonly pid: number;
  /** One letter, such as R, S, or Z of a zombie. */
  readonly state: string;
  readonly parentPid: number;
  readonly processGroup: number;
  readonly processSession: number;
  /** In clock ticks since the boot: with the PID, it names a process for good. */
  readonly startTicks: number;
  /** False for a thread of the kernel and for a zombie: they have no environment. */
  readonly hasMemory: boolean;
}

/** Reads the text of /proc/PID/stat; null if it is none. */
export function parseScannedProcess(text: string): ScannedProcess | null {
  // The name may hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [pid, parentPid, processGroup, processSession, startTicks, memoryBytes] = [
    text.slice(0, text.indexOf(' ')),
    fields[1],
    fields[2],
    fields[3],
    fields[19],
    fields[20],
  ].map(Number);
  const state = fields[0];
  if (state === undefined || !pid || startTicks === undefined || Number.isNaN(startTicks)) return null;
  return {
    pid,
    state,
    parentPid: parentPid ?? 0,
    processGroup: processGroup ?? 0,
    processSession: processSession ?? 0,
    startTicks,
    hasMemory: memoryBytes !== 0,
  };
}

/** Processes of this one's control group, and of those that it has made: what it starts stays there. Null if they can't be told. */
function controlGroup(): readonly string[] | null {
  const own = ownControlGroup();
  if (own === null) return null;
  return new ControlGroup(basename(own) === leafName ? dirname(own) : own).pids().map(String);
}

/** The processes that can be seen: those of this one's control group where that can be told, else all. */
export function scanProcesses(): readonly ScannedProcess[] {
  return scanned(controlGroup() ?? processNumbers());
}

export function scanAllProcesses(): readonly ScannedProcess[] {
  return scanned(processNumbers());
}

function scanned(pids: readonly string[]): readonly ScannedProcess[] {
  return pids
    .map((pid) => parseScannedProcess(readProc(`/proc/${pid}/stat`) ?? ''))
    .filter((found) => found !== null);
}

/** Reads the text of /proc/uptime (proc(5)): the time since the boot in clock ticks, as `startTicks` counts it; 0 if it is none. */
export function parseUptimeTicks(text: string): number {
  // Two digits stand behind the point, and USER_HZ is 100 for all programs (time(7)): 0.29 * 100 would be 28.9….
  const [, seconds, hundredths] = /^(\d+)\.(\d\d) /.exec(text) ?? [];
  return seconds === undefined ? 0 : Number(`${seconds}${hundredths}`);
}

/** Time since the boot in clock ticks, as `startTicks` counts it; 0 where it can't be told. */
export function ticksSinceBoot(): number {
  return parseUptimeTicks(readProc('/proc/uptime') ?? '');
}

/** A mark by the PID: a process keeps what it was started with, so each is read once. */
const marks = new Map<number, { readonly startTicks: number; readonly mark: string | null }>();

/**
 * Reads a variable of the environments that processes were started with, by their PIDs; null: it is not set, or can't be
 * read. Runs in libuv's threads, as a process can delay a read of its environment.
 */
export async function readMarks(
  processes: readonly ScannedProcess[],
  variable: string,
): Promise<ReadonlyMap<number, string | null>> {
  const alive = new Set(processes.map(({ pid }) => pid));
  for (const pid of marks.keys()) if (!alive.has(pid)) marks.delete(pid);
  await Promise.all(
    processes.map(async ({ pid, startTicks, hasMemory }) => {
      if (!hasMemory || marks.get(pid)?.startTicks === startTicks) return;
      marks.set(pid, { startTicks, mark: variableIn(await environmentOf(pid), variable) });
    }),
  );
  return new Map([...marks].map(([pid, { mark }]) => [pid, mark]));
}

/** Looks at an environment that seems empty, and the time between two, in milliseconds. */
const emptyLooks = 4;
const emptyLookMs = 5;

/** While a process runs execve(2), its environment seems empty or closed for a moment: it is looked at again. */
async function environmentOf(pid: number): Promise<string> {
  for (let look = 1; ; look++) {
    const environment = await readEnvironment(pid);
    if (environment === null || environment !== '' || look === emptyLooks) return environment ?? '';
    await pause(emptyLookMs);
  }
}

/** Null: the process has ended, or is another user's. */
async function readEnvironment(pid: number): Promise<string | null> {
  try {
    return await readFile(`/proc/${pid}/environ`, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ESRCH' || isOfAnotherUser(pid) ? null : '';
  }
}

/** One that runs execve(2) seems root's for a moment. */
function isOfAnotherUser(pid: number): boolean {
  const uid = statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid;
  return uid !== undefined && uid !== 0 && uid !== process.geteuid?.();
}

/** The processes that descend from one of `roots`, these not among them. */
export function descendants(
  processes: readonly ScannedProcess[],
  roots: ReadonlySet<number>,
): readonly ScannedProcess[] {
  const children = new Map<number, ScannedProcess[]>();
  for (const each of processes) {
    const siblings = children.get(each.parentPid);
    if (siblings === undefined) children.set(each.parentPid, [each]);
    else siblings.push(each);
  }
  const found = new Map<number, ScannedProcess>();
  const next = [...roots];
  for (let pid = next.pop(); pid !== undefined; pid = next.pop()) {
    for (const child of children.get(pid) ?? []) {
      if (found.has(child.pid) || roots.has(child.pid)) continue;
      found.set(child.pid, child);
      next.push(child.pid);
    }
  }
  return [...found.values()];
}
