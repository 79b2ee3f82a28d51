import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AgentGroups } from '../agents/agent-groups.js';
import { killedBy } from '../agents/command-errors.js';
import { endBeforeGateway } from '../agents/oom-score.js';
import { openFilesLimit, type PipedProcess } from '../agents/piped-process.js';
import { readInTurns } from '../agents/read-in-turns.js';
import { pauseWhenFullMs, StandardError } from '../agents/standard-error.js';
import { failedInShell, type StartedProgram, startProgram } from '../agents/start-program.js';
import {
  type ChannelHost,
  type ChannelProgram,
  type ChannelProgramOptions,
  channelPath,
} from '../channels/channel-program.js';
import { lowerOpenFilesLimit } from '../linux/process.js';
import type { Log } from '../log/log.js';
import { errorMessage } from '../text/failure-text.js';

/** Time between SIGTERM and SIGKILL, in milliseconds. */
const killDelayMs = 2_000;
/** Longest wait for the end of an output that a process which left the group may hold open, in milliseconds. */
const closedOutputMs = 200;
/** The lines of its standard error that are logged are counted anew after so long, in milliseconds. */
const standardErrorWindowMs = 60_000;

export interface ChannelProgramsOptions {
  /** The channel's name, which its directory has too. */
  readonly name: string;
  /** Below which each channel has a directory of its own. */
  readonly directory: string;
  /** The agents' own, by which the next start knows what this one has left. */
  readonly agentDirectory: string;
  readonly groups: AgentGroups | null;
  /** The words that name the program to a person. Default: its key. */
  readonly setting?: string;
  /** The program's current directory. Default: its own. */
  readonly workingDirectory?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly credentialsDirectory: string | null;
  /** Has the channel's name in each record. */
  readonly log: Log;
}

/** Starts programs for one channel, as the processes of agents are started and ended. */
export function channelHost(options: ChannelProgramsOptions): ChannelHost {
  return {
    directory: join(options.directory, options.name),
    credentialsDirectory: options.credentialsDirectory,
    startProgram: async (wanted) => new RunningProgram(options, wanted, await start(options, wanted)),
  };
}

async function start(
  options: ChannelProgramsOptions,
  { command, env, setting }: ChannelProgramOptions,
): Promise<StartedProgram> {
  const { name, directory, agentDirectory, groups, environment, log, workingDirectory } = options;
  const home = join(directory, name);
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const wanted = env.map((variable) => [variable, environment[variable]] as const);
  const given = Object.fromEntries(wanted.filter((each): each is [string, string] => each[1] !== undefined));
  const started = await startProgram({
    command,
    cwd: workingDirectory ?? home,
    env: { PATH: channelPath, HOME: home, LANG: 'C.UTF-8', ...given },
    directory: agentDirectory,
    killDelayMs,
    groups,
    memoryMax: null,
    setting: setting ?? options.setting ?? `channels.${name}.command`,
  });
  for (const limit of [endBeforeGateway, (pid: number) => lowerOpenFilesLimit(pid, openFilesLimit)]) {
    try {
      limit(started.pid);
    } catch (error) {
      log.debug(`The program keeps a limit of the gateway's: ${errorMessage(error)}`);
    }
  }
  return started;
}

class RunningProgram implements ChannelProgram {
  readonly pid: number;
  readonly ended: Promise<string>;
  readonly #piped: PipedProcess;
  readonly #log: Log;
  #standardError: StandardError;
  #windowEndsAt = 0;
  /** The end of the standard error of the window before. */
  #saidBefore = '';
  #exited = false;
  #ending = false;

  constructor(
    options: ChannelProgramsOptions,
    { take }: ChannelProgramOptions,
    private readonly started: StartedProgram,
  ) {
    this.pid = started.pid;
    this.#piped = started.piped;
    this.#log = options.log;
    this.#standardError = this.#newWindow();
    this.ended = this.#follow(take);
  }

  get unreadBytes(): number {
    return this.#piped.stdin.writableLength;
  }

  write(text: string): void {
    if (this.#piped.stdin.writable) this.#piped.stdin.write(text);
  }

  end(gentleMs: number): void {
    if (this.#ending || this.#exited) return;
    this.#ending = true;
    this.#piped.stdin.end();
    setTimeout(() => {
      if (!this.#exited) this.started.tree.end();
    }, gentleMs);
  }

  #newWindow(): StandardError {
    this.#windowEndsAt = performance.now() + standardErrorWindowMs;
    return new StandardError((line) => this.#log.info(`channel: ${line}`));
  }

  #noteError(bytes: Buffer): number {
    if (performance.now() > this.#windowEndsAt) {
      this.#standardError.end();
      this.#saidBefore = this.#standardError.tail();
      this.#standardError = this.#newWindow();
    }
    return this.#standardError.write(bytes);
  }

  async #follow(take: (bytes: Buffer) => Promise<void>): Promise<string> {
    const { child, stdin, stdout, stderr } = this.#piped;
    child.on('error', (error) => this.#log.warning(`The program: ${error.message}`));
    // It may end without reading all: its end is told by `exit`.
    for (const stream of [stdin, stderr]) stream.on('error', () => undefined);
    const readOn = readInTurns(
      stderr,
      (bytes) => this.#noteError(bytes),
      () => (this.#standardError.isFull && !this.#exited ? pauseWhenFullMs : 0),
    );
    const read = this.#read(take);
    const how = await new Promise<string>((resolve) => {
      child.once('exit', (status, signal) => {
        this.#exited = true;
        readOn();
        this.started.tree.sweep(() => resolve(this.#howOf(status, signal)));
      });
    });
    await Promise.race([read, new Promise((resolve) => setTimeout(resolve, closedOutputMs))]);
    for (const stream of [stdin, stdout, stderr]) stream.destroy();
    this.#standardError.end();
    return how;
  }

  async #read(take: (bytes: Buffer) => Promise<void>): Promise<void> {
    try {
      for await (const bytes of this.#piped.stdout) {
        await take(bytes as Buffer);
        // Whoever writes without end has its share of a turn of the event loop.
        await nextTurn();
      }
    } catch (error) {
      if (!this.#exited) this.#log.warning(`The program's output could not be read: ${errorMessage(error)}`);
    }
    // A program that has closed its output can say nothing any more.
    this.end(closedOutputMs);
  }

  #howOf(status: number | null, signal: NodeJS.Signals | null): string {
    const tail = this.#standardError.tail() || this.#saidBefore;
    const failure = failedInShell(this.started.tree.group, status, tail);
    if (failure !== null) return `could not be started: ${failure}`;
    const said = tail === '' ? '; it wrote nothing to standard error' : `; standard error ends: ${tail}`;
    return `${signal === null ? `exited with status ${status}` : killedBy(signal)}${said}`;
  }
}
