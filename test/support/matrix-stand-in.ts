import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type MatrixEvent, MatrixRoom } from './matrix-room.js';
import {
  callSchemas,
  mistakeIn,
  roomEventFilter,
  syncFilterSchema,
  textOfMatrixHtml,
} from './matrix-schema.js';
import { bodyOf } from './request-body.js';

type Body = Readonly<Record<string, unknown>>;

export interface MatrixRequest {
  readonly name: string;
  readonly roomId: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: Body;
}

/** Goes wrong with the next call. "before" and "after" are about its effect. */
export type MatrixFault =
  | {
      readonly kind: 'refuse';
      readonly status: number;
      readonly body: object;
      readonly headers?: Record<string, string>;
    }
  /** Something that is no answer of a homeserver. */
  | { readonly kind: 'raw'; readonly status: number; readonly body: string }
  | { readonly kind: 'cut'; readonly at: 'before' | 'after' | 'in-answer' }
  | { readonly kind: 'hang'; readonly at: 'before' | 'after' }
  | { readonly kind: 'delay'; readonly ms: number }
  /** The last answer comes once more, whatever was acknowledged. */
  | { readonly kind: 'replay' };

class MatrixRefusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly members: object = {},
  ) {
    super(message);
  }
}

export const ada = '@ada:example.org';
export const grace = '@grace:example.org';
export const botUser = '@bot:example.org';
export const directId = '!direct:example.org';
export const groupId = '!group:example.org';

/** An event has 65,536 bytes at most with what the homeserver adds: the ids, the hashes and the signatures. */
const largestEventBytes = 65_536;
const addedBytes = 1_500;
/** Homeservers remember transactions for half an hour at least. */
const transactionMs = 1_800_000;
const largestUploadBytes = 100_000;

/** Stands in for a homeserver, for one account. Calls that are not as it is published are refused, and stand in `mistakes`. */
export class MatrixStandIn {
  token = 'syt_stand-in_abcdefghijklmnop_012345';
  versions: readonly string[] = ['v1.1', 'v1.10', 'v1.11', 'v1.16'];
  displayName: string | null = 'Helper';
  readonly mistakes: string[] = [];
  readonly calls: MatrixRequest[] = [];
  readonly rooms = new Map<string, MatrixRoom>();
  readonly media = new Map<string, Buffer>();
  /** Nobody may read the history of these. */
  readonly unreadable = new Set<string>();
  /** The end of a page is where the homeserver wants it. */
  obeysTo = true;
  /** The homeserver that the domain names, where it is none itself. */
  homeserverOf: string | null = null;
  /** Events of a page of history at most. */
  largestPage = 1_000;
  /** It has forgotten each place that it has given before this one. */
  knownFrom = 0;
  readonly #server: Server;
  readonly #now: () => number;
  readonly #faults = new Map<string, MatrixFault[]>();
  readonly #hooks = new Map<string, (() => void)[]>();
  readonly #transactions = new Map<string, { readonly eventId: string; readonly until: number }>();
  #position = 100;
  #lastSync: object | null = null;
  readonly #polls = new Set<() => void>();
  #waiting: (() => void)[] = [];
  #uploads = 0;

