import { ticksSinceBoot } from '../../linux/process-scan.js';
import type { Log, LogFields } from '../../log/log.js';
import { AgentError } from '../agent.js';
import type { AgentGroup } from '../agent-groups.js';
import { killedBy, notExecuted, tookTooMuchMemory } from '../command-errors.js';
import type { PipedProcess } from '../piped-process.js';
import type { ProcessTree } from '../process-tree.js';
import { readInTurns } from '../read-in-turns.js';
import { pauseWhenFullMs, StandardError } from '../standard-error.js';
import { failedInShell, limitProgram, type ProgramToStart, startProgram } from '../start-program.js';
import type { AgentLink, LinkHandlers } from './agent-link.js';
import { frameReader } from './frames.js';
import { Garbage } from './garbage.js';
import { RpcConnection } from './rpc.js';

export interface AgentProcessOptions extends ProgramToStart {
  readonly log: Log;
}

/** A process that has closed its standard output ends by itself within this time, or is ended. */
const closedOutputMs = 200;

/**
 * The process of an agent that speaks ACP on its standard streams. It leads a session and a process group of its own, and
 * lives from turn to turn.
 */
export class AgentProcess implements AgentLink {
  readonly pid: number;
  readonly connection: RpcConnection;
  readonly ended: Promise<AgentError>;
  readonly #options: AgentProcessOptions;
  readonly #piped: PipedProcess;
  readonly #tree: ProcessTree;
  #standardError: StandardError;
  #fields: LogFields;
  readonly #garbage: Garbage;
  #turnBeganTicks = 0;
  #exited = false;
  #ending = false;
  /** Why it was ended from here. */
  #failure: AgentError | null = null;

  private constructor(
    options: AgentProcessOptions,
    piped: PipedProcess,
    tree: ProcessTree,
    fields: LogFields,
    handlers: LinkHandlers,
  ) {
    this.pid = tree.pid;
    this.#tree = tree;
    this.#options = options;
    this.#piped = piped;
    this.#fields = fields;
    this.#standardError = this.#newStandardError();
    this.#garbage = new Garbage(options.log, fields);
    this.connection = new RpcConnection(piped.stdin, {
      ...handlers,
      garbage: (line) => this.#garbage.note(line),
      stuck: (reason) => this.fail(new AgentError('failed', `the agent was ended: ${reason}`, true)),
    });
    this.ended = new Promise((resolve) => this.#follow(resolve));
  }

  /** Rejects with an `AgentError` of reason `unavailable` if it can't be started. */
  static async start(
    options: AgentProcessOptions,
    fields: LogFields,
    handlers: LinkHandlers,
  ): Promise<AgentProcess> {
    const { pid, piped, tree } = await startProgram(options);
    limitProgram(pid, options.log, fields);
    return new AgentProcess(options, piped, tree, fields, handlers);
  }

  get group(): AgentGroup | null {
    return this.#tree.group;
  }

  get isUsable(): boolean {
    return !this.#exited && !this.#ending;
  }

  turnBegins(fields: LogFields): void {
    this.#standardError.end();
    this.#fields = fields;
    this.#standardError = this.#newStandardError();
    this.#garbage.turnBegins(fields);
    this.#turnBeganTicks = ticksSinceBoot();
  }

  async turnEnds(): Promise<void> {
    await this.#tree.endOrphans(this.#turnBeganTicks);
  }

  said(): string {
    const tail = this.#standardError.tail();
    return tail === '' ? '' : `; standard error ends: ${tail}`;
  }

  fail(failure: AgentError): void {
    this.#failure ??= failure;
    this.connection.close(failure);
    this.end(0);
  }

  /** Closes its standard input, on which it may end by itself; after `gentleMs` it gets SIGTERM, and SIGKILL in the end. */
  end(gentleMs: number): void {
    if (this.#ending || this.#exited) return;
    this.#ending = true;
    this.#piped.stdin.end();
    setTimeout(() => {
      if (!this.#exited) this.#tree.end();
    }, gentleMs);
  }

  #newStandardError(): StandardError {
    return new StandardError((line) => this.#options.log.info(`agent: ${line}`, this.#fields));
  }

  #follow(ended: (reason: AgentError) => void): void {
    const { child, stdin, stdout, stderr } = this.#piped;
    const read = frameReader(
      (frame) => this.connection.receive(frame),
      (failure) => this.fail(failure),
    );
    let isOpen = true;
    child.on('error', (error) => this.#options.log.warning(`The agent: ${error.message}`, this.#fields));
    // It may exit without reading: its end is told by `exit`.
    stdin.on('error', () => undefined);
    readInTurns(stdout, (bytes) => (this.#failure === null ? read(bytes) : bytes.length));
    const readOn = readInTurns(
      stderr,
      (bytes) => this.#standardError.write(bytes),
      () => (this.#standardError.isFull && !this.#exited ? pauseWhenFullMs : 0),
    );
    stdout.on('error', () => undefined);
    stderr.on('error', () => undefined);
    stdout.once('close', () => {
      isOpen = false;
      setTimeout(() => {
        if (!this.isUsable) return;
        this.fail(new AgentError('failed', 'the agent was ended: it has closed its standard output', true));
      }, closedOutputMs);
    });
    child.once('exit', (status, signal) => {
      this.#exited = true;
      readOn();
      this.#tree.sweep(() => {
        // A process that left the group may hold the output open for ever; what the agent wrote has arrived by then.
        if (isOpen) stdout.once('close', () => finish());
        const timer = setTimeout(() => finish(), isOpen ? closedOutputMs : 0);
        const finish = () => {
          clearTimeout(timer);
          const reason = this.#failure ?? this.#reasonOf(status, signal);
          this.connection.close(reason);
          for (const stream of [stdin, stdout, stderr]) stream.destroy();
          this.#standardError.end();
          ended(reason);
        };
      });
    });
  }

  #reasonOf(status: number | null, signal: NodeJS.Signals | null): AgentError {
    if (this.#tree.metMemoryMax) return tookTooMuchMemory('agent', this.#options.memoryMax);
    const failure = failedInShell(this.#tree.group, status, this.#standardError.tail());
    if (failure !== null) return notExecuted(failure);
    if (signal !== null) return new AgentError('killed', `the agent ${killedBy(signal)}${this.said()}`, true);
    return new AgentError('failed', `the agent exited with status ${status}${this.said()}`, true);
  }
}
