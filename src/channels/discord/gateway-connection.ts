import { endsWithin } from '../../lifecycle/effects/waits.js';
import type { ChannelContext } from '../channel.js';
import { jsonOf } from '../platform-http.js';
import { WebSocketLink } from '../web-socket.js';
import { type GatewayPayload, helloSchema, payloadSchema } from './message-schema.js';

/** An event of the gateway, such as a message. */
export interface SessionEvent {
  readonly name: string;
  /** Its place in the session's order. */
  readonly seq: number;
  readonly data: unknown;
}

/** The end of a connection to the gateway. */
export type GatewayEnd =
  | { readonly kind: 'closed'; readonly code: number; readonly reason: string }
  /** Discord wants it anew, and goes on with the session. */
  | { readonly kind: 'reconnect' }
  /** Discord no longer has the session, or is not ready for one. */
  | { readonly kind: 'invalid'; readonly isResumable: boolean }
  /** It is open, and nobody answers. */
  | { readonly kind: 'silent' };

export interface GatewayConnectionOptions {
  readonly clock: ChannelContext['clock'];
  readonly url: string;
  readonly token: string;
  readonly intents: number;
  /** The session that is gone on with; null: one is begun. */
  readonly resume: { readonly sessionId: string; readonly seq: number } | null;
  /** The last event that is on disk. Discord may forget those before; null: none is. */
  readonly acknowledged: () => number | null;
  readonly onEvent: (event: SessionEvent) => void;
  /** Something came that can't be read. */
  readonly onMistake: (what: string) => void;
  /** Called before each beat. */
  readonly onBeat: () => void;
  /** Discord has answered a heartbeat. */
  readonly onAnswered: () => void;
  /** From 0 up to, but not 1. */
  readonly random: () => number;
}

/** Opcodes (discord.com/developers/docs/topics/opcodes-and-status-codes, "Gateway Opcodes"). */
const op = {
  dispatch: 0,
  heartbeat: 1,
  identify: 2,
  resume: 6,
  reconnect: 7,
  invalidSession: 9,
  hello: 10,
  heartbeatAck: 11,
} as const;

/** Discord keeps the session after any code but 1000 and 1001. */
const resumableCode = 4_900;

const openTimeoutMs = 20_000;
/** Discord may hold a session back while it has troubles of its own. */
const readyTimeoutMs = 120_000;
const closeTimeoutMs = 2_000;
/** A server with a thousand channels and roles comes in one message. */
const longestMessageBytes = 8 * 1024 ** 2;
/** Characters of it outside its strings. To parse so many takes a fifth of a second. */
const mostOutsideStrings = 4 * 1024 ** 2;
/** Discord ends a connection with more than 120 messages in a minute. */
const shortestBeatMs = 1_000;

/** One connection to Discord's gateway (discord.com/developers/docs/events/gateway), from hello to its end. */
export class GatewayConnection {
  /** Never rejects. */
  readonly ended: Promise<GatewayEnd>;
  readonly #options: GatewayConnectionOptions;
  readonly #link: WebSocketLink;
  #end: (end: GatewayEnd) => void = () => {};
  #isOver = false;
  #isAnswered = true;
  #beatAt = 0;
  #intervalMs = 0;
  #cancelBeat = () => {};
  #cancelDeadline = () => {};

  constructor(options: GatewayConnectionOptions) {
    this.#options = options;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    const { clock, url } = options;
    this.#link = new WebSocketLink(url, {
      clock,
      openTimeoutMs,
      longestMessageBytes,
      onText: (text) => this.#take(text),
    });
    void this.#link.ended.then(({ code, reason }) => this.#finish({ kind: 'closed', code, reason }));
    // The greeting has to come, and the session to begin.
    this.#deadline(openTimeoutMs);
  }

  /** Ends it in a way in which Discord keeps the session. Resolves once it has ended. */
  async close(): Promise<void> {
    this.#finish({ kind: 'closed', code: resumableCode, reason: 'it was ended' });
    await endsWithin(this.#options.clock, 2 * closeTimeoutMs, this.#link.ended);
  }

  /** The session runs: its beginning has arrived. */
  noteReady(): void {
    this.#cancelDeadline();
  }

  #deadline(delayMs: number): void {
    this.#cancelDeadline();
    this.#cancelDeadline = this.#options.clock.after(delayMs, () => this.#finish({ kind: 'silent' }));
  }

  #take(text: string): void {
    if (this.#isOver) return;
    const payload = payloadSchema.safeParse(jsonOf(text, mostOutsideStrings));
    if (payload.success) this.#handle(payload.data);
    else this.#options.onMistake('a message that is none of the gateway');
  }

  #handle({ op: code, d: data, s: seq, t: name }: GatewayPayload): void {
    switch (code) {
      case op.hello:
        this.#greet(data);
        break;
      case op.heartbeat:
        if (this.#options.clock.now() - this.#beatAt >= shortestBeatMs) this.#beat();
        break;
      case op.heartbeatAck:
        this.#isAnswered = true;
        this.#options.onAnswered();
        break;
      case op.reconnect:
        this.#finish({ kind: 'reconnect' });
        break;
      case op.invalidSession:
        this.#finish({ kind: 'invalid', isResumable: data === true });
        break;
      case op.dispatch:
        if (typeof seq === 'number' && typeof name === 'string') {
          this.#options.onEvent({ name, seq, data });
        } else this.#options.onMistake('an event without a number or a name');
        break;
    }
  }

  #greet(data: unknown): void {
    const hello = helloSchema.safeParse(data);
    if (!hello.success) {
      this.#options.onMistake('a greeting without an interval');
      return;
    }
    if (this.#intervalMs > 0) return;
    const { token, intents, resume, random } = this.#options;
    this.#intervalMs = hello.data.heartbeat_interval;
    this.#schedule(this.#intervalMs * random());
    this.#deadline(readyTimeoutMs);
    if (resume !== null) {
      this.#send(op.resume, { token, session_id: resume.sessionId, seq: resume.seq });
      return;
    }
    const properties = { os: 'linux', browser: 'sd-gateway', device: 'sd-gateway' };
    this.#send(op.identify, { token, intents, properties, compress: false });
  }

  #schedule(delayMs: number): void {
    this.#cancelBeat();
    this.#cancelBeat = this.#options.clock.after(delayMs, () => {
      // The last one has no answer: nobody is there any more.
      if (!this.#isAnswered) {
        this.#finish({ kind: 'silent' });
        return;
      }
      this.#isAnswered = false;
      this.#beat();
      this.#schedule(this.#intervalMs);
    });
  }

  #beat(): void {
    this.#beatAt = this.#options.clock.now();
    this.#options.onBeat();
    if (!this.#isOver) this.#send(op.heartbeat, this.#options.acknowledged());
  }

  #send(code: number, data: unknown): void {
    this.#link.send(JSON.stringify({ op: code, d: data }));
  }

  #finish(end: GatewayEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelBeat();
    this.#cancelDeadline();
    this.#end(end);
    if (end.kind === 'silent') this.#link.cut();
    else void this.#link.close(resumableCode, closeTimeoutMs);
  }
}
