import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { GatewayStandIn, intentBits } from './discord-gateway.js';
import { createMessage, editMessage, mistakeOf, query } from './discord-schema.js';
import { bodyOf } from './request-body.js';

type Body = Readonly<Record<string, unknown>>;

export interface DiscordObject {
  readonly id: string;
  readonly channel_id: string;
  readonly content: string;
  readonly author: { readonly id: string; readonly bot?: boolean };
  readonly nonce?: string;
  readonly attachments: readonly object[];
  readonly [key: string]: unknown;
}

/** Goes wrong with the next call. "before" and "after" are about its effect. */
export type DiscordFault =
  | {
      readonly kind: 'refuse';
      readonly status: number;
      readonly body: object;
      readonly headers?: Record<string, string>;
    }
  | { readonly kind: 'raw'; readonly status: number; readonly body: string }
  | { readonly kind: 'cut'; readonly at: 'before' | 'after' | 'in-answer' }
  | { readonly kind: 'hang'; readonly at: 'before' | 'after' }
  | { readonly kind: 'delay'; readonly ms: number };

export interface DiscordRequest {
  readonly route: string;
  readonly channelId: string;
  readonly body: Body;
  readonly query: Body;
}

interface Channel {
  readonly id: string;
  /** Null: a private one. */
  readonly guildId: string | null;
  readonly messages: DiscordObject[];
}

