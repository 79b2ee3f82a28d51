import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { bodyOf } from './request-body.js';
import { formValue, mistakesOf, parseHtml } from './telegram-schema.js';

type Parameters = Readonly<Record<string, unknown>>;

export interface Call {
  readonly method: string;
  readonly parameters: Parameters;
}

/** A message of the bot, as the people of the chat see it. */
export interface SentMessage {
  readonly method: string;
  readonly chatId: number | string;
  readonly messageId: number;
  readonly text: string;
  readonly parameters: Parameters;
}

/** Goes wrong with the next call of a method. "before" and "after" are about its effect. */
export type Fault =
  | {
      readonly kind: 'refuse';
      readonly code: number;
      readonly description: string;
      readonly parameters?: object;
    }
  /** Something that is no answer of the Bot API. */
  | { readonly kind: 'raw'; readonly status: number; readonly body: string }
  | { readonly kind: 'cut'; readonly at: 'before' | 'after' | 'in-answer' }
  | { readonly kind: 'hang'; readonly at: 'before' | 'after' }
  | { readonly kind: 'delay'; readonly ms: number }
  /** The updates come in another order, or once more after they were confirmed. */
  | { readonly kind: 'reorder' }
  | { readonly kind: 'replay' };

/** An answer that is an error. */
class Refusal extends Error {
  constructor(
    readonly code: number,
    description: string,
    readonly parameters?: object,
  ) {
    super(description);
  }
}

interface Poll {
  readonly answer: (outcome: unknown) => void;
  readonly fail: (refusal: Refusal) => void;
  readonly offset: number;
  readonly limit: number;
}

const largestDownloadBytes = 20 * 1024 ** 2;
/** Telegram's server takes an offset that is further ahead for none (td/utils TQueue). */
const furthestOffset = 10;

/**
 * Stands in for the Bot API, for one bot. Calls that are not as it is published are refused, and stand in `mistakes`. Its
 * rules of updates are those of the Bot API server (github.com/tdlib/telegram-bot-api).
 */
