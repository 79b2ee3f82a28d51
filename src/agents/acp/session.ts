import type { CancelNotification, McpServer } from '@agentclientprotocol/sdk';
import type { Log, LogFields } from '../../log/log.js';
import { errorMessage } from '../../text/failure-text.js';
import {
  AgentError,
  type AgentEvent,
  type AgentReply,
  type AgentRequest,
  type QuestionOption,
} from '../agent.js';
import { onceAborted } from '../once-aborted.js';
import { oneLine } from '../one-line.js';
import type { PlacedFile } from '../placed-files.js';
import { ReplyFiles } from '../reply-files.js';
import type { TurnProcess } from '../turn-processes.js';
import { AgentConnection, type AgentConnectionOptions } from './agent-connection.js';
import type { AgentLink, LinkHandlers } from './agent-link.js';
import { AgentProcess, type AgentProcessOptions } from './agent-process.js';
import { conversationText, mostContextTurns, turnPrompt } from './context.js';
import {
  authRequired,
  errorText,
  LoginWanted,
  type OpenedSession,
  openSession,
  type SessionRecord,
  sessionRecord,
  unopened,
} from './handshake.js';
import {
  type PermissionSettings,
  permissionAnswer,
  permissionPolicy,
  questionOf,
  questionOptions,
} from './permissions.js';
import { carriedFiles, linkedFiles } from './prompt-files.js';
import { lastTurnOf, Replay } from './replay.js';
import { noteDenied, turnReply } from './reply.js';
import { invalidRequest, methodNotFound, RpcError } from './rpc.js';
import { offersTerminal, Terminals } from './terminals.js';
import { answerFile, type FileAccess, offersFile } from './text-files.js';
import { membersOf, type ToolCallFacts, TurnUpdates, toolCallFacts, usageOf } from './updates.js';

export interface AcpSessionOptions {
  readonly agent: AgentProcessOptions | AgentConnectionOptions;
  readonly mcpServers: () => Promise<readonly McpServer[]>;
  readonly mode: string | null;
  readonly model: string | null;
  readonly permissions: PermissionSettings;
  readonly fs: FileAccess;
  /** Terminals of a turn at a time; 0: none are offered. */
  readonly terminals: number;
  readonly processes: Set<TurnProcess>;
  readonly replyLimitBytes: number;
  readonly log: Log;
}

/** Agents answer `session/cancel` within some milliseconds. */
const cancelAnswerMs = 1_000;

/** Time for a process whose standard input was closed to write its session and to exit by itself. */
const gentleEndMs = 300;

const cutOff = Symbol('cut off');

interface RunningTurn {
  readonly updates: TurnUpdates;
  readonly fields: LogFields;
  readonly denied: ToolCallFacts[];
  readonly emit: (event: AgentEvent) => void;
  /** Null: the agent is no program of the gateway's. */
  readonly terminals: Terminals | null;
  /** Resolves when the turn is cut off. */
  readonly aborted: Promise<symbol>;
  isCutOff: boolean;
}

/** A session of an agent that speaks ACP, in a process of its own. It runs one turn at a time. */
export class AcpSession {
  readonly #options: AcpSessionOptions;
  #replay: Replay | null = null;
  #process: AgentLink | null = null;
  #opened: OpenedSession = unopened;
  /** The conversation so far, which the agent does not know. */
  #context: string | null = null;
  #turn: RunningTurn | null = null;
  /** True once the agent was asked for a session that there was. */
  #resuming = false;

  private constructor(options: AcpSessionOptions) {
    this.#options = options;
  }