class DiscordRefusal extends Error {
  constructor(
    readonly status: number,
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

/** A nonce is remembered for "the past few minutes"; a bucket has so many calls in its window. */
const nonceMs = 300_000;
const bucketCount = 5;
const bucketMs = 5_000;
const epochMs = 1_420_070_400_000;

export const directId = '100000000000000042';
export const guildChannelId = '200000000000000001';
export const threadId = '200000000000000002';
export const guildId = '300000000000000001';
export const botId = '900000000000000001';
export const ada = { id: '400000000000000042', username: 'ada', global_name: 'Ada L', discriminator: '0' };
export const grace = { id: '400000000000000043', username: 'grace', global_name: null, discriminator: '0' };

/** Stands in for Discord, for one bot. Calls that are not as it is published are refused, and stand in `mistakes`. */
export class DiscordStandIn {
  token = 'OTAwMDAwMDAwMDAwMDAwMDAx.Gstand.in_token_0123456789-abcdefghijklm';
  readonly bot = { id: botId, username: 'stand-in', bot: true, discriminator: '0001' };
  readonly gateway: GatewayStandIn;
  readonly calls: DiscordRequest[] = [];
  readonly channels = new Map<string, Channel>();
  readonly typing: string[] = [];
  readonly unreadable = new Set<string>();
  /** Nobody takes part in the chats of these any more. */
  readonly forbidden = new Set<string>();
  /** Calls that were above the limit. */
  limited = 0;
  startsLeft = 1_000;
  /** Of its application; 1 << 19: it may read all messages. */
  flags = 1 << 19;
  /** The nonce stands in what is read back. */
  tellsNonce = true;
  readonly #server: Server;
  readonly #now: () => number;
  readonly #mistakes: string[] = [];
  readonly #files = new Map<string, Buffer>();
  readonly #faults = new Map<string, DiscordFault[]>();
  readonly #hooks = new Map<string, (() => void)[]>();
  readonly #nonces = new Map<string, { readonly message: DiscordObject; readonly until: number }>();
  readonly #buckets = new Map<string, { left: number; endsAt: number }>();
  #lastId = 0n;
  #waiting: (() => void)[] = [];

  private constructor(now: () => number) {
    this.#now = now;
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        this.#mistakes.push(`the stand-in failed: ${String(error)}`);
        response.destroy();
      });
    });
    this.gateway = new GatewayStandIn({
      token: () => this.token,
      user: this.bot,
      url: () => this.gatewayUrl,
      guilds: () => [this.#guild()],
      changed: () => this.#changed(),
    });
    this.#server.on('upgrade', (request, socket) => this.gateway.accept(request, socket));
    this.channels.set(directId, { id: directId, guildId: null, messages: [] });
    this.channels.set(guildChannelId, { id: guildChannelId, guildId, messages: [] });
    this.channels.set(threadId, { id: threadId, guildId, messages: [] });
  }

  /** @param now the time by which ids, limits and nonces count */
  static async start(now = Date.now, port = 0): Promise<DiscordStandIn> {
    const standIn = new DiscordStandIn(now);
    standIn.#server.listen(port, '127.0.0.1');
    await new Promise((resolve) => standIn.#server.once('listening', resolve));
    return standIn;
  }

  get #port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get root(): string {
    return `http://127.0.0.1:${this.#port}/api`;
  }

  get gatewayUrl(): string {
    return `ws://127.0.0.1:${this.#port}`;
  }

  get mistakes(): readonly string[] {
    return [...this.#mistakes, ...this.gateway.mistakes];
  }

  async close(): Promise<void> {
    this.gateway.end();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Messages of the bot, as the people of its channels see them. */
  get sent(): readonly DiscordObject[] {
    return [...this.channels.values()]
      .flatMap(({ messages }) => messages.filter(({ author }) => author.id === this.bot.id))
      .sort((a, b) => (BigInt(a.id) < BigInt(b.id) ? -1 : 1));
  }

  get texts(): readonly string[] {
    return this.sent.map(({ content }) => content);
  }

  callsOf(route: string): readonly DiscordRequest[] {
    return this.calls.filter((call) => call.route === route);
  }

  /** Somebody writes, in private unless `members` has a channel. */
  says(content: string, members: Readonly<Record<string, unknown>> = {}): DiscordObject {
    const channelId = String(members['channel_id'] ?? directId);
    const channel = this.channels.get(channelId);
    if (channel === undefined) throw new Error(`There is no channel ${channelId}.`);
    const message = this.#message(channel, { content, author: ada, ...members });
    channel.messages.push(message);
    this.#give('MESSAGE_CREATE', channel, message);
    return message;
  }

  edits(message: DiscordObject, members: Readonly<Record<string, unknown>>): void {
    const channel = this.channels.get(message.channel_id) as Channel;
    const edited = { ...message, edited_timestamp: new Date(this.#now()).toISOString(), ...members };
    const at = channel.messages.findIndex(({ id }) => id === message.id);
    channel.messages[at] = edited as DiscordObject;
    this.#give('MESSAGE_UPDATE', channel, edited as DiscordObject);
  }

  deletes({ id, channel_id: channelId }: DiscordObject): void {
    const channel = this.channels.get(channelId) as Channel;
    channel.messages.splice(0, Infinity, ...channel.messages.filter((each) => each.id !== id));
    const wants = channel.guildId === null ? intentBits.directMessages : intentBits.guildMessages;
    this.gateway.dispatch('MESSAGE_DELETE', wants, () => ({ id, channel_id: channelId }));
  }

  /** A mention of the bot, with its object. */
  mention(text: string): { readonly content: string; readonly mentions: readonly object[] } {
    return { content: `<@${this.bot.id}> ${text}`, mentions: [this.bot] };
  }

  addFile(name: string, content: Buffer): { readonly [key: string]: unknown } {
    this.#files.set(name, content);
    const url = `http://127.0.0.1:${this.#port}/attachments/${name}?ex=1&is=2&hm=3`;
    return {
      id: this.#nextId(),
      filename: name,
      size: content.length,
      url,
      proxy_url: url,
      content_type: 'text/plain',
    };
  }

  next(route: string, ...faults: readonly DiscordFault[]): void {
    this.#faults.set(route, [...(this.#faults.get(route) ?? []), ...faults]);
  }

  /** Calls back when the next call has come, before its effect. */
  on(route: string, callback: () => void): void {
    this.#hooks.set(route, [...(this.#hooks.get(route) ?? []), callback]);
  }

  /** Resolves once it is so, which is looked at after each call. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #changed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #nextId(): string {
    const at = BigInt(Math.max(this.#now() - epochMs, 1)) << 22n;
    this.#lastId = at > this.#lastId ? at : this.#lastId + 1n;
    return String(this.#lastId);
  }

  #message(channel: Channel, members: Readonly<Record<string, unknown>>): DiscordObject {
    return {
      id: this.#nextId(),
      channel_id: channel.id,
      timestamp: new Date(this.#now()).toISOString(),
      edited_timestamp: null,
      tts: false,
      mention_everyone: false,
      mentions: [],
      mention_roles: [],
      attachments: [],
      embeds: [],
      pinned: false,
      type: members['referenced_message'] === undefined ? 0 : 19,
      ...members,
    } as unknown as DiscordObject;
  }

  #give(name: string, channel: Channel, message: DiscordObject): void {
    const wants = channel.guildId === null ? intentBits.directMessages : intentBits.guildMessages;
    this.gateway.dispatch(name, wants, ({ intents }) => ({
      ...this.#shown(channel, message, (intents & intentBits.messageContent) !== 0),
      channel_type: channel.guildId === null ? 1 : 0,
      ...(channel.guildId === null ? {} : { guild_id: channel.guildId, member: { nick: null, roles: [] } }),
    }));
    this.#changed();
  }

  /** Without the intent a bot sees the text of private messages, of its own, and of those that mention it. */
  #shown(channel: Channel, message: DiscordObject, hasIntent: boolean): object {
    const mentions = (message['mentions'] as readonly { readonly id: string }[]) ?? [];
    const isOpen =
      channel.guildId === null ||
      message.author.id === this.bot.id ||
      mentions.some(({ id }) => id === this.bot.id);
    const { nonce, ...shown } = message;
    const told = this.tellsNonce && nonce !== undefined ? { nonce } : {};
    return hasIntent || isOpen ? { ...shown, ...told } : { ...shown, content: '', attachments: [] };
  }

  #guild(): { readonly id: string } {
    const shown = [...this.channels.values()].filter((channel) => channel.guildId === guildId);
    const objects = shown.map(({ id, messages }) => ({
      id,
      type: id === threadId ? 11 : 0,
      last_message_id: messages.at(-1)?.id ?? null,
    }));
    const guild = {
      id: guildId,
      name: 'A server',
      unavailable: false,
      channels: objects.filter(({ type }) => type === 0),
      threads: objects.filter(({ type }) => type === 11),
      members: [],
      roles: [],
    };
    return guild;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://x');
    if (url.pathname.startsWith('/attachments/'))
      return this.#giveFile(url.pathname.slice(13), request, response);
    const raw = await bodyOf(request);
    if (raw === null) return;
    const { route, channelId, rest } = routeOf(request.method ?? '', url.pathname);
    if (request.headers.authorization !== `Bot ${this.token}`) {
      return answer(response, 401, { message: '401: Unauthorized', code: 0 });
    }
    if (!/^DiscordBot \(\S+, \S+\)/.test(request.headers['user-agent'] ?? ''))
      this.#mistakes.push('the user agent');
    const { body, files } = parsedBody(request, raw);
    this.calls.push({ route, channelId, body, query: Object.fromEntries(url.searchParams) });
    for (const callback of this.#hooks.get(route)?.splice(0) ?? []) callback();
    const fault = this.#faults.get(route)?.shift();
    this.#changed();
    if (fault?.kind === 'cut' && fault.at === 'before') return void response.destroy();
    if (fault?.kind === 'hang' && fault.at === 'before') return;
    if (fault?.kind === 'delay') await delay(fault.ms);
    if (fault?.kind === 'raw') return void response.writeHead(fault.status).end(fault.body);
    if (fault?.kind === 'refuse') return answer(response, fault.status, fault.body, fault.headers);
    if (!this.#hasRoom(`${route} ${channelId}`, response)) return;
    let result: unknown;
    try {
      result = this.#call({ route, channelId, rest, body, files, url });
    } catch (error) {
      if (!(error instanceof DiscordRefusal)) throw error;
      return answer(response, error.status, { message: error.message, code: error.code });
    } finally {
      this.#changed();
    }
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'cut' && fault.at === 'after') return void response.destroy();
    if (fault?.kind !== 'cut') return answer(response, result === null ? 204 : 200, result);
    const text = JSON.stringify(result);
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
    });
    response.write(text.slice(0, text.length / 2), () => response.destroy());
  }

  /** Says what is left of the route's window; answers a call beyond that. */
  #hasRoom(key: string, response: ServerResponse): boolean {
    const now = this.#now();
    const known = this.#buckets.get(key);
    const bucket =
      known === undefined || now >= known.endsAt ? { left: bucketCount, endsAt: now + bucketMs } : known;
    this.#buckets.set(key, bucket);
    const rest = (bucket.endsAt - now) / 1_000;
    const headers = {
      'x-ratelimit-limit': String(bucketCount),
      'x-ratelimit-reset-after': rest.toFixed(3),
      'x-ratelimit-bucket': key.split(' ').slice(0, 2).join('-'),
    };
    if (bucket.left === 0) {
      this.limited += 1;
      const body = { message: 'You are being rate limited.', retry_after: rest, global: false };
      answer(response, 429, body, { ...headers, 'x-ratelimit-remaining': '0', 'x-ratelimit-scope': 'user' });
      return false;
    }
    bucket.left -= 1;
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.setHeader('x-ratelimit-remaining', String(bucket.left));
    return true;
  }

  #call(call: {
    readonly route: string;
    readonly channelId: string;
    readonly rest: string;
    readonly body: Body;
    readonly files: readonly { readonly name: string; readonly content: Buffer }[];
    readonly url: URL;
  }): unknown {
    const { route, channelId, rest, body, files, url } = call;
    if (route === 'GET users') return this.bot;
    if (route === 'GET applications') return { id: this.bot.id, name: 'stand-in', flags: this.flags };
    if (route === 'GET gateway') {
      const limit = { total: 1_000, remaining: this.startsLeft, reset_after: 3_600_000, max_concurrency: 1 };
      return { url: this.gatewayUrl, shards: 1, session_start_limit: limit };
    }
    const channel = this.channels.get(channelId);
    if (channel === undefined) throw new DiscordRefusal(404, 10_003, 'Unknown Channel');
    if (this.forbidden.has(channelId)) throw new DiscordRefusal(403, 50_001, 'Missing Access');
    switch (route) {
      case 'POST typing':
        this.typing.push(channelId);
        return null;
      case 'GET messages':
        return this.#read(channel, Object.fromEntries(url.searchParams));
      case 'PATCH messages':
        return this.#edit(channel, rest, body);
      case 'POST messages':
        return this.#create(channel, body, files);
      default:
        this.#mistakes.push(`the call ${route}`);
        throw new DiscordRefusal(404, 0, '404: Not Found');
    }
  }

  #refuse(mistake: string | null): void {
    if (mistake === null) return;
    this.#mistakes.push(mistake);
    throw new DiscordRefusal(400, 50_035, `Invalid Form Body: ${mistake}`);
  }

  #read(channel: Channel, parameters: Body): readonly object[] {
    this.#refuse(mistakeOf(query, parameters));
    if (this.unreadable.has(channel.id)) return [];
    const { after, limit = '50' } = parameters as { readonly after?: string; readonly limit?: string };
    const found = channel.messages.filter(({ id }) => after === undefined || BigInt(id) > BigInt(after));
    const most = Number(limit);
    const page = after === undefined ? found.slice(-most) : found.slice(0, most);
    return page.toReversed().map((message) => this.#shown(channel, message, this.gateway.allowsContent));
  }

  #create(
    channel: Channel,
    body: Body,
    files: readonly { readonly name: string; readonly content: Buffer }[],
  ): object {
    this.#refuse(mistakeOf(createMessage, body));
    const described = (body['attachments'] as readonly object[] | undefined) ?? [];
    this.#refuse(described.length === files.length ? null : 'attachments without files, or files without');
    if (files.some(({ content }) => content.length > 10 * 1024 ** 2)) {
      throw new DiscordRefusal(413, 40_005, 'Request entity too large');
    }
    const { nonce, enforce_nonce: isEnforced, content = '', message_reference: reference } = body;
    const known = this.#nonces.get(String(nonce));
    if (isEnforced === true && known !== undefined && this.#now() < known.until) return known.message;
    const message = this.#message(channel, {
      content: String(content).trim(),
      author: this.bot,
      ...(nonce === undefined ? {} : { nonce }),
      ...(reference === undefined
        ? {}
        : { message_reference: { channel_id: channel.id, ...reference }, type: 19 }),
      attachments: files.map(({ name, content: bytes }) => ({
        id: this.#nextId(),
        filename: name,
        size: bytes.length,
        url: `https://cdn.discordapp.com/attachments/1/2/${name}`,
      })),
    });
    channel.messages.push(message);
    if (nonce !== undefined) this.#nonces.set(String(nonce), { message, until: this.#now() + nonceMs });
    this.#give('MESSAGE_CREATE', channel, message);
    return message;
  }

  #edit(channel: Channel, messageId: string, body: Body): object {
    this.#refuse(mistakeOf(editMessage, body));
    const at = channel.messages.findIndex(({ id }) => id === messageId);
    const before = channel.messages[at];
    if (before === undefined) throw new DiscordRefusal(404, 10_008, 'Unknown Message');
    if (before.author.id !== this.bot.id)
      throw new DiscordRefusal(403, 50_005, 'Cannot edit a message authored by another user');
    const edited = { ...before, content: String(body['content']).trim() };
    channel.messages[at] = edited;
    return edited;
  }

  #giveFile(name: string, request: IncomingMessage, response: ServerResponse): void {
    const content = this.#files.get(name);
    const fault = this.#faults.get('file')?.shift();
    // Nobody but Discord's API may be told the token.
    if (request.headers.authorization !== undefined) this.#mistakes.push('the token was sent to the files');
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'cut' && content !== undefined) {
      response.setHeader('content-length', content.length);
      response.write(content.subarray(0, content.length / 2), () => response.destroy());
    } else if (content === undefined) response.writeHead(404).end();
    else response.end(content);
  }
}