export class TelegramStandIn {
  readonly token = '123456789:AAF-telegram_stand_in_token_0123456';
  readonly bot = { id: 123_456_789, is_bot: true, first_name: 'Stand-in', username: 'stand_in_bot' };
  readonly mistakes: string[] = [];
  readonly calls: Call[] = [];
  readonly sent: SentMessage[] = [];
  readonly actions: Parameters[] = [];
  readonly blocked = new Set<number>();
  readonly migrated = new Map<number, number>();
  isKnown = true;
  webhook = '';
  webhookSecret = '';
  webhookError: object = {};
  #server: Server;
  #updates: { readonly update_id: number }[] = [];
  #confirmed: { readonly update_id: number }[] = [];
  /** Those that the next answer has once more, whatever its offset. */
  #again: { readonly update_id: number }[] = [];
  #lastUpdate = 500;
  #allowed: readonly string[] | null = null;
  readonly #chats = new Set<number>();
  readonly #lastMessages = new Map<number | string, number>();
  readonly #files = new Map<string, Buffer>();
  readonly #faults = new Map<string, Fault[]>();
  readonly #hooks = new Map<string, (() => void)[]>();
  #poll: Poll | null = null;
  #waiting: (() => void)[] = [];

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        this.mistakes.push(`the stand-in failed: ${String(error)}`);
        response.destroy();
      });
    });
  }

  static async start(port = 0): Promise<TelegramStandIn> {
    const standIn = new TelegramStandIn();
    await standIn.listen(port);
    return standIn;
  }

  async listen(port = 0): Promise<void> {
    this.#server.listen(port, '127.0.0.1');
    await new Promise((resolve) => this.#server.once('listening', resolve));
  }

  get root(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#poll?.fail(new Refusal(500, 'Internal Server Error: restart'));
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Somebody writes to the bot, in private unless `members` has a chat. */
  says(text: string | null, members: Readonly<Record<string, unknown>> = {}, person = 42): number {
    const from = { id: person, is_bot: false, first_name: 'Ada', username: 'ada' };
    const chat = { id: person, type: 'private', first_name: 'Ada' };
    const message = {
      message_id: 0,
      from,
      chat,
      date: 1_780_000_000,
      ...(text === null ? {} : { text }),
      ...members,
    };
    const chatId = (message.chat as { readonly id: number }).id;
    this.#chats.add(chatId);
    if (message.message_id === 0) message.message_id = this.#nextMessage(chatId);
    this.gives('message', message);
    return message.message_id;
  }

  /** Puts an update into the queue, as Telegram does if its kind was asked for. */
  gives(kind: string, value: unknown): void {
    if (this.#allowed !== null && this.#allowed.length > 0 && !this.#allowed.includes(kind)) return;
    this.force({ [kind]: value });
  }

  /** Puts an update into the queue, whatever was asked for. */
  force(members: object): void {
    this.#lastUpdate += 1;
    this.#updates.push({ update_id: this.#lastUpdate, ...members });
    this.#answerPoll();
  }

  /** After a week without updates their ids begin anywhere. */
  restartIds(at: number): void {
    this.#lastUpdate = at;
    this.#confirmed = [];
  }

  addFile(id: string, content: Buffer): void {
    this.#files.set(id, content);
  }

  addChat(id: number): void {
    this.#chats.add(id);
  }

  next(method: string, ...faults: readonly Fault[]): void {
    this.#faults.set(method, [...(this.#faults.get(method) ?? []), ...faults]);
  }

  /** Calls back when the next call of the method has come, before its effect. */
  on(method: string, callback: () => void): void {
    this.#hooks.set(method, [...(this.#hooks.get(method) ?? []), callback]);
  }

  /** Another program polls the same bot. */
  conflict(): void {
    this.#poll?.fail(conflict());
    this.#poll = null;
  }

  get isPolled(): boolean {
    return this.#poll !== null;
  }

  /** Updates that the bot has not confirmed. */
  get unconfirmed(): number {
    return this.#updates.length;
  }

  get texts(): readonly string[] {
    return this.sent.map(({ text }) => text);
  }

  callsOf(method: string): readonly Parameters[] {
    return this.calls.filter((call) => call.method === method).map(({ parameters }) => parameters);
  }

  /** Resolves once it is so, which is looked at after each call. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #changed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, root = '', method = '', ...rest] = (request.url ?? '').split('/');
    if (root === 'file') {
      this.#giveFile([method, ...rest].join('/'), response);
      return;
    }
    const body = await bodyOf(request);
    if (body === null) return;
    if (root !== `bot${this.token}` || !this.isKnown)
      return refuse(response, new Refusal(401, 'Unauthorized'));
    const parameters = parametersOf(request, method, body);
    this.calls.push({ method, parameters });
    for (const callback of this.#hooks.get(method)?.splice(0) ?? []) callback();
    const fault = this.#faults.get(method)?.shift();
    this.#changed();
    if (fault?.kind === 'cut' && fault.at === 'before') return void response.destroy();
    if (fault?.kind === 'hang' && fault.at === 'before') return;
    if (fault?.kind === 'delay') await delay(fault.ms);
    if (fault?.kind === 'raw') return void response.writeHead(fault.status).end(fault.body);
    let result: unknown;
    try {
      if (fault?.kind === 'refuse') throw new Refusal(fault.code, fault.description, fault.parameters);
      if (fault?.kind === 'replay') this.#again = this.#confirmed.slice(-5);
      if (fault?.kind === 'reorder') this.#updates.reverse();
      result = await this.#call(method, parameters, response);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return refuse(response, error);
    } finally {
      this.#changed();
    }
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'cut' && fault.at === 'after') return void response.destroy();
    const text = JSON.stringify({ ok: true, result });
    response
      .setHeader('content-type', 'application/json')
      .setHeader('content-length', Buffer.byteLength(text));
    if (fault?.kind === 'cut') response.write(text.slice(0, text.length / 2), () => response.destroy());
    else response.end(text);
  }

  #call(method: string, parameters: Parameters, response: ServerResponse): unknown {
    const mistakes = mistakesOf(method, parameters);
    this.mistakes.push(...mistakes);
    if (mistakes[0] !== undefined) throw new Refusal(400, `Bad Request: ${mistakes[0]}`);
    switch (method) {
      case 'getMe':
        return this.bot;
      case 'getUpdates':
        return this.#getUpdates(parameters, response);
      case 'deleteWebhook':
        this.webhook = '';
        return true;
      case 'setWebhook':
        return this.#setWebhook(parameters);
      case 'getWebhookInfo':
        return {
          url: this.webhook,
          has_custom_certificate: false,
          pending_update_count: this.unconfirmed,
          ...this.webhookError,
        };
      case 'getFile':
        return this.#getFile(String(parameters['file_id']));
      case 'sendChatAction':
        this.#chatOf(parameters);
        this.actions.push(parameters);
        return true;
      case 'editMessageText':
        return this.#edit(parameters);
      default:
        return this.#send(method, parameters);
    }
  }

  #setWebhook({ url, secret_token: secret = '', allowed_updates: allowed }: Parameters): true {
    if (!/^https:\/\/[^/]+\//.test(String(url))) {
      throw new Refusal(400, 'Bad Request: bad webhook: An HTTPS URL must be provided for webhook');
    }
    if (!/^[\w-]{0,256}$/.test(String(secret))) {
      throw new Refusal(400, 'Bad Request: secret token contains unallowed characters');
    }
    this.webhook = String(url);
    this.webhookSecret = String(secret);
    if (Array.isArray(allowed)) this.#allowed = allowed;
    return true;
  }

  /** The oldest update that waits, as it is posted to the webhook; it waits until `confirm`. */
  get posted(): Buffer {
    return Buffer.from(JSON.stringify(this.#updates[0]));
  }

  confirm(): void {
    this.#confirmed.push(...this.#updates.splice(0, 1));
  }

  #getUpdates(parameters: Parameters, response: ServerResponse): Promise<unknown> {
    if (this.webhook !== '') {
      throw new Refusal(
        409,
        "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
      );
    }
    const { offset = 0, limit = 100, timeout = 0, allowed_updates: allowed } = parameters;
    if (Array.isArray(allowed)) this.#allowed = allowed;
    const poll = { offset: Number(offset), limit: Number(limit) };
    const updates = this.#take(poll);
    if (updates.length > 0 || timeout === 0) return Promise.resolve(updates);
    this.conflict();
    return new Promise((resolve, reject) => {
      const own: Poll = { ...poll, answer: resolve, fail: reject };
      this.#poll = own;
      const end = () => {
        if (this.#poll === own) this.#poll = null;
        clearTimeout(timer);
      };
      const timer = setTimeout(() => {
        end();
        resolve([]);
      }, Number(timeout) * 1_000);
      response.once('close', end);
    });
  }

  /** Confirms what is below the offset, and gives what follows. */
  #take({ offset, limit }: Pick<Poll, 'offset' | 'limit'>): readonly unknown[] {
    if (offset <= this.#lastUpdate + furthestOffset) {
      this.#confirmed.push(...this.#updates.filter(({ update_id: id }) => id < offset));
      this.#updates = this.#updates.filter(({ update_id: id }) => id >= offset);
    }
    return [...this.#again.splice(0), ...this.#updates.slice(0, limit)];
  }

  #answerPoll(): void {
    const poll = this.#poll;
    if (poll === null) return;
    this.#poll = null;
    // What comes in the same moment is one answer.
    setImmediate(() => poll.answer(this.#take(poll)));
  }

  #chatOf(parameters: Parameters): number | string {
    const id = parameters['chat_id'] as number | string;
    if (typeof id === 'string') return id;
    const moved = this.migrated.get(id);
    if (moved !== undefined) {
      throw new Refusal(400, 'Bad Request: group chat was upgraded to a supergroup chat', {
        migrate_to_chat_id: moved,
      });
    }
    if (this.blocked.has(id)) throw new Refusal(403, 'Forbidden: bot was blocked by the user');
    if (!this.#chats.has(id)) throw new Refusal(400, 'Bad Request: chat not found');
    return id;
  }

  #send(method: string, parameters: Parameters): unknown {
    const chatId = this.#chatOf(parameters);
    const text =
      method === 'sendMessage' ? textIn(parameters, 'text', 4_096) : textIn(parameters, 'caption', 1_024);
    const reply = parameters['reply_parameters'] as Parameters | undefined;
    if (reply !== undefined && !Number.isSafeInteger(reply['message_id'])) {
      this.mistakes.push('reply_parameters: needs a message_id');
    }
    const messageId = this.#nextMessage(chatId);
    this.sent.push({ method, chatId, messageId, text, parameters });
    return { message_id: messageId, date: 1_780_000_000, chat: { id: chatId, type: 'private' }, text };
  }

  #edit(parameters: Parameters): unknown {
    const chatId = this.#chatOf(parameters);
    const index = this.sent.findIndex(
      (each) => each.chatId === chatId && each.messageId === parameters['message_id'],
    );
    const before = this.sent[index];
    if (before === undefined) throw new Refusal(400, 'Bad Request: message to edit not found');
    const text = textIn(parameters, 'text', 4_096);
    if (text === before.text) {
      throw new Refusal(
        400,
        'Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message',
      );
    }
    this.sent[index] = { ...before, text };
    return { message_id: before.messageId, date: 1_780_000_000, chat: { id: chatId, type: 'private' }, text };
  }

  #getFile(id: string): unknown {
    const content = this.#files.get(id);
    if (content === undefined) throw new Refusal(400, 'Bad Request: invalid file_id');
    if (content.length > largestDownloadBytes) throw new Refusal(400, 'Bad Request: file is too big');
    return { file_id: id, file_unique_id: id, file_size: content.length, file_path: `documents/${id}` };
  }

  #giveFile(path: string, response: ServerResponse): void {
    const prefix = `bot${this.token}/documents/`;
    const content = path.startsWith(prefix) ? this.#files.get(path.slice(prefix.length)) : undefined;
    const fault = this.#faults.get('file')?.shift();
    this.calls.push({ method: 'file', parameters: {} });
    this.#changed();
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'cut' && content !== undefined) {
      response.setHeader('content-length', content.length);
      response.write(content.subarray(0, content.length / 2), () => response.destroy());
    } else if (content === undefined) refuse(response, new Refusal(404, 'Not Found'));
    else response.end(content);
  }

  #nextMessage(chatId: number | string): number {
    const id = (this.#lastMessages.get(chatId) ?? 0) + 1;
    this.#lastMessages.set(chatId, id);
    return id;
  }
}

