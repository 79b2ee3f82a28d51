import type { Socket } from 'node:net';
import { Agent, ping, WebSocket } from 'undici';
import { endsWithin } from '../lifecycle/effects/waits.js';
import { connectionErrorMessage } from '../text/failure-text.js';
import { formatExactTimeSpan } from '../text/time-span.js';
import type { ChannelContext } from './channel.js';
import { pacedConnector } from './paced-connector.js';

/** Longest wait for a connection, and for one address of a name that has others, in milliseconds. */
const connectTimeoutMs = 10_000;
const addressTimeoutMs = 2_000;

/** The end of a connection (RFC 6455, section 7.1.5). */
export interface WebSocketEnd {
  /** 1006: it broke without a word, or was not opened at all. */
  readonly code: number;
  /** The other side's reason, or that of the failure. */
  readonly reason: string;
}

export interface WebSocketOptions {
  readonly clock: Pick<ChannelContext['clock'], 'now' | 'after'>;
  /** The first answer has to come within that, in milliseconds. */
  readonly openTimeoutMs: number;
  /** A message with more ends the connection, in bytes. */
  readonly longestMessageBytes: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Called for each message of text, in their order. One that is binary ends the connection. */
  readonly onText: (text: string) => void;
}

/** A connection to a WebSocket server. It ends in bounded time, whatever the other side does. */
export class WebSocketLink {
  /** Resolves once it has ended. It never rejects. */
  readonly ended: Promise<WebSocketEnd>;
  readonly #options: WebSocketOptions;
  readonly #agent: Agent;
  readonly #socket: WebSocket;
  #connection: Socket | null = null;
  #failure: string | null = null;
  #end: (end: WebSocketEnd) => void = () => {};
  #cancelOpening = () => {};
  #isOpen = false;
  #heardAt: number;

  constructor(url: string, options: WebSocketOptions) {
    const { clock, openTimeoutMs, longestMessageBytes, headers = {} } = options;
    this.#options = options;
    this.#heardAt = clock.now();
    const ended = new Promise<WebSocketEnd>((resolve) => {
      this.#end = resolve;
    });
    // Said, as NODE_TLS_REJECT_UNAUTHORIZED in the environment would else turn it off.
    const tls = { rejectUnauthorized: true };
    const timeouts = { timeout: connectTimeoutMs, autoSelectFamily: true };
    const connect = pacedConnector({
      ...tls,
      ...timeouts,
      autoSelectFamilyAttemptTimeout: addressTimeoutMs,
    });
    this.#agent = new Agent({
      connect: (target, done) =>
        connect(target, (...[error, socket]) => {
          if (error !== null) {
            this.#failure ??= connectionErrorMessage(error);
            return done(error, null);
          }
          this.#connection = socket;
          done(null, socket);
        }),
      webSocket: { maxPayloadSize: longestMessageBytes },
    });
    this.#socket = new WebSocket(url, { dispatcher: this.#agent, headers });
    this.#cancelOpening = clock.after(openTimeoutMs, () =>
      this.#fail(`no answer within ${formatExactTimeSpan(openTimeoutMs)}`),
    );
    this.#listen();
    this.ended = ended.finally(() => this.#agent.destroy());
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The time of the last bytes of the other side, answers to pings among them; milliseconds since the Unix epoch. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** Gives false if there is no connection. */
  send(text: string): boolean {
    if (!this.#isOpen) return false;
    this.#socket.send(text);
    return true;
  }

  ping(): void {
    if (this.#isOpen) ping(this.#socket);
  }

  /**
   * Says that it ends, waits for the other side's word, and cuts it off if none comes. Resolves once it has ended.
   *
   * @param code 1000, or 3000 to 4999
   */
  async close(code: number, timeoutMs: number): Promise<void> {
    if (this.#isOpen) this.#socket.close(code);
    else this.#fail('it was closed before it was open');
    if (!(await endsWithin(this.#options.clock, timeoutMs, this.ended))) this.cut();
    await this.ended;
  }

  /** Ends it without a word. */
  cut(reason = 'it was cut off'): void {
    this.#fail(reason);
  }

  #listen(): void {
    const socket = this.#socket;
    socket.addEventListener('open', () => {
      this.#cancelOpening();
      this.#isOpen = true;
      this.#connection?.on('data', () => {
        this.#heardAt = this.#options.clock.now();
      });
    });
    socket.addEventListener('message', ({ data }) => {
      if (this.#failure !== null) return;
      if (typeof data === 'string') this.#options.onText(data);
      else this.#fail('it sent a message that is no text');
    });
    socket.addEventListener('close', ({ code, reason }) => this.#ends(code, reason));
  }

  #fail(reason: string): void {
    this.#failure ??= reason;
    this.#connection?.destroy();
    // Nothing tells of a connection that was never there.
    if (!this.#isOpen) this.#ends(1006, '');
  }

  #ends(code: number, reason: string): void {
    this.#cancelOpening();
    this.#isOpen = false;
    // undici does not say why: it may have broken, or the other side the protocol, or a limit.
    const ownReason = this.#failure ?? (code === 1006 ? 'it broke off' : '');
    this.#end({ code, reason: (reason === '' ? ownReason : reason).slice(0, 200) });
  }
}
