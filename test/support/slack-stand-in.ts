import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { bodyOf } from './request-body.js';
import { methods, mrkdwnMistake, parametersOf } from './slack-schema.js';
import { WebSocketPeer } from './web-socket-peer.js';

type Parameters = Readonly<Record<string, unknown>>;

export interface SlackCall {
  readonly method: string;
  readonly parameters: Parameters;
}

/** A message as its conversation has it. */
export type StandInMessage = { readonly ts: string; readonly text: string } & Readonly<
  Record<string, unknown>
>;

/** Goes wrong with the next call of a method. "before" and "after" are about its effect. */
export type SlackFault =
  | { readonly kind: 'refuse'; readonly error: string; readonly retryAfter?: number }
  /** Something that is no answer of the Web API. */
  | { readonly kind: 'raw'; readonly status: number; readonly body: string }
  | { readonly kind: 'cut'; readonly at: 'before' | 'after' | 'in-answer' }
  | { readonly kind: 'hang'; readonly at: 'before' | 'after' }
  | { readonly kind: 'delay'; readonly ms: number };

/** An answer that is an error. */
class Refusal extends Error {
  constructor(
    readonly error: string,
    readonly members: object = {},
  ) {
    super(error);
  }
}

/** An event on its way to the app. */
interface Sent {
  readonly id: string;
  readonly event: object;
  tries: number;
  /** The connection of its last try. */
  peer: WebSocketPeer | null;
  isTaken: boolean;
  isLost: boolean;
}

/** Slack sends an event three times more if it is not acknowledged. */
const mostTries = 4;

/**
 * Stands in for Slack, for one app in one workspace. Calls that are not as they are published are refused, and stand in
 * `mistakes`.
 */