function conflict(): Refusal {
  return new Refusal(
    409,
    'Conflict: terminated by other getUpdates request; make sure that only one bot instance is running',
  );
}

/** The text as people see it. Throws a Refusal for what Telegram does not take. */
function textIn(parameters: Parameters, key: string, most: number): string {
  const given = String(parameters[key] ?? '');
  const mode = parameters['parse_mode'];
  if (mode !== undefined && mode !== 'HTML') throw new Refusal(400, 'Bad Request: unsupported parse_mode');
  const parsed = mode === 'HTML' ? parseHtml(given) : { text: given };
  if ('mistake' in parsed) throw new Refusal(400, `Bad Request: can't parse entities: ${parsed.mistake}`);
  const { text } = parsed;
  if (key === 'text' && text.trim() === '') throw new Refusal(400, 'Bad Request: message text is empty');
  if (text.length > most) throw new Refusal(400, 'Bad Request: message is too long');
  return text;
}

function refuse(response: ServerResponse, { code, message, parameters }: Refusal): void {
  const body = { ok: false, error_code: code, description: message, ...(parameters && { parameters }) };
  const after = (parameters as { readonly retry_after?: number } | undefined)?.retry_after;
  if (after !== undefined) response.setHeader('retry-after', after);
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function parametersOf(request: IncomingMessage, method: string, body: Buffer): Parameters {
  const type = request.headers['content-type'] ?? '';
  if (type.startsWith('application/json')) return JSON.parse(body.toString() || '{}');
  const boundary = /^multipart\/form-data; boundary=([\w-]+)$/.exec(type)?.[1];
  if (boundary !== undefined) return partsOf(method, body, boundary);
  const query = new URL(request.url ?? '', 'http://x').searchParams;
  return Object.fromEntries([...query].map(([key, text]) => [key, formValue(method, key, text)]));
}

/** RFC 7578, strictly. */
function partsOf(method: string, body: Buffer, boundary: string): Parameters {
  const text = body.toString('latin1');
  if (!text.startsWith(`--${boundary}\r\n`) || !text.endsWith(`\r\n--${boundary}--\r\n`)) {
    throw new Error('the body is no multipart/form-data');
  }
  const parts = text.slice(0, -`\r\n--${boundary}--\r\n`.length).split(`--${boundary}\r\n`).slice(1);
  const entries = parts.map((part, index): [string, unknown] => {
    const [head = '', ...rest] = part.split('\r\n\r\n');
    const whole = rest.join('\r\n\r\n');
    const content = Buffer.from(index < parts.length - 1 ? whole.slice(0, -2) : whole, 'latin1');
    const name = /name="([^"]*)"/.exec(head)?.[1] ?? '';
    const isFile = /filename="/.test(head);
    return [name, isFile ? content : formValue(method, name, content.toString())];
  });
  const given = new Map(entries);
  // A parameter may name the part that has its file.
  for (const [name, value] of given) {
    const attached = /^attach:\/\/(.+)$/.exec(String(value))?.[1];
    if (attached === undefined || !given.has(attached)) continue;
    given.set(name, given.get(attached));
    given.delete(attached);
  }
  return Object.fromEntries(given);
}
