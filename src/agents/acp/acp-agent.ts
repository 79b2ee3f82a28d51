import type { Log } from '../../log/log.js';
import { errorMessage } from '../../text/failure-text.js';
import type { Agent, AgentEvent, AgentRequest } from '../agent.js';
import { makeTurnDirectories } from '../agent-directories.js';
import type { AgentGroups } from '../agent-groups.js';
import { inheritedEnvironment } from '../command-environment.js';
import { type PlacedFile, PlacedFiles } from '../placed-files.js';
import type { TurnProcess } from '../turn-processes.js';
import { MergedEvents } from './merged-events.js';
import type { SessionPool } from './session-pool.js';
import type { FileAccess } from './text-files.js';

export interface AcpAgentOptions {
  /** The program and its arguments, as execvp(3) takes them; no shell is involved. */
  readonly command: readonly string[];
  /** "unix:/PATH" where the service manager starts it as another user, in the place of `command`; null: it doesn't. */
  readonly connect: string | null;
  /** Its working directory; null: that of the session. */
  readonly cwd: string | null;
  /** A file of MCP servers; null: there are none. */
  readonly mcpServers: string | null;
  readonly mode: string | null;
  readonly model: string | null;
  /** Kinds of tools that it may use, and those about which a person is asked. */
  readonly allow: readonly string[];
  readonly ask: readonly string[];
  /** Access to files of the session's directory, through the gateway. */
  readonly fs: FileAccess;
  /** Terminals that a turn may have at a time; 0: none are offered. */
  readonly terminals: number;
  /** Time after which a process that runs no turn is ended, in milliseconds. */
  readonly idle: number;
  readonly processesLimit: number;
  /** Time between SIGTERM and SIGKILL, in milliseconds. */
  readonly killDelay: number;
  /** Largest reply, in bytes. */
  readonly replyLimit: number;
  /** Largest memory of a process and all that it starts, in bytes; null: no limit. */
  readonly memoryMax: number | null;
  /** Null: its processes have no control groups of their own. */
  readonly groups: AgentGroups | null;
  /** The agents' own, below which are their home and the directories of the sessions. */
  readonly directory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Names of variables of the gateway that it gets in any case. */
  readonly env: readonly string[];
  readonly log: Log;
  /** Has the process of each turn that runs. */
  readonly processes: Set<TurnProcess>;
}

/** Resolves once the reply of a turn is on its way to the store, whose calls are sent by an immediate. */
async function pastImmediates(): Promise<void> {
  for (let round = 0; round < 2; round++) await new Promise((resolve) => setImmediate(resolve));
}

/**
 * Speaks the Agent Client Protocol, version 1, with a program on its standard streams (docs/agents/acp.md). Each session
 * has a process of its own, which lives from turn to turn until it has been idle for long.
 */
export class AcpAgent implements Agent {
  readonly type = 'acp';
  readonly #options: AcpAgentOptions;
  #pool: Promise<SessionPool> | null = null;

  constructor(options: AcpAgentOptions) {
    this.#options = options;
  }

  async *run(request: AgentRequest, signal: AbortSignal): AsyncGenerator<AgentEvent> {
    const { connect, directory, log } = this.#options;
    this.#pool ??= this.#makePool();
    const pool = await this.#pool;
    const { files } = request;
    if (files.length === 0 || connect !== null) {
      yield* this.#turn(pool, request, connect === null ? [] : null, signal);
      return;
    }
    const placed = await PlacedFiles.place(directory, files, signal);
    try {
      yield* this.#turn(pool, request, placed.list, signal);
    } finally {
      await placed.remove(log);
    }
  }

  async *#turn(
    pool: SessionPool,
    request: AgentRequest,
    placed: readonly PlacedFile[] | null,
    signal: AbortSignal,
  ): AsyncGenerator<AgentEvent> {
    const { processes, log } = this.#options;
    const session = await pool.take(request, signal);
    const { turnId, messageId, session: sessionName } = request;
    const { pid, controlGroup } = session;
    const turnProcess = pid === null ? null : { pid, controlGroup, turnId, messageId, session: sessionName };
    if (turnProcess !== null) processes.add(turnProcess);
    const queue = new MergedEvents();
    const forget = () => {
      if (turnProcess !== null) processes.delete(turnProcess);
    };
    // The session's next turn waits for what this one has left behind to end. The reply does not.
    const clearUp = async () => {
      try {
        await pastImmediates();
        await session.clearUp();
      } catch (error) {
        const message = `The gateway could not look for what a turn has left behind: ${errorMessage(error)}`;
        log.warning(message, { SD_GATEWAY_SESSION: sessionName, SD_GATEWAY_MESSAGE: messageId });
      } finally {
        forget();
      }
    };
    const reply = session
      .turn(request, placed, signal, (event) => queue.push(event))
      .then(
        (given) => {
          pool.give(session, clearUp());
          return given;
        },
        (error: unknown) => {
          forget();
          pool.give(session);
          throw error;
        },
      )
      .finally(() => queue.end());
    reply.catch(() => undefined);
    yield { type: 'started' };
    yield* queue;
    yield { type: 'end', reply: await reply };
  }

  endSession(session: string): void {
    void this.#pool?.then((pool) => pool.endSession(session));
  }

  async close(): Promise<void> {
    await (await this.#pool)?.close();
  }

  /** Loads the protocol's part of the program, which others have no need of. */
  async #makePool(): Promise<SessionPool> {
    const [{ SessionPool }, { AcpSession }, { readMcpServers }] = await Promise.all([
      import('./session-pool.js'),
      import('./session.js'),
      import('./mcp-servers.js'),
    ]);
    const { command, connect, cwd, directory, log, env, environment, mcpServers } = this.#options;
    const { groups, memoryMax, killDelay: killDelayMs } = this.#options;
    const inherited = inheritedEnvironment(environment, env);
    const keepsHome = env.includes('HOME') && environment['HOME'] !== undefined;
    const started = (session: string) => {
      const directories = makeTurnDirectories(directory, session);
      return {
        command,
        cwd: cwd ?? directories.session,
        env: {
          ...inherited,
          ...(!keepsHome && { HOME: directories.home }),
          SD_GATEWAY_SESSION: session,
        },
        directory,
        killDelayMs,
        groups,
        memoryMax,
        log,
      };
    };
    return new SessionPool({
      limit: this.#options.processesLimit,
      idleMs: this.#options.idle,
      open: async (request, signal) =>
        AcpSession.open(
          {
            agent:
              connect === null ? started(request.session) : { connect, cwd: cwd ?? '/', killDelayMs, log },
            mcpServers: async () => (mcpServers === null ? [] : readMcpServers(mcpServers)),
            mode: this.#options.mode,
            model: this.#options.model,
            permissions: { allow: this.#options.allow, ask: this.#options.ask },
            fs: this.#options.fs,
            terminals: this.#options.terminals,
            processes: this.#options.processes,
            replyLimitBytes: this.#options.replyLimit,
            log,
          },
          request,
          signal,
        ),
    });
  }
}
