import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Delivery } from '../../store/deliveries.js';
import type { JsonValue, ReplyTarget, UnknownPolicy } from '../../store/messages.js';
import type { ChannelAddress, ChannelContext } from '../channel.js';
import { DoubtfulSends } from '../doubtful-sends.js';
import { lostFileText, openedFile, PlannedReplies, uploadTimeoutMs } from '../planned-replies.js';
import type { ReplyGuarantee, ReplyPart, ReplySender, SendOutcome } from '../reply-sender.js';
import {
  chatSchedule,
  decideUnknown,
  refusedForGood,
  retryLater,
  throwUnlessSent,
  withinLimit,
  wrongAddress,
} from '../send-failures.js';
import type { DiscordApi, DiscordCall, DiscordEnd } from './discord-api.js';
import { snowflake } from './message-schema.js';
import {
  findSent,
  nonceOf,
  type OutgoingPart,
  outgoingParts,
  outgoingPreview,
  wordsPart,
} from './outgoing.js';
import { judgeSend, type OtherWay, otherWayOf } from './send-verdict.js';
import { isSnowflake } from './snowflake.js';

export interface DiscordSenderOptions {
  readonly context: Pick<ChannelContext, 'name' | 'clock' | 'openFile' | 'log'>;
  /** The connection; null: there is none. */
  readonly link: () => { readonly api: DiscordApi; readonly botId: string } | null;
  /** The policy for a reply that may have arrived, where Discord can't tell; null: an operator decides. */
  readonly unknown: UnknownPolicy | null;
  /** Longest time of one send, in milliseconds. */
  readonly timeoutMs: number;
  /** Time for which a reply is tried again, in milliseconds. */
  readonly retryForMs: number;
}

/** Discord takes a message with a nonce once "in the past few minutes"; so long it surely does, in milliseconds. */
const nonceMs = 120_000;
const searchSize = 100;

const wantedAddress = 'must be the id of a channel, a thread or a private conversation';

const sentMessage = z.object({ message_id: snowflake });
const answeredMessage = z.object({ id: snowflake });

/** One message to a channel. */
interface Sending {
  readonly part: OutgoingPart;
  readonly channelId: string;
  readonly nonce: string;
  /** The message that it answers; null: none. */
  readonly answers: string | null;
  /** The preview that it takes the place of; null: there is none. */
  readonly edits: string | null;
}

