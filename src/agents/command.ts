import { lowerOpenFilesLimit } from '../linux/process.js';
import type { Log, LogFields } from '../log/log.js';
import { type Agent, AgentError, type AgentEvent, type AgentReply, type AgentRequest } from './agent.js';
import { makeTurnDirectories } from './agent-directories.js';
import type { AgentGroups } from './agent-groups.js';
import { inheritedEnvironment, turnEnvironment } from './command-environment.js';
import { killedBy, notExecuted, tookTooMuchMemory } from './command-errors.js';
import { type CommandInput, inputText, turnArguments } from './command-input.js';
import { type CommandOutput, type OutputFile, type OutputReader, outputReader } from './command-output.js';
import { EventQueue } from './event-queue.js';
import { endBeforeGateway } from './oom-score.js';
import { openFilesLimit, type PipedProcess } from './piped-process.js';
import { type PlacedFile, PlacedFiles } from './placed-files.js';
import type { ProcessTree } from './process-tree.js';
import { readInTurns } from './read-in-turns.js';
import { ReplyFiles, readBelow } from './reply-files.js';
import { pauseWhenFullMs, StandardError } from './standard-error.js';
import { failedInShell, startProgram } from './start-program.js';
import type { TurnProcess } from './turn-processes.js';

/** For the lines of its standard error that are logged, which are taken in steps. */
const roundsWhenCutOff = 25;

export interface CommandAgentOptions {
  /** The program and its arguments, as execvp(3) takes them; no shell is involved. Words such as "{session}" are replaced. */
  readonly command: readonly string[];
  /** Longest time of a turn, in milliseconds. */
  readonly timeout: number;
  /** Time between SIGTERM and SIGKILL to the command and all that it started, in milliseconds. */
  readonly killDelay: number;
  /** Largest reply, in bytes. */
  readonly replyLimit: number;
  readonly input: CommandInput;
  readonly output: CommandOutput;
  /** Largest memory of a command and all that it starts, in bytes; null: no limit. */
  readonly memoryMax: number | null;
  /** Null: commands have no control groups of their own. */
  readonly groups: AgentGroups | null;
  /** The agents' own, below which are their home and the directories of the sessions. */
  readonly directory: string;
  /** The gateway's own environment; the unit's variables and the gateway's settings are taken out. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Names of variables that commands get in any case. */
  readonly env: readonly string[];
  readonly log: Log;
  /** Has each command for as long as its turn runs. */
  readonly processes: Set<TurnProcess>;
}

/**
 * Runs a program for each message.
 *
 * - Standard input: the turn as one line of JSON, or its text alone (docs/agents.md). A program need not read it.
 * - Standard output: the reply, UTF-8. One line feed at its end is taken off; nothing at all is an empty reply. With
 *   `output` "jsonl" it is events, one a line, which may name files below its current directory.
 * - Standard error: logged line by line; its end goes into the error of a turn that fails.
 * - Exit status 0: the reply counts. Any other, or an end by a signal: the turn failed and may be tried again.
 *
 * Its current directory is its session's, and its `HOME` that of all agents; both are kept.
 *
 * The program leads a process group of its own, inherits no descriptor but these three, and neither the unit's
 * environment nor the gateway's. The turn ends when the program exits; what it left running is ended (SIGTERM, SIGKILL
 * after `killDelay`) before the turn is over, also what left its group.
 */
export class CommandAgent implements Agent {
  readonly type = 'command';
  readonly #file: string;
  readonly #arguments: readonly string[];
  readonly #environment: Readonly<Record<string, string>>;
  readonly #keepsHome: boolean;
  #knowsNoScore = false;
  #knowsNoLimit = false;

  constructor(private readonly options: CommandAgentOptions) {
    const [file, ...rest] = options.command;
    if (file === undefined) throw new TypeError('agent.command names no program');
    this.#file = file;
    this.#arguments = rest;
    this.#environment = inheritedEnvironment(options.environment, options.env);
    this.#keepsHome = options.env.includes('HOME') && options.environment['HOME'] !== undefined;
  }