function routeOf(
  method: string,
  path: string,
): { readonly route: string; readonly channelId: string; readonly rest: string } {
  const [, , version, kind = '', id = '', action = '', rest = ''] = path.split('/');
  if (version !== 'v10') return { route: `${method} ${path}`, channelId: '', rest: '' };
  if (kind === 'channels') return { route: `${method} ${action}`, channelId: id, rest };
  return { route: `${method} ${kind}`, channelId: '', rest: id };
}

function answer(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  const retryAfter = (body as { readonly retry_after?: number } | null)?.retry_after;
  if (retryAfter !== undefined) response.setHeader('retry-after', String(Math.ceil(retryAfter)));
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(body === null ? undefined : JSON.stringify(body));
}

function parsedBody(request: IncomingMessage, raw: Buffer) {
  const type = request.headers['content-type'] ?? '';
  const boundary = /^multipart\/form-data; boundary=([\w-]+)$/.exec(type)?.[1];
  const files: { readonly name: string; readonly content: Buffer }[] = [];
  if (boundary === undefined) {
    if (raw.length > 0 && type !== 'application/json') throw new Error(`the type ${type}`);
    return { body: JSON.parse(raw.toString() || '{}') as Body, files };
  }
  const text = raw.toString('latin1');
  const end = `\r\n--${boundary}--\r\n`;
  if (!text.startsWith(`--${boundary}\r\n`) || !text.endsWith(end))
    throw new Error('the body is no multipart/form-data');
  let body: Body = {};
  for (const part of text.slice(boundary.length + 4, -end.length).split(`\r\n--${boundary}\r\n`)) {
    const [head = '', ...rest] = part.split('\r\n\r\n');
    const content = Buffer.from(rest.join('\r\n\r\n'), 'latin1');
    const named = /filename="([^"]*)"/.exec(Buffer.from(head, 'latin1').toString())?.[1];
    if (/name="payload_json"/.test(head)) body = JSON.parse(content.toString());
    else if (named !== undefined && /name="files\[\d\]"/.test(head)) files.push({ name: named, content });
    else throw new Error('a part that is neither');
  }
  return { body, files };
}