export class SlackStandIn {
  readonly botToken = 'xoxb-1111111111-2222222222-slackStandInBotToken00';
  readonly appToken = 'xapp-1-A0STANDIN-3333333333-slackStandInAppToken00';
  readonly signingSecret = '8f742231b10e8888abcd99yyyzzz85a5'.replaceAll(/[yz]/g, '0');
  readonly bot = { user_id: 'U0BOT', bot_id: 'B0BOT', team_id: 'T0TEAM', user: 'stand_in', team: 'Stand-in' };
  readonly mistakes: string[] = [];
  readonly calls: SlackCall[] = [];
  readonly scopes = new Set([
    'channels:history',
    'channels:read',
    'chat:write',
    'files:read',
    'files:write',
    'groups:history',
    'groups:read',
    'im:history',
    'im:read',
    'mpim:history',
    'mpim:read',
    'users:read',
  ]);
  readonly archived = new Set<string>();
  isKnown = true;
  /** Milliseconds since the Unix epoch. */
  now: () => number = Date.now;
  /** False: Slack gives up events that find no connection, as after its last try. */
  keepsEvents = true;
  /** So often is an event sent that is not acknowledged. */
  mostTries = mostTries;
  /** False: a connection is opened, and nobody says hello. */
  saysHello = true;
  readonly peers: WebSocketPeer[] = [];
  readonly acknowledged: string[] = [];
  /** Answers to envelopes that nobody has sent. */
  readonly #server: Server;
  readonly #conversations = new Map<string, StandInMessage[]>();
  readonly #files = new Map<string, { name: string; size: number; content: Buffer | null }>();
  readonly #faults = new Map<string, SlackFault[]>();
  readonly #events: Sent[] = [];
  readonly #envelopes = new Map<string, Sent>();
  readonly #tickets = new Set<string>();
  /** Microseconds since the Unix epoch. */
  #lastTs = 0;
  #ids = 0;
  #waiting: (() => void)[] = [];

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        this.mistakes.push(`the stand-in failed: ${String(error)}`);
        response.destroy();
      });
    });
    this.#server.on('upgrade', (request, socket) => this.#upgrade(request, socket));
  }

  static async start(): Promise<SlackStandIn> {
    const standIn = new SlackStandIn();
    await standIn.listen();
    return standIn;
  }

  async listen(port = 0): Promise<void> {
    this.#server.listen(port, '127.0.0.1');
    await new Promise((resolve) => this.#server.once('listening', resolve));
  }

  get #origin(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get root(): string {
    return `http://${this.#origin}/api`;
  }

  async close(): Promise<void> {
    for (const peer of this.peers) peer.cut();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Somebody writes in private, unless `members` has a channel. Gives the message's `ts`. */
  says(text: string, members: Parameters = {}, user = 'U42'): string {
    const { channel = 'D42', ...others } = members;
    const message = { type: 'message', user, text, ts: this.#nextTs(), team: 'T0TEAM', ...others };
    this.gives(String(channel), message);
    return message.ts;
  }

  /** A message comes into a conversation, and to the app. */
  gives(channel: string, message: StandInMessage): void {
    this.messagesOf(channel).push(message);
    const thread = message['thread_ts'];
    const parent = this.messagesOf(channel).find(({ ts }) => ts === thread);
    const parentUser = parent === undefined || parent === message ? {} : { parent_user_id: parent['user'] };
    const type = channel.startsWith('D') ? 'im' : channel.startsWith('G') ? 'group' : 'channel';
    this.force({ ...message, ...parentUser, channel, channel_type: type, event_ts: message.ts });
  }

  /** An event comes to the app, whatever it is. */
  force(event: object): void {
    this.#ids += 1;
    const sent = { id: `Ev${this.#ids}`, event, tries: 0, peer: null, isTaken: false, isLost: false };
    this.#events.push(sent);
    this.#deliver(sent);
  }

  /** Adds what nobody tells the app about. */
  addFile(id: string, content: Buffer, members: object = {}): object {
    this.#files.set(id, { name: `${id}.txt`, size: content.length, content });
    return {
      id,
      name: `${id}.txt`,
      mimetype: 'text/plain',
      size: content.length,
      mode: 'hosted',
      url_private: `http://${this.#origin}/files-pri/${id}`,
      url_private_download: `http://${this.#origin}/files-pri/${id}/download`,
      ...members,
    };
  }

  addConversation(id: string): void {
    this.messagesOf(id);
  }

  next(method: string, ...faults: readonly SlackFault[]): void {
    this.#faults.set(method, [...(this.#faults.get(method) ?? []), ...faults]);
  }

  messagesOf(channel: string): StandInMessage[] {
    const known = this.#conversations.get(channel) ?? [];
    this.#conversations.set(channel, known);
    return known;
  }

  /** Texts of the bot in a conversation. */
  textsIn(channel = 'D42'): readonly string[] {
    return this.messagesOf(channel)
      .filter(({ bot_id: id }) => id !== undefined)
      .map(({ text }) => text);
  }

  callsOf(method: string): readonly Parameters[] {
    return this.calls.filter((call) => call.method === method).map(({ parameters }) => parameters);
  }

  /** Events that the app has not acknowledged, and that were not given up. */
  get unacknowledged(): number {
    return this.#events.filter(({ isTaken, isLost }) => !isTaken && !isLost).length;
  }

  get isConnected(): boolean {
    return this.#open.length > 0;
  }

  /** Sends again what was not acknowledged, as Slack does after 3 s, a minute, and five. */
  retry(order: 'in-order' | 'reversed' = 'in-order'): void {
    const due = this.#events.filter(({ isTaken, isLost }) => !isTaken && !isLost);
    for (const sent of order === 'reversed' ? due.reverse() : due) this.#deliver(sent);
  }

  /** Sends the last events once more, although they were acknowledged. */
  replay(count = 3): void {
    for (const sent of this.#events.filter(({ isTaken }) => isTaken).slice(-count)) {
      this.#send(sent, this.#open[0]);
    }
  }

  /** Slack says that a connection ends, and ends it after that unless it is left to the client. */
  disconnect(reason: string, peer = this.#open[0]): void {
    peer?.send(JSON.stringify({ type: 'disconnect', reason, debug_info: { host: 'stand-in' } }));
  }

  /** The oldest event that waits, as it is posted to the app by HTTP; null: none does. */
  get posted(): { readonly body: Buffer; readonly taken: () => void } | null {
    const sent = this.#events.find(({ isTaken, isLost }) => !isTaken && !isLost);
    if (sent === undefined) return null;
    return {
      body: Buffer.from(JSON.stringify(this.#callback(sent))),
      taken: () => {
        sent.isTaken = true;
        this.#changed();
      },
    };
  }

  /** Resolves once it is so, which is looked at after each call and each word of the app. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #changed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #nextTs(): string {
    this.#lastTs = Math.max(this.#lastTs + 100, this.now() * 1_000);
    return `${Math.floor(this.#lastTs / 1e6)}.${String(this.#lastTs % 1e6).padStart(6, '0')}`;
  }

  get #open(): readonly WebSocketPeer[] {
    return this.peers.filter((peer) => !peer.isGone && peer.closeCode === null);
  }

  #deliver(sent: Sent): void {
    // Any connection of the app may be the one.
    const open = this.#open;
    const peer = open[this.#ids % Math.max(1, open.length)];
    if (peer === undefined) {
      sent.isLost = !this.keepsEvents;
      return;
    }
    if (sent.tries >= this.mostTries) {
      sent.isLost = true;
      return;
    }
    this.#send(sent, peer);
  }

  #send(sent: Sent, peer: WebSocketPeer | undefined): void {
    this.#ids += 1;
    const envelope = `envelope-${this.#ids}`;
    this.#envelopes.set(envelope, sent);
    const retry = { retry_attempt: sent.tries, retry_reason: sent.tries === 0 ? '' : 'timeout' };
    sent.tries += 1;
    sent.peer = peer ?? null;
    const members = { envelope_id: envelope, type: 'events_api', accepts_response_payload: false };
    peer?.send(JSON.stringify({ ...members, payload: this.#callback(sent), ...retry }));
  }

  #callback({ id, event }: Sent): object {
    return {
      token: 'verification-token',
      team_id: this.bot.team_id,
      api_app_id: 'A0STANDIN',
      event,
      type: 'event_callback',
      event_id: id,
      event_time: 1_780_000_000,
      authorizations: [{ team_id: this.bot.team_id, user_id: this.bot.user_id, is_bot: true }],
    };
  }

  #upgrade(request: IncomingMessage, socket: Duplex): void {
    const ticket = new URL(request.url ?? '', 'http://x').searchParams.get('ticket') ?? '';
    if (!this.#tickets.delete(ticket)) {
      this.mistakes.push(`a connection has the ticket ${ticket}, which is none or was used`);
      socket.destroy();
      return;
    }
    const peer = new WebSocketPeer(request, socket);
    this.peers.push(peer);
    peer.onText = (text) => this.#acknowledge(text);
    void peer.gone.then(() => this.#leave(peer));
    if (!this.saysHello) return;
    peer.send(
      JSON.stringify({
        type: 'hello',
        num_connections: this.#open.length,
        debug_info: { host: 'stand-in', approximate_connection_time: 18_060 },
        connection_info: { app_id: 'A0STANDIN' },
      }),
    );
    this.retry();
    this.#changed();
  }

  /** Slack sees at once that a connection is gone, and tries another one. */
  #leave(peer: WebSocketPeer): void {
    for (const sent of this.#events) {
      if (sent.peer === peer && !sent.isTaken && !sent.isLost && this.isConnected) this.#deliver(sent);
    }
    this.#changed();
  }

  #acknowledge(text: string): void {
    const given = JSON.parse(text) as { readonly envelope_id?: string };
    const sent = this.#envelopes.get(given.envelope_id ?? '');
    if (sent === undefined) this.mistakes.push(`nobody has sent the envelope of ${text}`);
    else {
      sent.isTaken = true;
      this.acknowledged.push(sent.id);
    }
    this.#changed();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, root = '', method = ''] = (request.url ?? '').split('/');
    const body = await bodyOf(request);
    if (body === null) return;
    if (root === 'files-pri') return this.#giveFile(request, method, response);
    if (root === 'upload') return this.#takeFile(method, contentOf(request, body), response);
    const { parameters, mistakes } = parametersOf(method, new URLSearchParams(body.toString()));
    this.calls.push({ method, parameters });
    const fault = this.#faults.get(method)?.shift();
    this.#changed();
    if (fault?.kind === 'cut' && fault.at === 'before') return void response.destroy();
    if (fault?.kind === 'hang' && fault.at === 'before') return;
    if (fault?.kind === 'delay') await delay(fault.ms);
    if (fault?.kind === 'raw') return void response.writeHead(fault.status).end(fault.body);
    if (fault?.kind === 'refuse') return this.#refuse(response, fault);
    let answer: object;
    try {
      this.#check(method, request, parameters, mistakes);
      answer = { ok: true, ...this.#call(method, parameters) };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      answer = { ok: false, error: error.error, ...error.members };
    } finally {
      this.#changed();
    }
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'cut' && fault.at === 'after') return void response.destroy();
    const text = JSON.stringify(answer);
    response
      .setHeader('content-type', 'application/json; charset=utf-8')
      .setHeader('x-oauth-scopes', [...this.scopes].join(','))
      .setHeader('content-length', Buffer.byteLength(text));
    if (fault?.kind === 'cut') response.write(text.slice(0, text.length / 2), () => response.destroy());
    else response.end(text);
  }

  #refuse(
    response: ServerResponse,
    { error, retryAfter }: Extract<SlackFault, { readonly kind: 'refuse' }>,
  ): void {
    if (retryAfter !== undefined) response.setHeader('retry-after', retryAfter);
    response
      .writeHead(error === 'ratelimited' ? 429 : 200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ ok: false, error }));
  }

  #check(
    method: string,
    request: IncomingMessage,
    parameters: Parameters,
    mistakes: readonly string[],
  ): void {
    this.mistakes.push(...mistakes);
    if (request.method !== 'POST') this.mistakes.push(`${method}: is a ${request.method}`);
    const known = methods[method];
    if (known === undefined) throw new Refusal('unknown_method');
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined) throw new Refusal('not_authed');
    const isRight = token === (known.token === 'bot' ? this.botToken : this.appToken);
    if (!isRight && [this.botToken, this.appToken].includes(token)) {
      this.mistakes.push(`${method}: has the token of the wrong kind`);
      throw new Refusal('not_allowed_token_type');
    }
    if (!isRight || !this.isKnown) throw new Refusal('invalid_auth');
    const needed =
      known.scope === 'history' ? `${kindOf(String(parameters['channel']))}:history` : known.scope;
    if (needed !== null && !this.scopes.has(needed)) {
      throw new Refusal('missing_scope', { needed, provided: [...this.scopes].join(',') });
    }
    if (mistakes.length > 0) throw new Refusal('invalid_arguments');
  }

  #call(method: string, parameters: Parameters): object {
    switch (method) {
      case 'auth.test':
        return { url: 'https://stand-in.slack.com/', ...this.bot };
      case 'apps.connections.open': {
        this.#ids += 1;
        const ticket = `ticket-${this.#ids}`;
        this.#tickets.add(ticket);
        return { url: `ws://${this.#origin}/link/?ticket=${ticket}&app_id=A0STANDIN` };
      }
      case 'chat.postMessage':
        return this.#post(parameters);
      case 'chat.update':
        return this.#update(parameters);
      case 'users.info':
        return { user: { id: parameters['user'], name: 'ada', profile: { display_name: 'Ada' } } };
      case 'users.conversations':
        return {
          channels: [...this.#conversations.keys()].map((id) => ({ id })),
          response_metadata: { next_cursor: '' },
        };
      case 'conversations.history':
      case 'conversations.replies':
        return this.#history(parameters);
      case 'files.getUploadURLExternal': {
        this.#ids += 1;
        const id = `F${this.#ids}`;
        const { filename, length } = parameters;
        this.#files.set(id, { name: String(filename), size: Number(length), content: null });
        return { upload_url: `http://${this.#origin}/upload/${id}`, file_id: id };
      }
      default:
        return this.#complete(parameters);
    }
  }

  #conversation(id: unknown): StandInMessage[] {
    const known = this.#conversations.get(String(id));
    if (known === undefined) throw new Refusal('channel_not_found');
    return known;
  }

  #post({ channel, text, metadata, thread_ts: thread, ...others }: Parameters): object {
    const messages = this.#conversation(channel);
    if (this.archived.has(String(channel))) throw new Refusal('is_archived');
    this.#checkText(text, 40_000);
    if (thread !== undefined && !messages.some(({ ts }) => ts === thread))
      throw new Refusal('thread_not_found');
    if (metadata !== undefined) {
      const { event_type: type, event_payload: payload } = metadata as Parameters;
      if (typeof type !== 'string' || typeof payload !== 'object')
        throw new Refusal('invalid_metadata_format');
    }
    const message = {
      ...others,
      ...this.#ownMembers,
      text: String(text),
      ts: this.#nextTs(),
      ...(thread === undefined ? {} : { thread_ts: thread }),
      ...(metadata === undefined ? {} : { metadata }),
    };
    this.gives(String(channel), message);
    return { channel, ts: message.ts, message };
  }

  get #ownMembers() {
    return { type: 'message', user: this.bot.user_id, bot_id: this.bot.bot_id, app_id: 'A0STANDIN' };
  }

  #update({ channel, ts, text }: Parameters): object {
    const messages = this.#conversation(channel);
    const index = messages.findIndex((each) => each.ts === ts);
    const before = messages[index];
    if (before === undefined) throw new Refusal('message_not_found');
    if (before['user'] !== this.bot.user_id) throw new Refusal('cant_update_message');
    this.#checkText(text, 4_000);
    messages[index] = {
      ...before,
      text: String(text),
      edited: { user: this.bot.user_id, ts: this.#nextTs() },
    };
    return { channel, ts, text };
  }

  #checkText(text: unknown, most: number): void {
    if (typeof text !== 'string' || text.trim() === '') throw new Refusal('no_text');
    const mistake = mrkdwnMistake(text);
    if (mistake !== null) this.mistakes.push(mistake);
    if (text.length > most) throw new Refusal('msg_too_long');
  }

  /** The newest first for a conversation, the oldest first for a thread, whose first message is always there. */
  #history({ channel, ts: thread, oldest = '0.000000', cursor, limit = 100, ...others }: Parameters): object {
    const isThread = thread !== undefined;
    const all = this.#conversation(channel).map((message) =>
      withThreadMembers(message, this.#conversation(channel)),
    );
    const { include_all_metadata: hasMetadata = false } = others;
    const shown = all
      .filter((message) => {
        const inThread = message['thread_ts'];
        const isNewer = Number(message.ts) > Number(oldest);
        if (isThread) return message.ts === thread || (inThread === thread && isNewer);
        return isNewer && (inThread === undefined || inThread === message.ts);
      })
      .map(({ metadata, ...message }: StandInMessage) =>
        metadata === undefined || !hasMetadata ? message : { ...message, metadata },
      );
    if (isThread && shown.length === 0) throw new Refusal('thread_not_found');
    const ordered = isThread ? shown : shown.toReversed();
    const begin = Number(cursor ?? 0);
    const end = begin + Math.min(Number(limit), 999);
    const more = end < ordered.length;
    return {
      messages: ordered.slice(begin, end),
      has_more: more,
      response_metadata: { next_cursor: more ? String(end) : '' },
    };
  }

  #complete({ files, channel_id: channel, thread_ts: thread }: Parameters): object {
    const [{ id } = { id: '' }] = files as readonly { readonly id: string }[];
    const file = this.#files.get(id);
    if (file === undefined || file.content === null) throw new Refusal('file_not_found');
    this.#conversation(channel);
    const message = {
      ...this.#ownMembers,
      subtype: 'file_share',
      text: '',
      ts: this.#nextTs(),
      ...(thread === undefined ? {} : { thread_ts: thread }),
      files: [{ id, name: file.name, size: file.size }],
    };
    this.gives(String(channel), message);
    return { files: [{ id, title: file.name }] };
  }

  #takeFile(id: string, body: Buffer, response: ServerResponse): void {
    const file = this.#files.get(id);
    this.calls.push({ method: 'upload', parameters: { id } });
    if (file === undefined || file.size !== body.length) {
      this.mistakes.push(`the upload of ${id} has ${body.length} bytes in the place of ${file?.size}`);
      response.writeHead(400).end();
      return;
    }
    file.content = body;
    response.end(`OK - ${body.length}`);
  }

  #giveFile(request: IncomingMessage, id: string, response: ServerResponse): void {
    const file = this.#files.get(id);
    const fault = this.#faults.get('file')?.shift();
    this.calls.push({ method: 'file', parameters: { id } });
    this.#changed();
    if (fault?.kind === 'hang') return;
    if (request.headers.authorization !== `Bearer ${this.botToken}` || !this.scopes.has('files:read')) {
      response.writeHead(302, { location: 'https://stand-in.slack.com/?redir=files' }).end();
    } else if (file?.content === undefined || file.content === null) response.writeHead(404).end();
    else if (fault?.kind === 'cut') {
      response.setHeader('content-length', file.content.length);
      response.write(file.content.subarray(0, file.content.length / 2), () => response.destroy());
    } else response.end(file.content);
  }
}

/** The first message of a thread names it, and says how many replies there are. */
function withThreadMembers(message: StandInMessage, all: readonly StandInMessage[]): StandInMessage {
  const replies = all.filter(({ ts, thread_ts: thread }) => thread === message.ts && ts !== message.ts);
  const last = replies.at(-1);
  return last === undefined
    ? message
    : { ...message, thread_ts: message.ts, reply_count: replies.length, latest_reply: last.ts };
}

function kindOf(channel: string): string {
  return channel.startsWith('D') ? 'im' : channel.startsWith('G') ? 'groups' : 'channels';
}

/** A file is uploaded as it is, or as the one part of a form (RFC 7578). */
function contentOf(request: IncomingMessage, body: Buffer): Buffer {
  const [, boundary] =
    /^multipart\/form-data; boundary="?([^"]+)"?$/.exec(request.headers['content-type'] ?? '') ?? [];
  if (boundary === undefined) return body;
  return body.subarray(body.indexOf('\r\n\r\n') + 4, body.lastIndexOf(`\r\n--${boundary}--`));
}