  run(request: AgentRequest, signal: AbortSignal): AsyncIterable<AgentEvent> {
    const events = new EventQueue();
    this.#runWithFiles(request, signal, (event) => events.push(event)).then(
      (reply) => events.push({ type: 'end', reply }),
      (error: unknown) => events.fail(error),
    );
    return events;
  }

  /** Gives the command copies of the message's files for as long as the turn runs. */
  async #runWithFiles(
    request: AgentRequest,
    signal: AbortSignal,
    onEvent: (event: AgentEvent) => void,
  ): Promise<AgentReply> {
    if (request.files.length === 0) return this.#turn(request, [], signal, onEvent);
    const { directory, log } = this.options;
    const placed = await PlacedFiles.place(directory, request.files, signal);
    try {
      return await this.#turn(request, placed.list, signal, onEvent);
    } finally {
      await placed.remove(log);
    }
  }

  async #turn(
    request: AgentRequest,
    files: readonly PlacedFile[],
    signal: AbortSignal,
    onEvent: (event: AgentEvent) => void,
  ): Promise<AgentReply> {
    if (signal.aborted) {
      throw new AgentError('cancelled', 'the turn was cancelled before its command was started', true);
    }
    const { directory, killDelay: killDelayMs, groups, memoryMax, processes } = this.options;
    const directories = makeTurnDirectories(directory, request.session);
    const { pid, piped, tree } = await startProgram({
      command: [this.#file, ...turnArguments(this.#arguments, request)],
      cwd: directories.session,
      env: {
        ...this.#environment,
        ...(!this.#keepsHome && { HOME: directories.home }),
        ...turnEnvironment(request),
      },
      directory,
      killDelayMs,
      groups,
      memoryMax,
    });
    this.#offer(pid);
    this.#limit(pid);
    const { turnId, messageId, session } = request;
    const controlGroup = tree.group?.directory ?? null;
    const turnProcess = { pid, controlGroup, turnId, messageId, session };
    processes.add(turnProcess);
    onEvent({ type: 'started' });
    return new Promise((resolve, reject) => {
      const replyFiles = new ReplyFiles(request, signal, (failure) => turn.fail(failure));
      const onFile = (file: OutputFile) =>
        'bytes' in file
          ? replyFiles.add(file, () => [file.bytes], file.bytes.length)
          : replyFiles.add(file, () => readBelow(directories.session, file.path));
      const output = outputReader(this.options.output, this.options.replyLimit, onEvent, onFile);
      const input = inputText(request, files, this.options.input);
      const turn = new CommandTurn(this.options, request, input, signal, piped, tree, output, (outcome) => {
        processes.delete(turnProcess);
        if (outcome instanceof AgentError) reject(outcome);
        else resolve(replyFiles.addTo(outcome));
      });
    });
  }

  /** To the kernel, for when memory runs out. */
  #offer(pid: number): void {
    try {
      endBeforeGateway(pid);
    } catch (error) {
      if (this.#knowsNoScore) return;
      this.#knowsNoScore = true;
      this.options.log.notice(
        `When memory runs out the kernel may end the gateway rather than the agent's command: ${(error as Error).message}`,
      );
    }
  }

  /** Node.js has raised the gateway's own limit. Programs that use select(2), or close all that could be open, rely on it. */
  #limit(pid: number): void {
    try {
      lowerOpenFilesLimit(pid, openFilesLimit);
    } catch (error) {
      if (this.#knowsNoLimit) return;
      this.#knowsNoLimit = true;
      this.options.log.notice(
        `The agent's command has the gateway's limit of descriptors: ${(error as Error).message}`,
      );
    }
  }
}

/** One running command. */
class CommandTurn {
  readonly #tree: ProcessTree;
  readonly #standardError: StandardError;
  readonly #fields: LogFields;
  readonly #timer: NodeJS.Timeout;
  readonly #cancel = () =>
    this.#cutOff(new AgentError('cancelled', 'the turn was cancelled and its command ended', true));
  #exited = false;
  #arrived = 0;
  #openOutputs = 2;
  /** Why the turn fails whatever the command still does. */
  #failure: AgentError | null = null;

  constructor(
    private readonly options: CommandAgentOptions,
    request: AgentRequest,
    input: string,
    private readonly signal: AbortSignal,
    private readonly piped: PipedProcess,
    tree: ProcessTree,
    private readonly output: OutputReader,
    private readonly done: (outcome: AgentReply | AgentError) => void,
  ) {
    const { child, stdin, stdout, stderr } = piped;
    this.#fields = { SD_GATEWAY_SESSION: request.session, SD_GATEWAY_MESSAGE: request.messageId };
    this.#tree = tree;
    this.#standardError = new StandardError((line) => options.log.info(`agent: ${line}`, this.#fields));
    const timedOut = () =>
      this.#cutOff(
        new AgentError(
          'timeout',
          `the command did not end within ${options.timeout / 1_000} s (agent.timeout) and was ended`,
          true,
        ),
      );
    // After a pause of the whole process the command may have exited already, and that is read first.
    this.#timer = setTimeout(() => setImmediate(timedOut), options.timeout);
    signal.addEventListener('abort', this.#cancel, { once: true });
    // Listened to before anything is written: a command that is gone already must not become an uncaught error.
    child.on('error', (error) =>
      this.fail(new AgentError('killed', `the command could not be ended: ${error.message}`, true)),
    );
    stdin.on('error', (error: NodeJS.ErrnoException) => this.#inputFailed(error));
    readInTurns(stdout, (bytes) => {
      this.#arrived += 1;
      const failure = this.output.write(bytes);
      if (failure !== null) this.fail(failure);
      return bytes.length;
    });
    const readOn = readInTurns(
      stderr,
      (bytes) => {
        this.#arrived += 1;
        return this.#standardError.write(bytes);
      },
      () => (this.#standardError.isFull && !this.#exited ? pauseWhenFullMs : 0),
    );
    for (const stream of [stdout, stderr]) {
      stream.on('error', (error) =>
        this.fail(
          new AgentError('bad-reply', `the command's output could not be read: ${error.message}`, true),
        ),
      );
      stream.once('close', () => {
        this.#openOutputs -= 1;
      });
    }
    child.once('exit', (status, signal) => {
      this.#exited = true;
      readOn();
      clearTimeout(this.#timer);
      this.#tree.sweep(() => this.#drain(() => this.#finish(status, signal)));
    });
    stdin.end(input);
  }

  /** Fails the turn, once, and ends the process group; the turn is over when it has ended. */
  fail(failure: AgentError): void {
    this.#failure ??= failure;
    this.#tree.end();
  }

  /** A command that has exited has its outcome, which is only read now: `#drain` sees to it that this ends. */
  #cutOff(failure: AgentError): void {
    if (!this.#exited) this.fail(failure);
  }

  #inputFailed(error: NodeJS.ErrnoException): void {
    // A command may exit or close its standard input without reading it; that is its own business.
    if (error.code === 'EPIPE' || error.code === 'ECONNRESET') return;
    this.options.log.warning(
      `The message could not be written to the command's standard input: ${error.message}`,
      this.#fields,
    );
  }

  /**
   * Takes what the command had written. Usually its outputs have ended or end now. A process that left the group
   * may hold them open for ever; then all has arrived once a whole round of the event loop brought nothing more. It may
   * write for ever, too: a turn that has failed or is cut off waits for so many such rounds and no more, which are enough
   * for what the command itself had written.
   */
  #drain(drained: () => void, rounds = roundsWhenCutOff): void {
    if (this.#openOutputs === 0) {
      drained();
      return;
    }
    const before = this.#arrived;
    const isCutOff = this.#failure !== null || this.signal.aborted;
    setImmediate(() =>
      setImmediate(() => {
        if (this.#openOutputs === 0 || this.#arrived === before) {
          drained();
        } else if (isCutOff && rounds === 0) {
          this.#failure ??= new AgentError(
            'cancelled',
            'the turn was cancelled while a process that its command had left behind still wrote',
            true,
          );
          drained();
        } else {
          this.#drain(drained, isCutOff ? rounds - 1 : rounds);
        }
      }),
    );
  }

  #finish(status: number | null, signal: NodeJS.Signals | null): void {
    this.signal.removeEventListener('abort', this.#cancel);
    for (const stream of [this.piped.stdin, this.piped.stdout, this.piped.stderr]) stream.destroy();
    this.#standardError.end();
    this.done(this.#failure ?? this.#outcome(status, signal));
  }

  #outcome(status: number | null, signal: NodeJS.Signals | null): AgentReply | AgentError {
    const tail = this.#standardError.tail();
    if (this.#tree.metMemoryMax) return tookTooMuchMemory('command', this.options.memoryMax);
    const failure = failedInShell(this.#tree.group, status, tail);
    if (failure !== null) return notExecuted(failure);
    const said = tail === '' ? '; it wrote nothing to standard error' : `; standard error ends: ${tail}`;
    if (signal !== null) return new AgentError('killed', `the command ${killedBy(signal)}${said}`, true);
    if (status !== 0)
      return new AgentError('failed', `the command exited with status ${status}${said}`, true);
    return this.output.end();
  }
}
