import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { clientPayloads, mistakeOf } from './discord-schema.js';
import { WebSocketPeer } from './web-socket-peer.js';

interface Event {
  readonly seq: number;
  readonly t: string;
  readonly d: unknown;
}

/** One session, as Discord keeps it while its client is away. */
interface Session {
  readonly id: string;
  readonly intents: number;
  seq: number;
  /** Those that its client has not acknowledged. */
  events: Event[];
  /** Those that it has. */
  forgotten: Event[];
  acknowledged: number;
  peer: WebSocketPeer | null;
}

export const intentBits = {
  guilds: 1,
  guildMessages: 1 << 9,
  directMessages: 1 << 12,
  messageContent: 1 << 15,
};

export interface GatewayStandInOptions {
  readonly token: () => string;
  readonly user: object;
  readonly url: () => string;
  /** The events with which a session begins, behind READY. */
  readonly guilds: () => readonly { readonly id: string }[];
  readonly changed: () => void;
}

/**
 * Stands in for Discord's gateway. What a heartbeat acknowledges is forgotten: a client that runs ahead of its disk loses it.
 */
export class GatewayStandIn {
  readonly mistakes: string[] = [];
  readonly sessions = new Map<string, Session>();
  identifies = 0;
  resumes = 0;
  beats: (number | null)[] = [];
  heartbeatIntervalMs = 41_250;
  answersBeats = true;
  /** Greets nobody. */
  isMute = false;
  /** A further identify is answered with that, in the place of READY. */
  refusal: { readonly closeCode: number } | { readonly invalid: boolean } | null = null;
  allowsContent = true;
  readonly #options: GatewayStandInOptions;
  readonly #peers = new Set<WebSocketPeer>();
  #sessionCount = 0;

  constructor(options: GatewayStandInOptions) {
    this.#options = options;
  }

  get isConnected(): boolean {
    return [...this.sessions.values()].some(({ peer }) => peer !== null && !peer.isGone);
  }

  /** Gives an event to each session whose intents fit. */
  dispatch(t: string, wants: number, d: (session: Session) => unknown): void {
    for (const session of this.sessions.values()) {
      if ((session.intents & wants) !== 0) this.#give(session, t, d(session));
    }
  }

  /** Sends the last events again, which the client may have had. */
  replay(count: number): void {
    for (const session of this.sessions.values()) {
      for (const event of [...session.forgotten, ...session.events].slice(-count)) this.#send(session, event);
    }
  }