/** Sends replies as messages of the bot. */
export class DiscordSender implements ReplySender {
  readonly schedule = chatSchedule;
  readonly #options: DiscordSenderOptions;
  readonly #startedAt: number;
  /** Numbers of messages whose last send may have arrived. */
  readonly #inDoubt = new DoubtfulSends();
  readonly #replies = new PlannedReplies<OutgoingPart>(outgoingParts, (part) =>
    part.kind === 'text' ? part.text : '',
  );

  constructor(options: DiscordSenderOptions) {
    this.#options = options;
    this.#startedAt = options.context.clock.now();
  }

  /** A number makes Discord take a message once for some minutes; later the channel's messages tell. */
  guarantee(): ReplyGuarantee {
    return { idempotent: true, unknown: this.#options.unknown };
  }

  addressMistake(address: string): string | null {
    return isSnowflake(address) ? null : wantedAddress;
  }

  destinationOf({ target }: Delivery): string {
    return target.address;
  }

  partsOf(delivery: Delivery): readonly ReplyPart[] {
    return this.#replies.partsOf(delivery);
  }

  async send(sent: ReplyPart, signal: AbortSignal): Promise<SendOutcome> {
    const { delivery, number } = sent;
    const part = this.#replies.partOf(sent);
    if (part === undefined) return { kind: 'delivered', receipt: null };
    const { address } = delivery.target;
    if (!isSnowflake(address)) return refusedForGood(wrongAddress(address, wantedAddress));
    const preview = sentMessage.safeParse(delivery.parts.find(({ part }) => part === 0)?.receipt);
    const sending: Sending = {
      part,
      channelId: address,
      nonce: nonceOf(delivery, number),
      answers: number === 1 ? answeredIn(delivery.target) : null,
      edits: number === 1 && part.kind === 'text' && preview.success ? preview.data.message_id : null,
    };
    const settled = await this.#settle(sending, delivery, signal);
    const outcome = settled ?? (await this.#send(sending, signal));
    this.#inDoubt.note(sending.nonce, outcome);
    if (outcome.kind !== 'retry') return outcome;
    const { context, retryForMs } = this.#options;
    const { dueSince } = delivery;
    return withinLimit(outcome, { channel: context.name, retryForMs, dueSince, now: this.#now });
  }

  /** Shows the text so far. Without room in the limits the next one shows it. */
  async preview(
    target: ReplyTarget,
    text: string,
    receipt: JsonValue | null,
    signal: AbortSignal,
  ): Promise<JsonValue> {
    const link = this.#options.link();
    if (link === null || !isSnowflake(target.address)) return receipt;
    const earlier = sentMessage.safeParse(receipt);
    const sending: Sending = {
      part: { kind: 'text', text: '' },
      channelId: target.address,
      nonce: randomNonce(),
      answers: answeredIn(target),
      edits: earlier.success ? earlier.data.message_id : null,
    };
    // To form the text is work: the limits are asked first.
    if (!link.api.hasRoom(callOf(sending, null))) return receipt;
    const shown = outgoingPreview(text);
    if (shown === null) return receipt;
    const call = callOf({ ...sending, part: { kind: 'text', text: shown } }, null);
    const end = await link.api.call(call, { timeoutMs: this.#options.timeoutMs, signal, longestWaitMs: 0 });
    return receiptOf(end) ?? receipt;
  }

  /** Sends a short text once. Rejects if it was not sent, or may not have been. */
  async say({ address, options }: ChannelAddress, text: string): Promise<void> {
    if (!isSnowflake(address)) throw new Error(wrongAddress(address, wantedAddress));
    const signal = AbortSignal.timeout(this.#options.timeoutMs);
    const answers = answeredIn({ options: options ?? {} });
    const sending = { part: wordsPart(text), channelId: address, nonce: randomNonce(), answers, edits: null };
    throwUnlessSent(await this.#send(sending, signal));
  }

  /** Shows for some seconds that the bot writes. */
  async showTyping({ address }: Pick<ReplyTarget, 'address'>, signal: AbortSignal): Promise<void> {
    const link = this.#options.link();
    const call = {
      method: 'POST',
      name: 'POST typing',
      channelId: address,
      path: `/channels/${address}/typing`,
    } as const;
    if (link === null || !isSnowflake(address) || !link.api.hasRoom(call)) return;
    await link.api.call(call, { timeoutMs: this.#options.timeoutMs, signal, longestWaitMs: 0 });
  }

  async close(): Promise<void> {}

  get #now(): number {
    return this.#options.context.clock.now();
  }

  /** Looks for a message that may have been sent before. Null: it is to be sent, as it was not, or Discord takes it once. */
  async #settle(sending: Sending, delivery: Delivery, signal: AbortSignal): Promise<SendOutcome | null> {
    const { nonce, channelId, part, answers, edits } = sending;
    // An edit may be made again.
    if (edits !== null) return null;
    if (delivery.repliedAt > this.#startedAt && !this.#inDoubt.has(nonce)) return null;
    const link = this.#options.link();
    if (link === null) return retryLater('the channel has no connection to Discord', { inDoubt: true });
    const end = await link.api.call(
      {
        method: 'GET',
        name: 'GET messages',
        channelId,
        path: `/channels/${channelId}/messages?limit=${searchSize}`,
      },
      { timeoutMs: this.#options.timeoutMs, signal },
    );
    const isUnreadable = end.kind === 'refused' && (end.status === 403 || end.status === 404);
    if (end.kind !== 'ok' && !isUnreadable) {
      const outcome = judgeSend(end);
      return 'inDoubt' in outcome ? { ...outcome, inDoubt: true } : outcome;
    }
    const found = findSent(end.kind === 'ok' ? end.result : [], searchSize, {
      botId: link.botId,
      nonce,
      part,
      answers,
      since: delivery.repliedAt,
      others: otherMessages(delivery),
    });
    if (found.kind === 'found') return { kind: 'delivered', receipt: { message_id: found.id } };
    if (found.kind === 'absent' || this.#now - delivery.repliedAt < nonceMs) return null;
    const { unknown, context } = this.#options;
    return decideUnknown("the bot may not read the channel's messages", { channel: context.name, unknown });
  }

  async #send(sending: Sending, signal: AbortSignal, tried: readonly OtherWay[] = []): Promise<SendOutcome> {
    const end = await this.#transmit(sending, signal);
    if (end === null) return retryLater('the channel has no connection to Discord');
    if (end.kind === 'ok') return { kind: 'delivered', receipt: receiptOf(end) };
    const { edits, answers } = sending;
    if (end.kind === 'refused') {
      const way = otherWayOf(end, { isEdit: edits !== null, isReply: answers !== null });
      if (way !== null && !tried.includes(way)) {
        const other = way === 'new-message' ? { ...sending, edits: null } : { ...sending, answers: null };
        return this.#send(other, signal, [...tried, way]);
      }
    }
    const outcome = judgeSend(end);
    // An edit may be made again.
    return edits !== null && 'inDoubt' in outcome ? { ...outcome, inDoubt: false } : outcome;
  }

  /** Null: there is no connection. */
  async #transmit(sending: Sending, signal: AbortSignal): Promise<DiscordEnd | null> {
    const { link, timeoutMs, context } = this.#options;
    const api = link()?.api;
    if (api === undefined) return null;
    const { part, edits } = sending;
    const options = { timeoutMs, signal, isOnce: edits === null };
    if (part.kind === 'text') return api.call(callOf(sending, null), options);
    const content = await openedFile(context, part.file);
    if (content !== null && 'kind' in content) return content;
    if (content === null) {
      const words = wordsPart(lostFileText(part.file));
      return api.call(callOf({ ...sending, part: words }, null), options);
    }
    return api.call(callOf(sending, content), {
      ...options,
      timeoutMs: uploadTimeoutMs(timeoutMs, part.file),
    });
  }
}

/** No mention of a reply calls anybody. */
const allowedMentions = { parse: [] };

function callOf(
  { part, channelId, nonce, answers, edits }: Sending,
  content: AsyncIterable<Uint8Array> | null,
): DiscordCall {
  const path = `/channels/${channelId}/messages`;
  const text = part.kind === 'text' ? { content: part.text } : {};
  if (edits !== null) {
    const body = { ...text, allowed_mentions: allowedMentions };
    return { method: 'PATCH', name: 'PATCH message', channelId, path: `${path}/${edits}`, body };
  }
  const body = {
    ...text,
    nonce,
    enforce_nonce: true,
    allowed_mentions: allowedMentions,
    ...(answers === null ? {} : { message_reference: { message_id: answers, fail_if_not_exists: false } }),
  };
  const call = { method: 'POST', name: 'POST messages', channelId, path } as const;
  if (part.kind === 'text' || content === null) return { ...call, body };
  const { name, mediaType, sizeBytes } = part.file;
  const attachments = [{ id: 0, filename: name }];
  return { ...call, body: { ...body, attachments }, file: { name, mediaType, sizeBytes, content } };
}

function receiptOf(end: DiscordEnd): JsonValue | null {
  const sent = end.kind === 'ok' ? answeredMessage.safeParse(end.result) : null;
  return sent?.success === true ? { message_id: sent.data.id } : null;
}

function answeredIn({ options }: Pick<ReplyTarget, 'options'>): string | null {
  const { message_id: id } = options;
  return typeof id === 'string' && isSnowflake(id) ? id : null;
}

function otherMessages({ parts }: Delivery): ReadonlySet<string> {
  const ids = parts.map(({ receipt }) => sentMessage.safeParse(receipt).data?.message_id);
  return new Set(ids.filter((id) => id !== undefined));
}

function randomNonce(): string {
  return randomUUID().replaceAll('-', '').slice(0, 24);
}
