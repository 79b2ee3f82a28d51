import { hash, randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { adoptsOrphans, type ProcessTrace } from '../linux/process.js';
import {
  descendants,
  readMarks,
  type ScannedProcess,
  scanAllProcesses,
  scanProcesses,
  ticksSinceBoot,
} from '../linux/process-scan.js';
import type { AgentGroup } from './agent-groups.js';
import { ProcessGroup } from './process-group.js';

/** Has a mark in the environment of each process that an agent is started as, and of what that starts. */
export const markVariable = 'SD_GATEWAY_MARK';

/**
 * The beginning of the marks of a gateway's processes, by the directory of its agents: one gateway at a time has it. A
 * gateway in a container has another directory by the same name.
 */
function markPrefix(directory: string): string {
  return `${hash('sha256', `${directory}\0${placeOf(directory)}`).slice(0, 16)}:`;
}

/** Empty where there is none yet, or where this user may not look. */
function placeOf(directory: string): string {
  try {
    const { dev, ino } = statSync(directory, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return '';
  }
}

/** A mark that no other start of a process has. */
export function newMark(directory: string): string {
  return `${markPrefix(directory)}${randomUUID()}`;
}

/** Time between two looks at processes that were told to end, in milliseconds. */
const intervalMs = 20;

/** A process that SIGKILL has not ended after so long sleeps in the kernel, and runs no instruction of its own. */
const afterKillMs = 1_000;

/** Sends a signal to a process; false if it has ended, or is another user's by now. */
function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ESRCH' || code === 'EPERM') return false;
    throw error;
  }
}

const alive = new Set<ProcessTree>();

/** As `ProcessGroup` does for the groups: in the foreground nobody else would. */
function endWithTheProcess(): void {
  if (alive.size === 0) return;
  const processes = scanProcesses();
  for (const tree of alive) tree.isOver = true;
  for (const tree of alive) {
    for (const { pid } of tree.related(processes)) signalProcess(pid, 'SIGKILL');
    tree.group?.kill();
  }
}

/** Clock ticks from the start of a process to that of its tree, at most. */
const startTicksLimit = 100;

/**
 * Orphans that the kernel has given to this process. Its other children are in its own session, or lead one as programs of
 * a tree.
 */
function adopted(processes: readonly ScannedProcess[]): readonly ScannedProcess[] {
  const own = processes.find(({ pid }) => pid === process.pid);
  if (own === undefined || !adoptsOrphans()) return [];
  return processes.filter((each) => each.parentPid === own.pid && isOrphan(each, own));
}

function isOrphan(child: ChildTrace, own: ChildTrace): boolean {
  return child.processSession !== own.processSession && [...alive].every(({ pid }) => pid !== child.pid);
}

type ChildTrace = Pick<ProcessTrace, 'pid' | 'processSession'>;

/**
 * True if a process is an orphan that the kernel has given to this one, or descends from it.
 *
 * @param ancestry the process and its ancestors, the nearest first
 */
export function isLeftBehind(ancestry: readonly ProcessTrace[]): boolean {
  const index = ancestry.findIndex(({ pid }) => pid === process.pid);
  const [child, own] = [ancestry[index - 1], ancestry[index]];
  return adoptsOrphans() && child !== undefined && own !== undefined && isOrphan(child, own);
}

/**
 * Ends a process and all that it has started: its group, what left that by setsid(2), and what its parents have left
 * behind. It knows them by descent, by the session of the first process, by a mark in their environment, and by their control
 * group. Without such a group, a process may have left the session, lost its parents and cleared its environment. The
 * gateway adopts it then (`adoptOrphans`), and the last tree ends it that may have left it.
 */
export class ProcessTree {
  readonly pid: number;
  readonly #mark: string;
  readonly #killDelayMs: number;
  readonly #group: ProcessGroup;
  /** Those that were seen to belong to it, by their PIDs: when they began. */
  readonly #known = new Map<number, number>();
  readonly #beganTicks = ticksSinceBoot() - startTicksLimit;
  /** True once all of it is to end. */
  isOver = false;
  #killAt: number | null = null;
  #leads = true;
  #metMemoryMax = false;

  /**
   * @param mark of the environment that the process was started with
   * @param group the control group that it was started in; null: there is none. It is removed in the end
   */
  constructor(
    pid: number,
    mark: string,
    killDelayMs: number,
    readonly group: AgentGroup | null = null,
  ) {
    this.pid = pid;
    this.#mark = mark;
    this.#killDelayMs = killDelayMs;
    this.#group = new ProcessGroup(pid, killDelayMs);
    if (!process.listeners('exit').includes(endWithTheProcess)) process.on('exit', endWithTheProcess);
    alive.add(this);
  }

  /** Asks all of it to end, once. */
  end(): void {
    if (this.#killAt !== null) return;
    this.#killAt = performance.now() + this.#killDelayMs;
    for (const { pid } of this.related(scanProcesses())) signalProcess(pid, 'SIGTERM');
    this.#group.end();
  }

  /** Ends what is left of it and calls `gone` when nothing runs. To be called after its first process was reaped. */
  sweep(gone: () => void): void {
    this.isOver = true;
    this.#group.sweep(() => {
      const killAt = this.#killAt ?? performance.now() + this.#killDelayMs;
      const find = async () => {
        const found = await this.#members(scanProcesses());
        // With nothing left of the session, its number may be another's.
        this.#leads = false;
        return found;
      };
      void endProcesses(find, killAt)
        .then(() => this.#endGroup())
        .finally(() => {
          alive.delete(this);
          gone();
        });
    });
  }

