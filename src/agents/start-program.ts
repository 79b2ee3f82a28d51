import { accessSync, constants, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { lowerOpenFilesLimit } from '../linux/process.js';
import type { Log, LogFields } from '../log/log.js';
import { errorMessage } from '../text/failure-text.js';
import { AgentError } from './agent.js';
import type { AgentGroup } from './agent-groups.js';
import { notStarted } from './command-errors.js';
import { endBeforeGateway } from './oom-score.js';
import { openFilesLimit, type PipedProcess, spawnPiped } from './piped-process.js';
import { markVariable, newMark, ProcessTree } from './process-tree.js';

export interface ProgramToStart {
  /** The program and its arguments, as execvp(3) takes them. */
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** The agents' own directory, by which the next start knows what this one has left. */
  readonly directory: string;
  /** Time between SIGTERM and SIGKILL, in milliseconds. */
  readonly killDelayMs: number;
  /** Makes a control group for it; null: none can be made. */
  readonly groups: { readonly make: (memoryMax: number | null) => AgentGroup } | null;
  /** Largest memory of it and all that it starts, in bytes; null: no limit. */
  readonly memoryMax: number | null;
  /** True if standard error goes where standard output does, in the order of writing. */
  readonly oneOutput?: boolean;
  /** The setting that names the program, for errors. Default: "agent.command". */
  readonly setting?: string;
}

export interface StartedProgram {
  readonly pid: number;
  readonly piped: PipedProcess;
  readonly tree: ProcessTree;
}

/**
 * Starts the program of an agent, which leads a session and a process group of its own (setsid(2)), in a control group of
 * its own where there can be one.
 *
 * @throws AgentError of reason `unavailable`
 */
export async function startProgram(options: ProgramToStart): Promise<StartedProgram> {
  const { command, cwd, directory, killDelayMs, groups, memoryMax, oneOutput = false } = options;
  const [file = ''] = command;
  if (memoryMax !== null && groups === null) {
    throw new AgentError('unavailable', 'there is no control group for agent.memory_max', true);
  }
  const group = groups?.make(memoryMax) ?? null;
  try {
    const mark = newMark(directory);
    const env = { ...options.env, [markVariable]: mark };
    const [program = '', ...words] = group === null ? command : commandIn(group, options);
    const piped = spawnPiped(program, words, { cwd, env, detached: true }, oneOutput);
    const { child } = piped;
    const { pid } = child;
    if (pid === undefined) throw await new Promise((failed) => child.once('error', failed));
    return { pid, piped, tree: new ProcessTree(pid, mark, killDelayMs, group) };
  } catch (error) {
    await group?.end();
    throw notStarted(error, file, cwd, options.setting);
  }
}

/** Has the kernel end it before the gateway, and gives it the limit of descriptors that a unit has. */
export function limitProgram(pid: number, log: Log, fields: LogFields): void {
  for (const limit of [() => endBeforeGateway(pid), () => lowerOpenFilesLimit(pid, openFilesLimit)]) {
    try {
      limit();
    } catch (error) {
      log.debug(`The agent keeps a limit of the gateway's: ${errorMessage(error)}`, fields);
    }
  }
}

/** The name by which the shell speaks on standard error. */
const shellName = 'sd-gateway-exec';

/** Enters the control group before it becomes the program, so that nothing of the program is ever outside. */
const script = 'group=$1; shift; echo 0 >"$group/cgroup.procs" || exit 125; exec "$@"';

/** Throws what execvp(3) would fail with, as far as it shows beforehand: the shell tells it by its exit status alone. */
function commandIn(group: AgentGroup, { command, cwd, env }: ProgramToStart): readonly string[] {
  checkProgram(command[0] ?? '', cwd, env['PATH'] ?? '/usr/bin:/bin');
  return ['/bin/sh', '-c', script, shellName, group.directory, ...command];
}

/** The errors of access(2). */
function checkProgram(name: string, cwd: string, path: string): void {
  const files = name.includes('/')
    ? [name]
    : path.split(':').map((directory) => `${directory || '.'}/${name}`);
  let failure: unknown;
  for (const file of files.map((each) => resolve(cwd, each))) {
    try {
      accessSync(file, constants.X_OK);
      if (!statSync(file).isFile()) throw Object.assign(new Error(`${file} is no file`), { code: 'EACCES' });
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (failure === undefined || code === 'EACCES') failure = error;
    }
  }
  throw failure;
}

/** Exit statuses of the shell that could not become the program (POSIX, "Exit Status for Commands"), and our own. */
const shellFailures: readonly (number | null)[] = [125, 126, 127];

/** The reason why the program was not started after all, from the end of its standard error; null: it was. */
export function failedInShell(group: AgentGroup | null, status: number | null, said: string): string | null {
  const isFailure = group !== null && shellFailures.includes(status) && said.startsWith(`${shellName}: `);
  return isFailure ? said.slice(shellName.length + 2) : null;
}
