import { randomUUID } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { relative } from 'node:path';
import type { Log, LogFields } from '../../log/log.js';
import { AgentError } from '../agent.js';
import { onceAborted } from '../once-aborted.js';
import { oneLine } from '../one-line.js';
import type { ProgramToStart } from '../start-program.js';
import type { TurnProcess } from '../turn-processes.js';
import { invalidParams, invalidRequest, RpcError, resourceNotFound } from './rpc.js';
import { AgentTerminal } from './terminal.js';
import { membersOf } from './updates.js';

/** Largest output of a terminal that is kept, in bytes. */
const largestOutputBytes = 1024 ** 2;

const methods: ReadonlySet<string> = new Set(
  ['create', 'output', 'wait_for_exit', 'kill', 'release'].map((word) => `terminal/${word}`),
);

/** True if the gateway has announced the method to an agent that may have so many terminals. */
export function offersTerminal(method: string, limit: number): boolean {
  return limit > 0 && methods.has(method);
}

export interface TerminalsOptions {
  /** The surroundings of each command, which are those of the agent. */
  readonly program: Omit<ProgramToStart, 'command'>;
  /** Terminals at a time. */
  readonly limit: number;
  /** Has the process of each, as part of the turn. */
  readonly processes: Set<TurnProcess>;
  readonly turn: Omit<TurnProcess, 'pid'>;
  readonly log: Log;
  readonly fields: LogFields;
}

/** The terminals of one turn (ACP, "Terminals"), which end with it. */
export class Terminals {
  readonly #options: TerminalsOptions;
  /** By their ids, until they are released. */
  readonly #open = new Map<string, AgentTerminal>();
  /** By their ids, until they are released and have ended. Null: it was not started after all. */
  readonly #held = new Map<string, Promise<AgentTerminal | null>>();
  #isOver = false;

  constructor(options: TerminalsOptions) {
    this.#options = options;
  }

  /**
   * Answers a request of the agent.
   *
   * @param signal aborted if the request is taken back
   * @throws RpcError
   */
  async answer(method: string, params: unknown, signal: AbortSignal): Promise<object> {
    if (method === 'terminal/create') return this.#create(params);
    const id = membersOf(params)['terminalId'];
    const terminal = typeof id === 'string' ? this.#open.get(id) : undefined;
    if (typeof id !== 'string' || terminal === undefined) {
      throw new RpcError(resourceNotFound, `the turn has no terminal ${oneLine(String(JSON.stringify(id)))}`);
    }
    if (method === 'terminal/output') return terminal.read();
    if (method === 'terminal/wait_for_exit') return endOf(terminal, signal);
    terminal.kill();
    if (method === 'terminal/release') {
      this.#open.delete(id);
      void terminal.ended.then(() => this.#held.delete(id));
    }
    return {};
  }

  /** Ends all of them, and resolves once nothing of them runs. No further one is made. */
  async end(): Promise<void> {
    this.#isOver = true;
    this.#open.clear();
    await Promise.all(
      [...this.#held.values()].map(async (start) => {
        const terminal = await start;
        terminal?.kill();
        await terminal?.ended;
      }),
    );
  }

  async #create(params: unknown): Promise<object> {
    const { program, limit, log, fields } = this.#options;
    if (this.#isOver) throw new RpcError(invalidRequest, 'the turn is over');
    if (this.#held.size >= limit) {
      throw new RpcError(
        invalidRequest,
        `${limit} terminals are open, which is the limit (agent.terminals): release one`,
      );
    }
    const { command, args, env, cwd, outputByteLimit } = membersOf(params);
    const words = commandOf(command, args);
    const limitBytes = Math.min(byteLimit(outputByteLimit), largestOutputBytes);
    const started = AgentTerminal.start(
      {
        ...program,
        command: words,
        env: { ...program.env, ...variablesOf(env) },
        cwd: directoryOf(cwd, program.cwd),
      },
      limitBytes,
      log,
      fields,
    );
    const id = `terminal-${randomUUID()}`;
    this.#held.set(
      id,
      started.catch(() => null),
    );
    try {
      this.#opened(id, await started);
    } catch (error) {
      this.#held.delete(id);
      if (!(error instanceof AgentError)) throw error;
      throw new RpcError(invalidRequest, oneLine(error.message, 1_000));
    }
    log.info(`The agent runs a command in a terminal: ${oneLine(words.join(' '))}`, fields);
    return { terminalId: id };
  }

  #opened(id: string, terminal: AgentTerminal): void {
    if (!this.#isOver) this.#open.set(id, terminal);
    const { processes, turn } = this.#options;
    const turnProcess = { ...turn, pid: terminal.pid };
    processes.add(turnProcess);
    void terminal.ended.then(() => processes.delete(turnProcess));
  }
}

async function endOf(terminal: AgentTerminal, signal: AbortSignal): Promise<object> {
  const { aborted, stop } = onceAborted(signal, null);
  const end = await Promise.race([terminal.ended, aborted]);
  stop();
  if (end === null) throw signal.reason;
  return end;
}

const shell = '/bin/sh';

/** Words for execvp(3). Agents give whole lines as well, with no arguments: these are for a shell. */
function commandOf(command: unknown, args: unknown): readonly string[] {
  if (!isText(command) || command === '') {
    throw new RpcError(invalidParams, '"command" must be the name of a program');
  }
  const words = args ?? [];
  if (!Array.isArray(words) || !words.every(isText)) {
    throw new RpcError(invalidParams, '"args" must be texts without a NUL character');
  }
  return words.length === 0 && /\s/.test(command.trim()) ? [shell, '-c', command] : [command, ...words];
}

function variablesOf(env: unknown): Readonly<Record<string, string>> {
  const list = env ?? [];
  const variables = (Array.isArray(list) ? list : [list]).map(membersOf).map(({ name, value }) => {
    if (!isText(name) || !isText(value) || name === '' || name.includes('=')) {
      throw new RpcError(invalidParams, '"env" must be a list of objects with "name" and "value"');
    }
    return [name, value] as const;
  });
  return Object.fromEntries(variables);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && !value.includes('\0');
}

function byteLimit(limit: unknown): number {
  if (limit === undefined || limit === null) return largestOutputBytes;
  if (typeof limit === 'number' && Number.isInteger(limit) && limit >= 0) return limit;
  throw new RpcError(invalidParams, '"outputByteLimit" must be a whole number');
}

/** The directory that a command begins in: the session's, or one below it. The command itself can go elsewhere. */
function directoryOf(cwd: unknown, directory: string): string {
  if (cwd === undefined || cwd === null) return directory;
  if (!isText(cwd) || !cwd.startsWith('/')) {
    throw new RpcError(invalidParams, '"cwd" must be an absolute path');
  }
  try {
    const found = realpathSync(cwd);
    const [first] = relative(realpathSync(directory), found).split('/');
    if (first !== '..') return found;
  } catch (error) {
    throw new RpcError(resourceNotFound, oneLine(`${cwd}: ${(error as NodeJS.ErrnoException).code}`, 1_000));
  }
  throw new RpcError(invalidParams, oneLine(`${cwd}: it is not below the directory of the session`, 1_000));
}
