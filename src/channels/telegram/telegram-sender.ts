import { z } from 'zod';
import type { Delivery } from '../../store/deliveries.js';
import type { JsonValue, ReplyTarget, UnknownPolicy } from '../../store/messages.js';
import type { ChannelAddress, ChannelContext } from '../channel.js';
import type { MovedChats } from '../moved-chats.js';
import { lostFileText, openedFile, PlannedReplies, uploadTimeoutMs } from '../planned-replies.js';
import type { ReplyPart, ReplySender, SendOutcome } from '../reply-sender.js';
import type { FormedPart } from '../reply-text/reply-form.js';
import { SendBudget } from '../send-budget.js';
import {
  chatSchedule,
  refusedForGood,
  retryLater,
  throwUnlessSent,
  withinLimit,
  wrongAddress,
} from '../send-failures.js';
import { awaitTurn } from '../send-turn.js';
import { type ChatAddress, parseAddress } from './address.js';
import type { ApiEnd, BotApi } from './bot-api.js';
import { type PlannedPart, plainPart, planPreview, planReply } from './reply-plan.js';
import { telegramRates } from './send-rates.js';
import { isUnchanged, judgeRefusal, secondWayOf } from './send-verdict.js';

export interface TelegramSenderOptions {
  readonly context: Pick<ChannelContext, 'name' | 'clock' | 'openFile' | 'log'>;
  /** The connection; null: there is none. */
  readonly api: () => BotApi | null;
  readonly moved: MovedChats;
  /** The policy for a reply that may have arrived; null: the gateway's. */
  readonly unknown: UnknownPolicy | null;
  /** Longest time of one send, in milliseconds. */
  readonly timeoutMs: number;
  /** Time for which a reply is tried again, in milliseconds. */
  readonly retryForMs: number;
}

const wantedAddress = 'must be the id of a chat or "@name", and ":" and the id of a topic if it is one';

const sentMessage = z.object({ message_id: z.int() });

/** One message to a chat. */
interface Send {
  readonly part: PlannedPart;
  readonly address: ChatAddress;
  /** The message that it answers; null: none. */
  readonly answers: number | null;
  /** The preview that it takes the place of; null: there is none. */
  readonly edits: number | null;
  /** From now on it goes without the photo's or the preview's way. */
  readonly tried: ReadonlySet<string>;
}

