import { createServer, type Server, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { endsWithin } from '../../lifecycle/effects/waits.js';
import { StoreError } from '../../store/store-error.js';
import { errorMessage } from '../../text/failure-text.js';
import type { ChannelContext } from '../channel.js';
import { Complaints } from '../complaints.js';
import { listen } from '../http/server/listen.js';
import { type ArrivedMail, type LmtpAnswer, type LmtpMemory, serveLmtp } from './lmtp-session.js';
import type { MailSource } from './mail-source.js';

export interface LmtpSourceOptions {
  readonly context: ChannelContext;
  /** The path of the socket. */
  readonly path: string;
  readonly messageLimitBytes: number;
  /** Resolves once the mail is on disk. */
  readonly take: (mail: ArrivedMail) => Promise<void>;
}

/** Connections at a time. A mail server waits for its turn. */
const mostConnections = 20;
/** Mails in memory at a time, in mails of the largest size. */
const mailsInMemory = 4;

/** Takes mails from the operator's mail server by a Unix socket. Who may connect is for the socket's permissions to say. */
export class LmtpSource implements MailSource {
  readonly #options: LmtpSourceOptions;
  readonly #memory: LmtpMemory;
  readonly #complaints: Complaints;
  readonly #sessions = new Map<Socket, Promise<void>>();
  readonly #server: Server;
  /** Mails on their way to the disk. */
  readonly #taking = new Set<Promise<void>>();
  #isStopping = false;

  constructor(options: LmtpSourceOptions) {
    this.#options = options;
    this.#complaints = new Complaints(options.context);
    this.#memory = { usedBytes: 0, limitBytes: mailsInMemory * options.messageLimitBytes };
    this.#server = createServer((socket) => this.#serve(socket));
  }

  async start(): Promise<void> {
    const { context, path } = this.#options;
    await listen(this.#server, { kind: 'unix', path, setting: `channels.${context.name}.lmtp` });
  }

  stopAccepting(): void {
    this.#isStopping = true;
    this.#server.close();
  }

  /** Mails that have come whole are answered once they are on disk; those that have not are sent again later. */
  async close(timeoutMs: number): Promise<void> {
    this.stopAccepting();
    for (const socket of this.#sessions.keys()) socket.pause();
    await endsWithin(this.#options.context.clock, timeoutMs, Promise.all(this.#taking));
    for (const socket of this.#sessions.keys()) socket.destroy();
    await Promise.all(this.#sessions.values());
  }

  #serve(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    if (this.#sessions.size >= mostConnections) {
      socket.end('421 4.3.2 Too many connections; come again\r\n');
      return;
    }
    const { clock } = this.#options.context;
    const session = serveLmtp(socket, {
      clock,
      hostName: hostname(),
      messageLimitBytes: this.#options.messageLimitBytes,
      memory: this.#memory,
      take: (mail) => this.#take(mail),
      isStopping: () => this.#isStopping,
      failed: (error) => this.#failed(error),
    });
    this.#sessions.set(socket, session);
    void session.then(() => this.#sessions.delete(socket));
  }

  async #take(mail: ArrivedMail): Promise<void> {
    const taking = this.#options.take(mail);
    const settled = taking.catch(() => undefined);
    this.#taking.add(settled);
    await settled;
    this.#taking.delete(settled);
    await taking;
  }

  #failed(error: unknown): LmtpAnswer {
    const { name } = this.#options.context;
    this.#complaints.note(
      'store',
      `A mail to the channel ${name} was not taken, and the mail server keeps it: ${errorMessage(error)}`,
    );
    return error instanceof StoreError && error.reason === 'full'
      ? '452 4.3.1 The disk of the gateway is full; come again'
      : '451 4.3.0 The gateway has not stored it; come again';
  }
}