  private constructor(
    now: () => number,
    /** The account. */
    readonly user: string,
  ) {
    this.#now = now;
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        this.mistakes.push(`the stand-in failed: ${String(error)}`);
        response.destroy();
      });
    });
    this.room(directId, [ada]);
    this.room(groupId, [ada, grace]);
  }

  /** @param now the time by which events and transactions count */
  static async start(now = Date.now, user = botUser): Promise<MatrixStandIn> {
    const standIn = new MatrixStandIn(now, user);
    standIn.#server.listen(0, '127.0.0.1');
    await new Promise((resolve) => standIn.#server.once('listening', resolve));
    return standIn;
  }

  get root(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const end of this.#polls) end();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Makes a room with the account and others, who have joined it. */
  room(id: string, others: readonly string[], create: object = {}): MatrixRoom {
    const room = this.#made(id, others, create);
    this.gives(room, this.user, 'm.room.member', { membership: 'join' }, { state_key: this.user });
    return room;
  }

  /** Makes a room, to which its first member invites the account. */
  invites(id: string, others: readonly string[], content: object = {}, create: object = {}): MatrixRoom {
    const room = this.#made(id, others, create);
    const inviter = others[0] ?? ada;
    this.gives(
      room,
      inviter,
      'm.room.member',
      { membership: 'invite', ...content },
      { state_key: this.user },
    );
    return room;
  }

  #made(id: string, others: readonly string[], create: object): MatrixRoom {
    const room = new MatrixRoom(id);
    this.rooms.set(id, room);
    this.gives(room, others[0] ?? ada, 'm.room.create', { room_version: '11', ...create }, { state_key: '' });
    for (const user of others) {
      const displayname = user === ada ? 'Ada L' : null;
      this.gives(room, user, 'm.room.member', { membership: 'join', displayname }, { state_key: user });
    }
    return room;
  }

  /** Puts any event into a room. */
  gives(
    to: MatrixRoom | string,
    sender: string,
    type: string,
    content: object,
    members: Partial<MatrixEvent> = {},
  ): MatrixEvent {
    const room = typeof to === 'string' ? this.rooms.get(to) : to;
    if (room === undefined) throw new Error(`There is no room ${to}.`);
    this.#position += 1;
    const event: MatrixEvent = {
      type,
      sender,
      content: content as MatrixEvent['content'],
      event_id: `$e${this.#position}`,
      origin_server_ts: this.#now(),
      position: this.#position,
      ...members,
    };
    room.add(event);
    for (const end of this.#polls) end();
    this.#changed();
    return event;
  }

  /** Somebody writes, in private unless a room is named. */
  says(body: string, content: object = {}, roomId = directId, sender = ada): MatrixEvent {
    return this.gives(roomId, sender, 'm.room.message', { msgtype: 'm.text', body, ...content });
  }

  edits(event: MatrixEvent, body: string, content: object = {}, roomId = directId): MatrixEvent {
    return this.gives(roomId, event.sender, 'm.room.message', {
      msgtype: 'm.text',
      body: `* ${body}`,
      'm.new_content': { msgtype: 'm.text', body, ...content },
      'm.relates_to': { rel_type: 'm.replace', event_id: event.event_id },
    });
  }

  /** Deletes a message as rooms of version 11 have it, or in the older way. */
  redacts(event: MatrixEvent, roomId = directId, isOld = false): void {
    const room = this.rooms.get(roomId) as MatrixRoom;
    const content = isOld ? {} : { redacts: event.event_id };
    const members = isOld ? { redacts: event.event_id } : {};
    const redaction = this.gives(room, event.sender, 'm.room.redaction', content, members);
    room.replace({ ...event, content: {}, unsigned: { redacted_because: redaction } });
  }

  addMedia(id: string, content: Buffer): string {
    this.media.set(id, content);
    return `mxc://example.org/${id}`;
  }

  next(name: string, ...faults: readonly MatrixFault[]): void {
    this.#faults.set(name, [...(this.#faults.get(name) ?? []), ...faults]);
  }

  /** Calls back when the next call has come, before its effect. */
  on(name: string, callback: () => void): void {
    this.#hooks.set(name, [...(this.#hooks.get(name) ?? []), callback]);
  }

  callsOf(name: string): readonly MatrixRequest[] {
    return this.calls.filter((call) => call.name === name);
  }

  /** Messages of the account, in their order. */
  get sent(): readonly MatrixEvent[] {
    return [...this.rooms.values()]
      .flatMap(({ events }) => events)
      .filter(({ sender, type }) => sender === this.user && type === 'm.room.message')
      .sort((a, b) => a.position - b.position);
  }

  /** As people see them: an edit stands in the place of what it edits. */
  get texts(): readonly string[] {
    const shown = new Map<string, string>();
    for (const { event_id: id, content } of this.sent) {
      const relation = content['m.relates_to'] as { readonly rel_type?: string; readonly event_id?: string };
      const isEdit = relation?.rel_type === 'm.replace';
      const body = isEdit ? (content['m.new_content'] as { readonly body: string }).body : content['body'];
      shown.set(isEdit ? String(relation.event_id) : id, String(body));
    }
    return [...shown.values()];
  }

  /** Messages of the account in a room, in their order. */
  textsIn(roomId: string): readonly string[] {
    const events = this.rooms.get(roomId)?.events ?? [];
    return events
      .filter(({ sender, type }) => sender === this.user && type === 'm.room.message')
      .map(({ content }) => String(content['body']));
  }

  get isPolled(): boolean {
    return this.#polls.size > 0;
  }

  /** The place that was acknowledged last. */
  get since(): string | undefined {
    return this.callsOf('GET sync').at(-1)?.query['since'];
  }

  /** The place behind all that there is. */
  get place(): string {
    return `s${this.#position}`;
  }

  /** Resolves once it is so, which is looked at after each call. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #changed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://x');
    if (this.homeserverOf !== null) return this.#nameHomeserver(url.pathname, request, response);
    const raw = await bodyOf(request);
    if (raw === null) return;
    const { name, roomId, rest } = routeOf(request.method ?? '', url.pathname);
    const query = Object.fromEntries(url.searchParams);
    const isJson = request.headers['content-type'] === 'application/json';
    const body = isJson ? (JSON.parse(raw.toString()) as Body) : {};
    this.calls.push({ name, roomId, path: url.pathname, query, body });
    for (const callback of this.#hooks.get(name)?.splice(0) ?? []) callback();
    const fault = this.#faults.get(name)?.shift();
    this.#changed();
    if (fault?.kind === 'cut' && fault.at === 'before') return void response.destroy();
    if (fault?.kind === 'hang' && fault.at === 'before') return;
    if (fault?.kind === 'delay') await delay(fault.ms);
    if (fault?.kind === 'raw') return void response.writeHead(fault.status).end(fault.body);
    if (fault?.kind === 'refuse') return answer(response, fault.status, fault.body, fault.headers);
    let result: unknown;
    try {
      this.#check(name, request, { query, body, raw });
      if (fault?.kind === 'replay' && this.#lastSync !== null) result = this.#lastSync;
      else result = await this.#call(name, { roomId, rest, query, body, raw, response });
    } catch (error) {
      if (!(error instanceof MatrixRefusal)) throw error;
      const { status, code, message, members } = error;
      return answer(response, status, { errcode: code, error: message, ...members });
    } finally {
      this.#changed();
    }
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'cut' && fault.at === 'after') return void response.destroy();
    const bytes = Buffer.isBuffer(result) ? result : Buffer.from(JSON.stringify(result));
    response.writeHead(200, {
      'content-type': Buffer.isBuffer(result) ? 'application/octet-stream' : 'application/json',
      'content-length': bytes.length,
    });
    if (fault?.kind !== 'cut') return void response.end(bytes);
    response.write(bytes.subarray(0, Math.ceil(bytes.length / 2)), () => response.destroy());
  }

  #nameHomeserver(path: string, { headers }: IncomingMessage, response: ServerResponse): void {
    if (path !== '/.well-known/matrix/client') return void response.writeHead(404).end('<html>');
    if (headers.authorization !== undefined) this.mistakes.push('the token was sent to the domain');
    answer(response, 200, { 'm.homeserver': { base_url: this.homeserverOf } });
  }

  #check(
    name: string,
    { headers }: IncomingMessage,
    { query, body, raw }: { readonly query: object; readonly body: Body; readonly raw: Buffer },
  ): void {
    if (headers.authorization !== `Bearer ${this.token}`) {
      const members = { soft_logout: false };
      throw new MatrixRefusal(401, 'M_UNKNOWN_TOKEN', 'Unrecognised access token', members);
    }
    const schema = callSchemas[name];
    if (schema === undefined) throw new MatrixRefusal(404, 'M_UNRECOGNIZED', `Unrecognized request ${name}`);
    const isUpload = name === 'POST upload';
    const isBodyOfCall = isUpload || (schema.body === null ? raw.length === 0 : raw.length > 0);
    const mistake =
      mistakeIn(schema.query, query) ??
      (schema.body === null ? undefined : mistakeIn(schema.body, body)) ??
      (isBodyOfCall ? undefined : `a body of ${raw.length} bytes`);
    if (mistake === undefined) return;
    this.mistakes.push(`${name}: ${mistake}`);
    throw new MatrixRefusal(400, 'M_BAD_JSON', mistake);
  }

  async #call(
    name: string,
    {
      roomId,
      rest,
      query,
      body,
      raw,
      response,
    }: {
      readonly roomId: string;
      readonly rest: readonly string[];
      readonly query: Readonly<Record<string, string>>;
      readonly body: Body;
      readonly raw: Buffer;
      readonly response: ServerResponse;
    },
  ): Promise<unknown> {
    switch (name) {
      case 'GET versions':
        return { versions: this.versions };
      case 'GET whoami':
        return { user_id: this.user, device_id: 'DEVICE', is_guest: false };
      case 'GET displayname':
        return this.displayName === null ? {} : { displayname: this.displayName };
      case 'GET sync':
        return this.#sync(query, response);
      case 'GET config':
        return { 'm.upload.size': largestUploadBytes };
      case 'POST join':
        return this.#join(roomId);
      case 'POST upload':
        return this.#upload(raw);
      case 'GET download':
        return this.#download(rest);
      default:
        return this.#callOfRoom(name, this.#joined(roomId), rest, query, body);
    }
  }

  #callOfRoom(
    name: string,
    room: MatrixRoom,
    rest: readonly string[],
    query: Readonly<Record<string, string>>,
    body: Body,
  ): unknown {
    const [first = '', second = ''] = rest;
    switch (name) {
      case 'GET joined_members':
        return { joined: room.joinedMembers };
      case 'GET event': {
        const event = room.visible(this.user).find(({ event_id: id }) => id === first);
        if (event === undefined) throw new MatrixRefusal(404, 'M_NOT_FOUND', 'Event not found.');
        return shown(event);
      }
      case 'GET state': {
        const state = room.state(first, second);
        if (state === undefined) throw new MatrixRefusal(404, 'M_NOT_FOUND', 'Event not found.');
        return state.content;
      }
      case 'GET messages':
        return this.#messages(room, query);
      case 'PUT typing':
        if (first !== this.user) throw new MatrixRefusal(403, 'M_FORBIDDEN', 'That is somebody else.');
        return {};
      case 'PUT send':
        return this.#send(room, first, second, body);
      default:
        throw new MatrixRefusal(404, 'M_UNRECOGNIZED', `Unrecognized request ${name}`);
    }
  }

  #joined(roomId: string): MatrixRoom {
    const room = this.rooms.get(roomId);
    if (room === undefined || room.membership(this.user) !== 'join') {
      throw new MatrixRefusal(403, 'M_FORBIDDEN', `User ${this.user} not in room ${roomId}`);
    }
    return room;
  }

  #send(room: MatrixRoom, type: string, transaction: string, content: Body): unknown {
    if (type !== 'm.room.message') this.mistakes.push(`an event of the type ${type}`);
    if (room.state('m.room.tombstone', '') !== undefined) {
      throw new MatrixRefusal(403, 'M_FORBIDDEN', 'The room was replaced.');
    }
    const path = `${room.id} ${type} ${transaction}`;
    const known = this.#transactions.get(path);
    if (known !== undefined && this.#now() < known.until) return { event_id: known.eventId };
    const bytes = Buffer.byteLength(JSON.stringify(content)) + addedBytes;
    if (bytes > largestEventBytes) throw this.#refused(413, 'M_TOO_LARGE', `event too large: ${bytes}`);
    this.#checkContent(room, content);
    const event = this.gives(room, this.user, type, content, { unsigned: { transaction_id: transaction } });
    this.#transactions.set(path, { eventId: event.event_id, until: this.#now() + transactionMs });
    return { event_id: event.event_id };
  }

  #refused(status: number, code: string, message: string): MatrixRefusal {
    this.mistakes.push(message);
    return new MatrixRefusal(status, code, message);
  }

  #checkContent(room: MatrixRoom, content: Body): void {
    const shownContent = (content['m.new_content'] ?? content) as Body;
    const html = shownContent['formatted_body'];
    try {
      if (typeof html === 'string') textOfMatrixHtml(html);
    } catch (error) {
      this.mistakes.push(`the HTML: ${String(error)}`);
    }
    const relation = content['m.relates_to'] as
      | {
          readonly rel_type?: string;
          readonly event_id?: string;
          readonly 'm.in_reply_to'?: { readonly event_id: string };
        }
      | undefined;
    const target = room.events.find(({ event_id: id }) => id === relation?.event_id);
    if (relation?.rel_type === 'm.thread' && target?.content['m.relates_to'] !== undefined) {
      throw this.#refused(400, 'M_UNKNOWN', 'Cannot start threads from an event with a relation');
    }
    if (relation?.rel_type === 'm.replace') {
      const targetRelation = target?.content['m.relates_to'] as { readonly rel_type?: string } | undefined;
      if (target?.sender !== this.user || targetRelation?.rel_type === 'm.replace') {
        this.mistakes.push(`the edit of ${relation.event_id}`);
      }
    }
    const answered = relation?.['m.in_reply_to']?.event_id;
    if (answered !== undefined && !room.events.some(({ event_id: id }) => id === answered)) {
      this.mistakes.push(`the answer to ${answered}`);
    }
  }

  #join(roomId: string): unknown {
    const room = this.rooms.get(roomId);
    const membership = room?.membership(this.user);
    const isPublic = room?.state('m.room.join_rules', '')?.content['join_rule'] === 'public';
    if (room === undefined || (membership !== 'invite' && membership !== 'join' && !isPublic)) {
      throw new MatrixRefusal(403, 'M_FORBIDDEN', 'You are not invited to this room.');
    }
    if (membership !== 'join') {
      const unsigned = membership === undefined ? {} : { prev_content: { membership } };
      const members = { state_key: this.user, unsigned };
      this.gives(room, this.user, 'm.room.member', { membership: 'join' }, members);
    }
    return { room_id: roomId };
  }

  #upload(raw: Buffer): unknown {
    if (raw.length > largestUploadBytes) {
      throw new MatrixRefusal(413, 'M_TOO_LARGE', 'Cannot upload files larger than 100000');
    }
    this.#uploads += 1;
    return { content_uri: this.addMedia(`upload-${this.#uploads}`, raw) };
  }

  #download([way = '', server = '', id = '']: readonly string[]): Buffer {
    const isNew = this.versions.includes('v1.11');
    if ((way === 'v1') !== isNew) throw new MatrixRefusal(404, 'M_UNRECOGNIZED', 'Unrecognized request');
    const content = server === 'example.org' ? this.media.get(id) : undefined;
    if (content === undefined) throw new MatrixRefusal(404, 'M_NOT_FOUND', 'Not found');
    return content;
  }

  async #sync(query: Readonly<Record<string, string>>, response: ServerResponse): Promise<unknown> {
    const filter = syncFilterSchema.safeParse(JSON.parse(query['filter'] ?? ''));
    if (!filter.success) throw this.#refused(400, 'M_BAD_JSON', `the filter: ${filter.error.message}`);
    const since = query['since'] === undefined ? null : this.#positionOf(query['since']);
    const { timeline, state } = filter.data.room;
    const give = () => {
      const join: Record<string, object> = {};
      const invite: Record<string, object> = {};
      for (const room of this.rooms.values()) {
        const membership = room.membership(this.user);
        const change = room.stateEvent('m.room.member', this.user)?.position ?? 0;
        if (membership === 'invite' && change > (since ?? 0)) {
          invite[room.id] = { invite_state: { events: room.stripped(this.user) } };
        }
        if (membership !== 'join') continue;
        const given = room.sync({
          since,
          limit: timeline.limit ?? 10,
          timelineTypes: timeline.types ?? [],
          stateTypes: state.types ?? [],
          user: this.user,
        });
        if (given !== null) join[room.id] = given;
      }
      return { next_batch: this.place, rooms: { join, invite } };
    };
    const isEmpty = ({ rooms }: ReturnType<typeof give>) =>
      Object.keys(rooms.join).length + Object.keys(rooms.invite).length === 0;
    let given = give();
    const timeoutMs = Number(query['timeout']);
    if (since !== null && timeoutMs > 0 && isEmpty(given)) {
      await this.#somethingNew(timeoutMs, response);
      given = give();
    }
    if (!isEmpty(given)) this.#lastSync = given;
    return given;
  }

  async #somethingNew(timeoutMs: number, response: ServerResponse): Promise<void> {
    let end = () => {};
    const isOver = new Promise<void>((resolve) => {
      // What comes in the same moment is one answer.
      end = () => void setImmediate(resolve);
    });
    const timer = setTimeout(end, timeoutMs);
    response.once('close', end);
    this.#polls.add(end);
    this.#changed();
    await isOver;
    this.#polls.delete(end);
    clearTimeout(timer);
  }

  #positionOf(place: string): number {
    const position = Number(/^[st](\d+)$/.exec(place)?.[1] ?? Number.NaN);
    if (Number.isNaN(position) || position < this.knownFrom) {
      throw new MatrixRefusal(400, 'M_UNKNOWN', 'Invalid stream token');
    }
    return position;
  }

  #messages(room: MatrixRoom, query: Readonly<Record<string, string>>): unknown {
    if (this.unreadable.has(room.id)) throw new MatrixRefusal(403, 'M_FORBIDDEN', 'You may not see it.');
    const filter = roomEventFilter.safeParse(JSON.parse(query['filter'] ?? '{}'));
    if (!filter.success) throw this.#refused(400, 'M_BAD_JSON', `the filter: ${filter.error.message}`);
    const from = query['from'] === undefined ? this.#position : this.#positionOf(query['from']);
    const to = query['to'] === undefined || !this.obeysTo ? 0 : this.#positionOf(query['to']);
    const { types, senders } = filter.data;
    const older = room
      .visible(this.user)
      .filter(({ position }) => position <= from && position > to)
      .reverse();
    const page = older.slice(0, Math.min(Number(query['limit']), this.largestPage));
    const chunk = page
      .filter(({ type }) => types === undefined || types.includes(type))
      .filter(({ sender }) => senders === undefined || senders.includes(sender));
    const last = page.at(-1);
    const end = page.length === older.length || last === undefined ? {} : { end: `t${last.position - 1}` };
    return { start: `t${from}`, ...end, chunk: chunk.map(shown), state: room.membersOf(chunk) };
  }
}

function shown({ position: _position, ...event }: MatrixEvent): object {
  return event;
}

/** The name of a call, the room that it is about, and the other parts of its path. */
function routeOf(
  method: string,
  path: string,
): { readonly name: string; readonly roomId: string; readonly rest: readonly string[] } {
  const parts = path.split('/').slice(1).map(decodeURIComponent);
  const [prefix, kind, version, first = '', second = '', third = '', ...rest] = parts;
  const unknown = { name: `${method} ${path}`, roomId: '', rest: [] };
  if (prefix !== '_matrix') return unknown;
  if (kind === 'media' && version === 'v3') {
    if (first === 'upload') return { name: `${method} upload`, roomId: '', rest: [] };
    if (first === 'config') return { name: `${method} config`, roomId: '', rest: [] };
    if (first === 'download') return { name: `${method} download`, roomId: '', rest: ['v3', second, third] };
  }
  if (kind !== 'client') return unknown;
  if (version === 'versions') return { name: `${method} versions`, roomId: '', rest: [] };
  if (version === 'v1' && first === 'media' && second === 'config') {
    return { name: `${method} config`, roomId: '', rest: [] };
  }
  if (version === 'v1' && first === 'media' && second === 'download') {
    return { name: `${method} download`, roomId: '', rest: ['v1', third, ...rest] };
  }
  if (version !== 'v3') return unknown;
  switch (first) {
    case 'account':
      return { name: `${method} ${second}`, roomId: '', rest: [] };
    case 'profile':
      return { name: `${method} ${third}`, roomId: '', rest: [second] };
    case 'join':
      return { name: `${method} join`, roomId: second, rest: [] };
    case 'rooms':
      return { name: `${method} ${third}`, roomId: second, rest };
    default:
      return { name: `${method} ${first}`, roomId: '', rest: [] };
  }
}

function answer(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}