  /** True if the kernel has killed it because it took more memory than its group may. Known once all of it has ended. */
  get metMemoryMax(): boolean {
    return this.#metMemoryMax;
  }

  async #endGroup(): Promise<void> {
    this.#metMemoryMax = this.group?.metMemoryMax() ?? false;
    await this.group?.end();
  }

  /**
   * Ends what began since then (clock ticks since the boot) and does not descend from the first process any more: a turn
   * has left it behind. Resolves when nothing of it runs.
   */
  async endOrphans(sinceTicks: number): Promise<void> {
    const find = async () => {
      const processes = scanProcesses();
      const kept = new Set(descendants(processes, new Set([this.pid])).map(({ pid }) => pid)).add(this.pid);
      const members = await this.#members(processes);
      return members.filter(({ pid, startTicks }) => startTicks >= sinceTicks && !kept.has(pid));
    };
    await endProcesses(find, performance.now() + this.#killDelayMs);
  }

  /** The processes of it that descent, session and control group tell, the first one among them. */
  related(processes: readonly ScannedProcess[]): readonly ScannedProcess[] {
    const seen = new Map(processes.map((each) => [each.pid, each.startTicks]));
    for (const [pid, startTicks] of this.#known) if (seen.get(pid) !== startTicks) this.#known.delete(pid);
    const grouped = new Set(this.group?.pids());
    const orphans = new Set(this.#orphans(processes));
    const roots = processes.filter(
      (each) =>
        grouped.has(each.pid) ||
        this.#known.get(each.pid) === each.startTicks ||
        (this.#leads && [each.pid, each.processSession].includes(this.pid)) ||
        orphans.has(each),
    );
    return this.#withDescendants(processes, roots);
  }

  /** Orphans that no other tree can have left which goes on. */
  #orphans(processes: readonly ScannedProcess[]): readonly ScannedProcess[] {
    const others = [...alive].filter((tree) => tree !== this && !tree.isOver);
    const untilTicks = Math.min(...others.map((tree) => tree.#beganTicks));
    return adopted(processes).filter(
      ({ startTicks }) => startTicks >= this.#beganTicks && startTicks < untilTicks,
    );
  }

  async #members(processes: readonly ScannedProcess[]): Promise<readonly ScannedProcess[]> {
    const marks = await readMarks(processes, markVariable);
    const roots = processes.filter(({ pid }) => marks.get(pid) === this.#mark);
    return this.#withDescendants(processes, [...roots, ...this.related(processes)]);
  }

  #withDescendants(
    processes: readonly ScannedProcess[],
    roots: readonly ScannedProcess[],
  ): readonly ScannedProcess[] {
    const below = descendants(processes, new Set(roots.map(({ pid }) => pid)));
    const found = new Map([...roots, ...below].map((each) => [each.pid, each]));
    // A turn may have started the gateway itself, by hand.
    found.delete(process.pid);
    for (const { pid, startTicks } of found.values()) this.#known.set(pid, startTicks);
    return [...found.values()].filter(({ state }) => state !== 'Z');
  }
}

/** Sends SIGTERM to what is found, and from `killAt` on SIGKILL. Resolves when nothing is found any more. */
async function endProcesses(find: () => Promise<readonly ScannedProcess[]>, killAt: number): Promise<void> {
  const told = new Set<number>();
  for (let left = await find(); left.length > 0; left = await find()) {
    const now = performance.now();
    if (now > killAt + afterKillMs) return;
    let reached = false;
    for (const { pid } of left) {
      if (now >= killAt) reached = signalProcess(pid, 'SIGKILL') || reached;
      else if (told.has(pid)) reached = true;
      else if (signalProcess(pid, 'SIGTERM')) {
        told.add(pid);
        reached = true;
      }
    }
    if (!reached) return;
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}

/** Longest series of looks for leftovers: they may start others meanwhile. */
const mostRounds = 10;

/**
 * Ends what agents of a gateway with the same directory have left behind when it crashed, by the mark in their
 * environment. Gives the PIDs.
 */
export async function endLeftovers(directory: string): Promise<readonly number[]> {
  const prefix = markPrefix(directory);
  const ended = new Set<number>();
  for (let round = 0; round < mostRounds; round++) {
    const processes = scanAllProcesses();
    const marks = await readMarks(processes, markVariable);
    const spared = ancestorsOf(process.pid, processes);
    const found = processes.filter(
      ({ pid, state }) => state !== 'Z' && !spared.has(pid) && marks.get(pid)?.startsWith(prefix),
    );
    const reached = found.filter(({ pid }) => signalProcess(pid, 'SIGKILL'));
    if (reached.length === 0) break;
    for (const { pid } of reached) ended.add(pid);
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
  return [...ended];
}

/** A process and its ancestors. */
function ancestorsOf(pid: number, processes: readonly ScannedProcess[]): ReadonlySet<number> {
  const parents = new Map(processes.map((each) => [each.pid, each.parentPid]));
  const found = new Set<number>();
  for (let next = pid; next > 0 && !found.has(next); next = parents.get(next) ?? 0) found.add(next);
  return found;
}