  /**
   * Starts the agent and opens its session that belongs to the turn's. One that the agent has lost begins anew.
   *
   * @throws AgentError
   */
  static async open(
    options: AcpSessionOptions,
    request: AgentRequest,
    signal: AbortSignal,
  ): Promise<AcpSession> {
    let session = new AcpSession(options);
    try {
      const record = sessionRecord(await request.agentSession.read());
      try {
        await session.#open(record?.cwd === options.agent.cwd ? record : null, request, signal);
      } catch (error) {
        if (!session.#resuming || signal.aborted) throw error;
        options.log.warning(
          `The agent failed while it opened a session again, which begins anew: ${errorMessage(error)}`,
          fieldsOf(request),
        );
        await session.end(0);
        session = new AcpSession(options);
        await session.#open(null, request, signal);
      }
      return session;
    } catch (error) {
      await session.end(0);
      throw notOpened(error);
    }
  }

  /** Null: it has no process of the gateway's. */
  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  /** The directory of its process's control group; null: it has none of its own. */
  get controlGroup(): string | null {
    return this.#process?.group?.directory ?? null;
  }

  /** False once its process ends, or has ended. */
  get isUsable(): boolean {
    return this.#process?.isUsable ?? false;
  }

  /** Resolves once nothing of its process is left. */
  get ended(): Promise<unknown> {
    return this.#process?.ended ?? Promise.resolve();
  }

  /** Ends its process, and resolves once nothing of it is left. */
  async end(gentleMs = gentleEndMs): Promise<void> {
    this.#process?.end(gentleMs);
    await this.ended;
  }

  /**
   * Runs one turn. Rejects with an `AgentError`; if the turn was cut off, or the agent failed, its process has ended then.
   *
   * @param placed copies of the message's files; null: the agent can't read what the gateway writes
   */
  async turn(
    request: AgentRequest,
    placed: readonly PlacedFile[] | null,
    signal: AbortSignal,
    emit: (event: AgentEvent) => void,
  ): Promise<AgentReply> {
    const agent = this.#process;
    if (agent === null) throw new Error('The session is not open.');
    const fields = fieldsOf(request);
    const { sessionId, takes } = this.#opened;
    const files =
      placed === null ? await carriedFiles(request.files, takes) : await linkedFiles(placed, takes);
    const prompt = turnPrompt(request, { sessionId, context: this.#context, files });
    agent.turnBegins(fields);
    const replyFiles = new ReplyFiles(request, signal);
    const updates = new TurnUpdates(this.#options.replyLimitBytes, emit, replyFiles);
    const abort = onceAborted(signal, cutOff);
    const { aborted } = abort;
    const terminals = this.#terminals(agent, request);
    const turn: RunningTurn = { updates, fields, denied: [], emit, terminals, aborted, isCutOff: false };
    this.#turn = turn;
    const hasContext = this.#context !== null;
    let answer: unknown;
    try {
      // An update behind the answer is late.
      const answered = agent.connection.request('session/prompt', prompt, () => {
        this.#turn = null;
      });
      answer = await Promise.race([answered, aborted]);
      if (answer === cutOff) {
        turn.isCutOff = true;
        await this.#cancel(agent, answered, turn);
      }
    } catch (error) {
      void terminals?.end();
      if (error instanceof RpcError) {
        if (error.code === authRequired && updates.text === '' && !updates.acted) {
          // Another process may find that somebody has logged in.
          await this.end();
          throw new LoginWanted(errorText(error), this.#opened.authMethods);
        }
        await agent.turnEnds();
        throw new AgentError('failed', `the agent answered with ${errorText(error)}${agent.said()}`, true);
      }
      // Its process is ending, or has ended.
      await agent.ended;
      throw error;
    } finally {
      abort.stop();
      this.#turn = null;
      await terminals?.end();
    }
    this.#context = null;
    const usage = usageOf(answer);
    if (usage !== null) emit(usage);
    const { denied } = turn;
    const { stopReason } = membersOf(answer);
    const { text, acted } = updates;
    return replyFiles.addTo(turnReply({ stopReason, text, acted, denied, hasContext }));
  }

  /** Ends what the last turn has left behind. Resolves when nothing of it runs. */
  async clearUp(): Promise<void> {
    if (this.isUsable) await this.#process?.turnEnds();
  }

  /** A tool may go on after the agent has answered, so the process ends in any case. */
  async #cancel(agent: AgentLink, answer: Promise<unknown>, { terminals }: RunningTurn): Promise<never> {
    const notification: CancelNotification = { sessionId: this.#opened.sessionId };
    agent.connection.notify('session/cancel', notification);
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      answer.catch(() => undefined),
      new Promise((resolve) => {
        timer = setTimeout(resolve, cancelAnswerMs);
      }),
    ]);
    clearTimeout(timer);
    void terminals?.end();
    await this.end();
    throw new AgentError('cancelled', 'the turn was cancelled and its agent ended', true);
  }

  async #open(record: SessionRecord | null, request: AgentRequest, signal: AbortSignal): Promise<void> {
    const { agent: options, mode, model, fs, terminals, log } = this.#options;
    const fields = fieldsOf(request);
    const mcpServers = await this.#options.mcpServers();
    const lastTurn = record === null ? null : await lastTurnOf(request);
    if (signal.aborted) throw cancelledBefore();
    const handlers: LinkHandlers = {
      request: (method, params, signal) => this.#request(method, params, signal),
      notification: (method, params) => this.#notified(method, params),
    };
    const agent =
      'connect' in options
        ? await AgentConnection.open(options, fields, handlers, signal)
        : await AgentProcess.start(options, fields, handlers);
    this.#process = agent;
    const cancel = () => agent.fail(cancelledBefore());
    signal.addEventListener('abort', cancel, { once: true });
    try {
      this.#opened = await openSession(
        {
          connection: agent.connection,
          cwd: options.cwd,
          mcpServers,
          mode,
          model,
          fs,
          terminals,
          replay: () => {
            this.#replay = new Replay(lastTurn);
            return this.#replay;
          },
          onLost: (reason) => log.notice(`The agent did not open its session again: ${reason}`, fields),
          onResume: () => {
            this.#resuming = true;
          },
        },
        record,
      );
    } finally {
      signal.removeEventListener('abort', cancel);
      this.#replay = null;
    }
    const { sessionId } = this.#opened;
    if (record?.sessionId !== sessionId) {
      await request.agentSession.write({ sessionId, cwd: options.cwd });
    }
    await this.#findContext(request);
    if (signal.aborted) throw cancelledBefore();
  }

  async #findContext(request: AgentRequest): Promise<void> {
    const { opening } = this.#opened;
    if (opening === 'resumed' || opening === 'loaded') return;
    this.#context = conversationText(await request.history(mostContextTurns));
    if (this.#context === null) return;
    this.#options.log.notice(
      'The agent gets the conversation so far as text, as it knows nothing of it.',
      fieldsOf(request),
    );
  }