  /** Something that is no event. */
  raw(text: string): void {
    for (const peer of this.#peers) peer.send(text);
  }

  op(code: number, d: unknown = null): void {
    this.raw(JSON.stringify({ op: code, d, s: null, t: null }));
  }

  cut(): void {
    for (const peer of this.#peers) peer.cut();
  }

  close(code: number, reason = ''): void {
    for (const peer of this.#peers) peer.close(code, reason);
  }

  /** As Discord does after some minutes. */
  expireSessions(): void {
    this.sessions.clear();
  }

  accept(request: IncomingMessage, socket: Duplex): void {
    const peer = new WebSocketPeer(request, socket);
    const { searchParams } = new URL(request.url ?? '', 'ws://x');
    if (
      searchParams.get('v') !== '10' ||
      searchParams.get('encoding') !== 'json' ||
      searchParams.has('compress')
    ) {
      this.mistakes.push(`the URL of the gateway is ${request.url}`);
    }
    this.#peers.add(peer);
    let session: Session | null = null;
    void peer.gone.then(() => {
      this.#peers.delete(peer);
      if (session?.peer === peer) session.peer = null;
      if (session !== null && (peer.closeCode === 1_000 || peer.closeCode === 1_001))
        this.sessions.delete(session.id);
      this.#options.changed();
    });
    peer.onText = (text) => {
      const payload = this.#read(peer, text);
      if (payload === null) return;
      if (payload.op === 1) this.#beat(peer, session, payload.d as number | null);
      else if (session !== null) peer.close(4_005, 'Already authenticated.');
      else session = payload.op === 2 ? this.#identify(peer, payload.d) : this.#resume(peer, payload.d);
      this.#options.changed();
    };
    if (!this.isMute)
      peer.send(
        JSON.stringify({
          op: 10,
          d: { heartbeat_interval: this.heartbeatIntervalMs, _trace: [] },
          s: null,
          t: null,
        }),
      );
  }

  end(): void {
    this.cut();
  }

  #read(peer: WebSocketPeer, text: string): { readonly op: number; readonly d: unknown } | null {
    let payload: { readonly op: number; readonly d: unknown };
    try {
      payload = JSON.parse(text);
    } catch {
      peer.close(4_002, 'Error while decoding payload.');
      this.mistakes.push('a payload that is no JSON');
      return null;
    }
    const schema = clientPayloads[payload.op];
    const mistake =
      Buffer.byteLength(text) > 4_096
        ? 'longer than 4,096 bytes'
        : schema === undefined
          ? `opcode ${payload.op}`
          : mistakeOf(schema, payload.d);
    if (mistake === null) return payload;
    this.mistakes.push(`a payload with the mistake ${mistake}`);
    peer.close(schema === undefined ? 4_001 : 4_002);
    return null;
  }

  #beat(peer: WebSocketPeer, session: Session | null, seq: number | null): void {
    this.beats.push(seq);
    if (session !== null && seq !== null) {
      if (seq > session.seq) this.mistakes.push(`a heartbeat with ${seq}, of ${session.seq}`);
      session.acknowledged = Math.max(session.acknowledged, seq);
      session.forgotten.push(...session.events.filter((event) => event.seq <= seq));
      session.events = session.events.filter((event) => event.seq > seq);
    }
    if (this.answersBeats) peer.send(JSON.stringify({ op: 11, d: null, s: null, t: null }));
  }

  #identify(peer: WebSocketPeer, given: unknown): Session | null {
    const { token, intents } = given as { readonly token: string; readonly intents: number };
    this.identifies += 1;
    if (token !== this.#options.token()) {
      peer.close(4_004, 'Authentication failed.');
      return null;
    }
    if ((intents & intentBits.messageContent) !== 0 && !this.allowsContent) {
      peer.close(4_014, 'Disallowed intent(s).');
      return null;
    }
    const { refusal } = this;
    this.refusal = null;
    if (refusal !== null) {
      if ('closeCode' in refusal) peer.close(refusal.closeCode);
      else peer.send(JSON.stringify({ op: 9, d: refusal.invalid, s: null, t: null }));
      return null;
    }
    this.#sessionCount += 1;
    const id = `session-${this.#sessionCount}`;
    const session: Session = { id, intents, seq: 0, events: [], forgotten: [], acknowledged: 0, peer };
    this.sessions.set(id, session);
    const guilds = (intents & intentBits.guilds) === 0 ? [] : this.#options.guilds();
    this.#give(session, 'READY', {
      v: 10,
      user: this.#options.user,
      session_id: id,
      resume_gateway_url: this.#options.url(),
      guilds: guilds.map((guild) => ({ id: guild.id, unavailable: true })),
      application: { id: '900000000000000009', flags: 0 },
    });
    for (const guild of guilds) this.#give(session, 'GUILD_CREATE', guild);
    return session;
  }

  #resume(peer: WebSocketPeer, given: unknown): Session | null {
    const {
      token,
      session_id: id,
      seq,
    } = given as { readonly token: string; readonly session_id: string; readonly seq: number };
    this.resumes += 1;
    const session = this.sessions.get(id);
    if (token !== this.#options.token()) {
      peer.close(4_004, 'Authentication failed.');
      return null;
    }
    if (session === undefined) {
      peer.send(JSON.stringify({ op: 9, d: false, s: null, t: null }));
      return null;
    }
    if (seq > session.seq) {
      peer.close(4_007, 'Invalid seq.');
      return null;
    }
    session.peer?.close(4_000);
    session.peer = peer;
    for (const event of session.events.filter((each) => each.seq > seq)) this.#send(session, event);
    this.#give(session, 'RESUMED', { _trace: [] });
    return session;
  }

  #give(session: Session, t: string, d: unknown): void {
    session.seq += 1;
    const event = { seq: session.seq, t, d };
    session.events.push(event);
    this.#send(session, event);
  }

  #send({ peer }: Session, { seq, t, d }: Event): void {
    if (peer !== null && !peer.isGone) peer.send(JSON.stringify({ op: 0, d, s: seq, t }));
  }
}