/** Sends replies as messages of the bot. */
export class TelegramSender implements ReplySender {
  readonly schedule = chatSchedule;
  readonly #options: TelegramSenderOptions;
  readonly #budget = new SendBudget(telegramRates);
  readonly #replies = new PlannedReplies<PlannedPart>(planReply, (part) =>
    part.kind === 'text' ? part.formed : '',
  );

  constructor(options: TelegramSenderOptions) {
    this.#options = options;
  }

  /** Telegram has neither a key by which a message is sent once, nor a way to ask for one. */
  guarantee(): { readonly idempotent: false; readonly unknown: UnknownPolicy | null } {
    return { idempotent: false, unknown: this.#options.unknown };
  }

  addressMistake(address: string): string | null {
    return parseAddress(address) === null ? wantedAddress : null;
  }

  /** Topics of a chat share its limits. */
  destinationOf({ target }: Delivery): string {
    return this.#chatOf(target.address) ?? target.address;
  }

  partsOf(delivery: Delivery): readonly ReplyPart[] {
    return this.#replies.partsOf(delivery);
  }

  async send(sent: ReplyPart, signal: AbortSignal): Promise<SendOutcome> {
    const { delivery, number } = sent;
    const part = this.#replies.partOf(sent);
    if (part === undefined) return { kind: 'delivered', receipt: null };
    const { address: to } = delivery.target;
    const address = parseAddress(to);
    if (address === null) return refusedForGood(wrongAddress(to, wantedAddress));
    const preview = sentMessage.safeParse(delivery.parts.find(({ part }) => part === 0)?.receipt);
    const send: Send = {
      part,
      address,
      answers: number === 1 ? answeredIn(delivery.target) : null,
      edits: number === 1 && part.kind === 'text' && preview.success ? preview.data.message_id : null,
      tried: new Set(),
    };
    const outcome = await this.#send(send, signal);
    if (outcome.kind !== 'retry') return outcome;
    const { context, retryForMs } = this.#options;
    const { dueSince } = delivery;
    return withinLimit(outcome, { channel: context.name, retryForMs, dueSince, now: this.#now });
  }

  /** Shows the text so far. Without room in the budget the next one shows it. */
  async preview(
    target: ReplyTarget,
    text: string,
    receipt: JsonValue | null,
    signal: AbortSignal,
  ): Promise<JsonValue> {
    const address = parseAddress(target.address);
    const chat = this.#chatOf(target.address);
    if (address === null || chat === null || text.trim() === '') return receipt;
    // To form the text is work: the budget is asked first.
    if (!this.#budget.tryReserve(chat, this.#now)) return receipt;
    const part = planPreview(text);
    if (part === null) return receipt;
    const earlier = sentMessage.safeParse(receipt);
    const edits = earlier.success ? earlier.data.message_id : null;
    const send = { part, address, answers: answeredIn(target), edits, tried: new Set<string>() };
    const end = await this.#transmit(send, false, signal);
    if (end?.kind === 'refused' && end.retryAfterMs !== null) this.#hold(chat, end.retryAfterMs);
    const sent = end?.kind === 'ok' ? sentMessage.safeParse(end.result) : null;
    return sent?.success === true ? { message_id: sent.data.message_id } : receipt;
  }

  /** Sends a short text once. Rejects if it was not sent, or may not have been. */
  async say({ address: to, options }: ChannelAddress, text: string): Promise<void> {
    const signal = AbortSignal.timeout(this.#options.timeoutMs);
    const address = parseAddress(to);
    if (address === null) throw new Error(wrongAddress(to, wantedAddress));
    const answers = answeredIn({ options: options ?? {} });
    const send = { part: plainPart(text), address, answers, edits: null, tried: new Set<string>() };
    throwUnlessSent(await this.#send(send, signal));
  }

  /** Shows for some seconds that the bot writes. */
  async showTyping(target: Pick<ReplyTarget, 'address'>, signal: AbortSignal): Promise<void> {
    const address = parseAddress(target.address);
    const chat = this.#chatOf(target.address);
    if (address === null || chat === null || !this.#budget.tryReserve(chat, this.#now)) return;
    const { timeoutMs } = this.#options;
    const parameters = { ...this.#chatParameters(address), action: 'typing' };
    await this.#options.api()?.call('sendChatAction', parameters, { timeoutMs, signal });
  }

  async close(): Promise<void> {}

  get #now(): number {
    return this.#options.context.clock.now();
  }

  #chatOf(address: string): string | null {
    const parsed = parseAddress(address);
    return parsed === null ? null : String(this.#chatParameters(parsed).chat_id);
  }

  #chatParameters({ chatId, threadId }: ChatAddress) {
    return {
      chat_id: typeof chatId === 'number' ? Number(this.#options.moved.currentId(String(chatId))) : chatId,
      ...(threadId === null ? {} : { message_thread_id: threadId }),
    };
  }

  async #send(send: Send, signal: AbortSignal): Promise<SendOutcome> {
    const { context } = this.#options;
    const chat = String(this.#chatParameters(send.address).chat_id);
    const waited = await awaitTurn(this.#budget, chat, 'Telegram', { clock: context.clock, signal });
    if (waited !== null) return waited;
    const end = await this.#transmit(send, true, signal);
    switch (end?.kind) {
      case undefined:
        return retryLater('the channel has no connection to Telegram');
      case 'ok': {
        const sent = sentMessage.safeParse(end.result);
        return { kind: 'delivered', receipt: sent.success ? { message_id: sent.data.message_id } : null };
      }
      case 'aborted':
        // An edit may be made again.
        return { kind: 'aborted', inDoubt: end.inDoubt && send.edits === null };
      case 'failed': {
        const inDoubt = end.inDoubt && send.edits === null;
        return retryLater(`Telegram was not reached: ${end.reason}`, { inDoubt });
      }
      case 'refused':
        return this.#refused(send, end, chat, signal);
    }
  }

  async #refused(
    send: Send,
    end: Extract<ApiEnd, { readonly kind: 'refused' }>,
    chat: string,
    signal: AbortSignal,
  ): Promise<SendOutcome> {
    const { part, edits, tried, address } = send;
    if (edits !== null && isUnchanged(end)) return { kind: 'delivered', receipt: { message_id: edits } };
    if (end.retryAfterMs !== null) this.#hold(chat, end.retryAfterMs);
    const way = secondWayOf(end, {
      isFormatted: part.kind === 'text',
      isEdit: edits !== null,
      isPhoto: part.kind === 'file' && part.isPhoto,
    });
    if (way === null || tried.has(way)) return judgeRefusal(end);
    if (way === 'moved-chat' && typeof address.chatId === 'number' && end.migrateToChatId !== null) {
      try {
        const { moved } = this.#options;
        await moved.note(moved.currentId(String(address.chatId)), String(end.migrateToChatId));
      } catch {
        // The store fails. The next attempt is told again.
        return retryLater('the chat has moved, and its new id could not be stored');
      }
    }
    const again = { ...send, tried: new Set([...tried, way]) };
    if (way === 'new-message') return this.#send({ ...again, edits: null }, signal);
    if (way === 'as-document' && part.kind === 'file') {
      return this.#send({ ...again, part: { ...part, isPhoto: false } }, signal);
    }
    return this.#send(again, signal);
  }

  #hold(chat: string, retryAfterMs: number): void {
    this.#budget.hold(chat, this.#now + retryAfterMs, this.#now);
  }

  /** Null: there is no connection. */
  async #transmit(send: Send, isOnce: boolean, signal: AbortSignal): Promise<ApiEnd | null> {
    const { api, timeoutMs, context } = this.#options;
    const { part, address, answers, edits, tried } = send;
    const connection = api();
    if (connection === null) return null;
    const options = { timeoutMs, signal, isOnce: isOnce && edits === null };
    const chat = this.#chatParameters(address);
    if (edits !== null && part.kind === 'text') {
      const parameters = { chat_id: chat.chat_id, message_id: edits, ...textParameters(part, tried) };
      return connection.call('editMessageText', parameters, options);
    }
    const parameters = {
      ...chat,
      ...(answers === null
        ? {}
        : { reply_parameters: { message_id: answers, allow_sending_without_reply: true } }),
    };
    if (part.kind === 'text') {
      return connection.call('sendMessage', { ...parameters, ...textParameters(part, tried) }, options);
    }
    const content = await openedFile(context, part.file);
    if (content !== null && 'kind' in content) return content;
    if (content === null) {
      return connection.call('sendMessage', { ...parameters, text: lostFileText(part.file) }, options);
    }
    const { name, mediaType, sizeBytes } = part.file;
    const field = part.isPhoto ? 'photo' : 'document';
    const upload = { field, name, mediaType, sizeBytes, content };
    return connection.upload(part.isPhoto ? 'sendPhoto' : 'sendDocument', parameters, upload, {
      ...options,
      timeoutMs: uploadTimeoutMs(timeoutMs, part.file),
    });
  }
}

/** Markup that Telegram has refused is left out. */
function textParameters({ formed, plain }: FormedPart, tried: ReadonlySet<string>) {
  return tried.has('plain-text') ? { text: plain } : { text: formed, parse_mode: 'HTML' };
}

function answeredIn({ options }: Pick<ReplyTarget, 'options'>): number | null {
  const { message_id: id } = options;
  return Number.isSafeInteger(id) ? Number(id) : null;
}