  #notified(method: string, params: unknown): void {
    if (method !== 'session/update') return;
    const { sessionId, update } = membersOf(params);
    this.#replay?.take(update);
    // Beside a turn it is a replay, or late.
    if (sessionId === this.#opened.sessionId) this.#turn?.updates.take(update);
  }

  async #request(method: string, params: unknown, signal: AbortSignal): Promise<unknown> {
    const { fs, terminals } = this.#options;
    if (offersFile(method, fs)) {
      this.#turnOf(params);
      return answerFile(method, params, this.#options.agent.cwd);
    }
    if (offersTerminal(method, terminals)) {
      return this.#turnOf(params).terminals?.answer(method, params, signal);
    }
    if (method !== 'session/request_permission') {
      throw new RpcError(methodNotFound, `"${oneLine(method, 100)}" is not offered`);
    }
    const turn = this.#turn;
    const { toolCall, options } = membersOf(params);
    if (turn === null || turn.isCutOff) return { outcome: { outcome: 'cancelled' } };
    const call = toolCallFacts(toolCall, turn.updates.toolCall(membersOf(toolCall)['toolCallId']));
    const { log, permissions } = this.#options;
    const policy = permissionPolicy(call.kind, permissions);
    if (policy === 'ask') {
      return this.#ask(turn, call, questionOptions(options), permissionAnswer('deny', options));
    }
    const what = `${call.title} (${call.kind})`;
    if (policy === 'deny') noteDenied(turn.denied, call);
    log.info(
      policy === 'allow'
        ? `The agent asked for a tool that agent.allow names, and may use it: ${what}`
        : `The agent asked for a tool that neither agent.allow nor agent.ask names, and may not use it: ${what}`,
      turn.fields,
    );
    return permissionAnswer(policy, options);
  }

  /** The turn that a request is part of. */
  #turnOf(params: unknown): RunningTurn {
    const isCurrent = membersOf(params)['sessionId'] === this.#opened.sessionId;
    if (this.#turn === null || this.#turn.isCutOff || !isCurrent) {
      throw new RpcError(invalidRequest, 'files and terminals are offered only during a turn of the session');
    }
    return this.#turn;
  }

  #terminals({ group: groups }: AgentLink, request: AgentRequest): Terminals | null {
    const { agent, terminals: limit, processes, log } = this.#options;
    if ('connect' in agent) return null;
    const { turnId, messageId, session } = request;
    // Theirs are below that of the agent.
    const turn = { turnId, messageId, session, controlGroup: null };
    const program = { ...agent, groups, memoryMax: null };
    return new Terminals({ program, limit, processes, turn, log, fields: fieldsOf(request) });
  }

  /** It may wait for hours, so it is given nothing that holds the whole request. */
  async #ask(
    turn: RunningTurn,
    call: ToolCallFacts,
    choices: readonly QuestionOption[],
    refusal: object,
  ): Promise<unknown> {
    const answered = new Promise<string | null>((answer) => {
      turn.emit({ type: 'question', question: questionOf(call, choices), answer });
    });
    const answer = await Promise.race([answered, turn.aborted]);
    if (answer === cutOff) return { outcome: { outcome: 'cancelled' } };
    const chosen = choices.find(({ id }) => id === answer);
    if (chosen?.effect !== 'allow') noteDenied(turn.denied, call);
    return chosen === undefined ? refusal : { outcome: { outcome: 'selected', optionId: chosen.id } };
  }
}

function fieldsOf(request: AgentRequest): LogFields {
  return {
    SD_GATEWAY_SESSION: request.session,
    SD_GATEWAY_MESSAGE: request.messageId,
    SD_GATEWAY_TURN: request.turnId,
  };
}

function cancelledBefore(): AgentError {
  return new AgentError('cancelled', 'the turn was cancelled before its agent was ready', true);
}

/** The agent has done nothing yet: whatever went wrong, the attempt doesn't count. */
function notOpened(error: unknown): AgentError {
  if (error instanceof AgentError && (error.reason === 'unavailable' || error.reason === 'cancelled'))
    return error;
  const reason =
    error instanceof RpcError ? `the agent answered with ${errorText(error)}` : errorMessage(error);
  return new AgentError('unavailable', `no session could be opened: ${reason}`, true, { cause: error });
}
