import { randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ControlGroup, isDelegated, isWritable, leafName, ownControlGroup } from '../linux/control-group.js';
import { errorMessage } from '../text/failure-text.js';
import { AgentError } from './agent.js';

/** The beginning of the names of the groups, by which the next start knows what this one has left. */
const prefix = 'agent-';

/** Time between two looks at a group whose processes were killed, in milliseconds. */
const intervalMs = 10;

/** A process that SIGKILL has not ended after so long sleeps in the kernel. */
const longestEndMs = 1_000;

/** The groups of agents, or why there are none. */
export type GroupsFound =
  | { readonly groups: AgentGroups; readonly reason: null }
  | { readonly groups: null; readonly reason: string };

/**
 * The control groups of the processes that agents run as, one for each, below the gateway's own. They need a unit that
 * delegates its group (`Delegate=` of systemd.resource-control(5)), or a container with a writable group of its own.
 */
export class AgentGroups {
  readonly #root: ControlGroup;
  /** The reason why memory can't be limited; null if it can. */
  readonly noLimit: string | null;

  constructor(root: ControlGroup, noLimit: string | null) {
    this.#root = root;
    this.noLimit = noLimit;
  }

  /**
   * Moves this process to a group beside those of its agents. Changes nothing if its group is not its own.
   *
   * @param isOwn true if the manager has said so: a user's manager leaves no mark
   */
  static open(isOwn: boolean): GroupsFound {
    const found = delegatedGroup(isOwn);
    if ('reason' in found) return { groups: null, reason: found.reason };
    const { root } = found;
    try {
      root.makeIfMissing(leafName).write('cgroup.procs', process.pid);
    } catch (error) {
      const reason = `the gateway could not move to ${root.directory}/${leafName}: ${errorMessage(error)}`;
      return { groups: null, reason };
    }
    return { groups: new AgentGroups(root, enableMemory(root)), reason: null };
  }

  get directory(): string {
    return this.#root.directory;
  }

  /**
   * Makes the group of one process.
   *
   * @param memoryMax in bytes; null: no limit
   * @throws AgentError
   */
  make(memoryMax: number | null): AgentGroup {
    let group: ControlGroup | null = null;
    try {
      group = this.#root.make(`${prefix}${randomUUID()}`);
      if (memoryMax !== null) {
        group.write('memory.max', memoryMax);
        // A part of an agent that goes on without the others answers nobody.
        group.write('memory.oom.group', 1);
      }
      return new AgentGroup(group, memoryMax);
    } catch (error) {
      group?.remove();
      throw notMade(error);
    }
  }

  /** Ends what a gateway that crashed has left in groups. Gives the PIDs. */
  async endLeftovers(): Promise<readonly number[]> {
    const left = this.#root.below(prefix).map((group) => new AgentGroup(group, null));
    const pids = left.flatMap((group) => group.pids());
    await Promise.all(left.map((group) => group.end()));
    return pids;
  }
}

function notMade(error: unknown): AgentError {
  return new AgentError(
    'unavailable',
    `the control group of the agent could not be made: ${errorMessage(error)}`,
    true,
    { cause: error },
  );
}

/** The group that was handed over to this process. */
function delegatedGroup(isOwn: boolean): { readonly root: ControlGroup } | { readonly reason: string } {
  const own = ownControlGroup();
  if (own === null) return { reason: 'it has no control group of version 2 that it can see' };
  // With DelegateSubgroup= systemd itself has put the gateway one below.
  const directory = isOwn ? own : [own, dirname(own)].find(isDelegated);
  if (directory === undefined) return { reason: `its control group ${own} was not delegated` };
  if (!isWritable(directory)) return { reason: `its control group ${directory} is not writable` };
  return { root: new ControlGroup(directory) };
}

/** The reason why agents of this process could not be given a limit of memory; null if they could. Changes nothing. */
export function whyNoMemoryLimit(): string | null {
  const found = delegatedGroup(false);
  if ('reason' in found) return found.reason;
  return found.root.controllers().includes('memory') ? null : noController(found.root);
}

function noController({ directory }: ControlGroup): string {
  return `the control group ${directory} has no memory controller`;
}

/** Gives the reason why groups below can't be given a limit of memory; null if they can. */
function enableMemory(root: ControlGroup): string | null {
  if (!root.controllers().includes('memory')) return noController(root);
  try {
    root.write('cgroup.subtree_control', '+memory');
    return null;
  } catch (error) {
    const others = root.read('cgroup.procs')?.trim().split('\n').join(', ');
    return (error as NodeJS.ErrnoException).code === 'EBUSY'
      ? `other processes are in the gateway’s control group: ${others}`
      : `the memory controller could not be enabled in ${root.directory}: ${errorMessage(error)}`;
  }
}

/** The control group of one process that an agent runs as, and of all that it starts. */
export class AgentGroup {
  readonly #group: ControlGroup;

  constructor(
    group: ControlGroup,
    /** In bytes; null: no limit. */
    readonly memoryMax: number | null,
  ) {
    this.#group = group;
  }

  get directory(): string {
    return this.#group.directory;
  }

  /**
   * Makes a group below, for a part of it that ends by itself or with it.
   *
   * @throws AgentError
   */
  make(): AgentGroup {
    try {
      return new AgentGroup(this.#group.make(randomUUID()), null);
    } catch (error) {
      throw notMade(error);
    }
  }

  pids(): readonly number[] {
    return this.#group.pids();
  }

  /** Kills all of it, at once. */
  kill(): void {
    this.#group.kill();
  }

  /** True if it reached its limit of memory, and the kernel has killed it for that. */
  metMemoryMax(): boolean {
    if (this.memoryMax === null) return false;
    const { limitMet, killed } = this.#group.memoryEvents();
    return limitMet > 0 && killed > 0;
  }

  /** Kills what is left in it, and removes it once nothing runs there. What can't end is left to the next start. */
  async end(): Promise<void> {
    const until = performance.now() + longestEndMs;
    while (!this.#group.remove()) {
      if (performance.now() > until) return;
      this.#group.kill();
      await pause(intervalMs);
    }
  }
}
