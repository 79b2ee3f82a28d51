import type { Socket } from 'node:net';
import type { Log, LogFields } from '../../log/log.js';
import { AgentError } from '../agent.js';
import { connectToAgent } from '../agent-socket.js';
import { readInTurns } from '../read-in-turns.js';
import type { AgentLink, LinkHandlers } from './agent-link.js';
import { frameReader } from './frames.js';
import { Garbage } from './garbage.js';
import { RpcConnection } from './rpc.js';

export interface AgentConnectionOptions {
  /** "unix:/PATH". */
  readonly connect: string;
  /** The directory of sessions, as the agent's user sees it. */
  readonly cwd: string;
  /** Time for the agent to end once its input has, in milliseconds. */
  readonly killDelayMs: number;
  readonly log: Log;
}

/**
 * An agent that speaks ACP on a connection: the service manager starts it there as another user (`Accept=yes` of
 * systemd.socket(5)), and ends all of it with the connection.
 */
export class AgentConnection implements AgentLink {
  readonly pid = null;
  readonly group = null;
  readonly connection: RpcConnection;
  readonly ended: Promise<AgentError>;
  readonly #options: AgentConnectionOptions;
  readonly #socket: Socket;
  readonly #garbage: Garbage;
  #ending = false;
  /** Why it was ended from here. */
  #failure: AgentError | null = null;

  private constructor(
    options: AgentConnectionOptions,
    socket: Socket,
    fields: LogFields,
    handlers: LinkHandlers,
  ) {
    this.#options = options;
    this.#socket = socket;
    this.#garbage = new Garbage(options.log, fields);
    this.connection = new RpcConnection(socket, {
      ...handlers,
      garbage: (line) => this.#garbage.note(line),
      stuck: (reason) => this.fail(new AgentError('failed', `the agent was ended: ${reason}`, true)),
    });
    this.ended = new Promise((resolve) => this.#follow(resolve));
  }

  /** Rejects with an `AgentError` of reason `unavailable` if nobody can be reached there. */
  static async open(
    options: AgentConnectionOptions,
    fields: LogFields,
    handlers: LinkHandlers,
    signal: AbortSignal,
  ): Promise<AgentConnection> {
    return new AgentConnection(options, await connectToAgent(options.connect, signal), fields, handlers);
  }

  get isUsable(): boolean {
    return !this.#ending && !this.#socket.destroyed;
  }

  turnBegins(fields: LogFields): void {
    this.#garbage.turnBegins(fields);
  }

  /** Ends nothing: its processes are unknown here, and end with the connection. */
  async turnEnds(): Promise<void> {}

  /** Its standard error is in the journal of its unit. */
  said(): string {
    return '';
  }

  fail(failure: AgentError): void {
    this.#failure ??= failure;
    this.connection.close(failure);
    this.end();
  }

  /** Closes this side. The agent's side is closed once nothing of it holds the connection; after `killDelayMs` it is dropped. */
  end(): void {
    if (this.#ending || this.#socket.destroyed) return;
    this.#ending = true;
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), this.#options.killDelayMs).unref();
  }

  #follow(ended: (reason: AgentError) => void): void {
    const socket = this.#socket;
    const read = frameReader(
      (frame) => this.connection.receive(frame),
      (failure) => this.fail(failure),
    );
    readInTurns(socket, (bytes) => (this.#failure === null ? read(bytes) : bytes.length));
    socket.once('end', () => socket.destroy());
    socket.once('close', () => {
      const { connect } = this.#options;
      const closed = `the agent at ${connect} closed the connection: see the journal of its unit`;
      const reason = this.#failure ?? new AgentError('failed', closed, true);
      this.connection.close(reason);
      ended(reason);
    });
  }
}
