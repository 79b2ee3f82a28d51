import { randomUUID } from 'node:crypto';
import type { Delivery } from '../../store/deliveries.js';
import type { Attachment, JsonValue, ReplyTarget, UnknownPolicy } from '../../store/messages.js';
import type { ChannelAddress, ChannelContext } from '../channel.js';
import { DoubtfulSends } from '../doubtful-sends.js';
import type { MovedChats } from '../moved-chats.js';
import { lostFileText, openedFile, PlannedReplies, uploadTimeoutMs } from '../planned-replies.js';
import type { ReplyGuarantee, ReplyPart, ReplySender, SendOutcome, StreamMode } from '../reply-sender.js';
import { SendBudget } from '../send-budget.js';
import {
  chatSchedule,
  decideUnknown,
  refusedForGood,
  retryLater,
  throwUnlessSent,
  withinLimit,
  wrongAddress,
} from '../send-failures.js';
import { awaitTurn } from '../send-turn.js';
import { isEventId, isUserId, parseAddress } from './address.js';
import { sentSchema, uploadedSchema } from './event-schema.js';
import { clientPath, type MatrixApi, type MatrixEnd } from './matrix-api.js';
import {
  contentOf,
  editOf,
  fileBody,
  findSent,
  type MatrixPart,
  type MessageRelation,
  outgoingParts,
  outgoingPreview,
  receiptSchema,
  textBody,
  transactionOf,
  wordsPart,
} from './outgoing.js';
import { matrixRates, previewRates } from './send-rates.js';
import { isTooLarge, judgeSend } from './send-verdict.js';
import { ownMessagesFilter } from './sync-filter.js';

export interface MatrixLink {
  readonly api: MatrixApi;
  readonly userId: string;
  /** Largest file that may be uploaded, in bytes; null: the homeserver does not say. */
  readonly largestUploadBytes: number | null;
}

export interface MatrixSenderOptions {
  readonly context: Pick<ChannelContext, 'name' | 'clock' | 'openFile' | 'log'>;
  /** The connection; null: there is none. */
  readonly link: () => MatrixLink | null;
  readonly moved: MovedChats;
  /** The policy for a reply that may have arrived, where the homeserver can't tell; null: an operator decides. */
  readonly unknown: UnknownPolicy | null;
  readonly stream: StreamMode;
  /** Longest time of one send, in milliseconds. */
  readonly timeoutMs: number;
  /** Time for which a reply is tried again, in milliseconds. */
  readonly retryForMs: number;
}

/** Homeservers know a transaction again for half an hour at least; so long they surely do, in milliseconds. */
const transactionMs = 1_500_000;
const searchSize = 100;
const mostSearches = 5;
/** The sign of typing is shown so long unless it is renewed, in milliseconds. */
const typingMs = 10_000;

const wantedAddress =
  'must be the id of a room such as "!abc:example.org", and ":" and the id of an event if it is a thread';

/** One message to a room. */
interface Sending {
  readonly part: MatrixPart;
  readonly roomId: string;
  readonly transaction: string;
  readonly relation: MessageRelation;
  /** The preview that it takes the place of; null: there is none. */
  readonly edits: string | null;
}

/** Sends replies as messages of the account. */
export class MatrixSender implements ReplySender {
  readonly schedule = chatSchedule;
  readonly stream: StreamMode;
  readonly #options: MatrixSenderOptions;
  readonly #startedAt: number;
  readonly #budget = new SendBudget(matrixRates);
  readonly #previews = new SendBudget(previewRates);
  /** Transactions whose last send may have arrived. */
  readonly #inDoubt = new DoubtfulSends();
  readonly #replies = new PlannedReplies<MatrixPart>(outgoingParts, (part) =>
    part.kind === 'text' ? part.plain : '',
  );

  constructor(options: MatrixSenderOptions) {
    this.#options = options;
    this.stream = options.stream;
    this.#startedAt = options.context.clock.now();
  }

  /** The homeserver takes a transaction once; later the room's messages tell. */
  guarantee(): ReplyGuarantee {
    return { idempotent: true, unknown: this.#options.unknown };
  }

  addressMistake(address: string): string | null {
    return parseAddress(address) === null ? wantedAddress : null;
  }

  /** Threads of a room share its limits. */
  destinationOf({ target }: Delivery): string {
    const address = parseAddress(target.address);
    return address === null ? target.address : this.#options.moved.currentId(address.roomId);
  }

  partsOf(delivery: Delivery): readonly ReplyPart[] {
    return this.#replies.partsOf(delivery);
  }

  async send(sent: ReplyPart, signal: AbortSignal): Promise<SendOutcome> {
    const { delivery, number } = sent;
    const part = this.#replies.partOf(sent);
    if (part === undefined) return { kind: 'delivered', receipt: null };
    const place = this.#placeOf(delivery.target, number === 1);
    if (place === null) return refusedForGood(wrongAddress(delivery.target.address, wantedAddress));
    const preview = receiptSchema.safeParse(delivery.parts.find(({ part }) => part === 0)?.receipt);
    const edits = number === 1 && part.kind === 'text' && preview.success ? preview.data.event_id : null;
    const transaction = transactionOf(delivery, number, edits === null ? 'new' : 'edit');
    const sending: Sending = { part, ...place, transaction, edits };
    const settled = await this.#settle(sending, delivery, signal);
    const outcome = settled ?? (await this.#send(sending, signal));
    this.#inDoubt.note(transaction, outcome);
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
    const place = this.#placeOf(target, true);
    if (place === null || text.trim() === '') return receipt;
    const { roomId } = place;
    // To form the text is work: the budgets are asked first.
    if (this.#budget.heldUntil(roomId, this.#now) !== null) return receipt;
    if (!this.#previews.tryReserve(roomId, this.#now)) return receipt;
    const part = outgoingPreview(text);
    if (part === null) return receipt;
    this.#budget.reserve(roomId, this.#now);
    const earlier = receiptSchema.safeParse(receipt);
    const edits = earlier.success ? earlier.data.event_id : null;
    const relation = { ...place.relation, calls: null };
    const sending: Sending = { part, roomId, relation, transaction: randomUUID(), edits };
    const end = await this.#transmit(sending, signal);
    if (end === null) return receipt;
    this.#learn(roomId, end);
    // The preview stays the one event that all edits are of.
    return edits === null ? (receiptOf(end) ?? receipt) : receipt;
  }

  /** Sends a short text once. Rejects if it was not sent, or may not have been. */
  async say({ address, options = {} }: ChannelAddress, text: string): Promise<void> {
    const place = this.#placeOf({ address, options }, true);
    if (place === null) throw new Error(wrongAddress(address, wantedAddress));
    const signal = AbortSignal.timeout(this.#options.timeoutMs);
    const sending = { part: wordsPart(text), ...place, transaction: randomUUID(), edits: null };
    throwUnlessSent(await this.#send(sending, signal));
  }

  /** Shows for some seconds that the account writes. */
  async showTyping({ address }: Pick<ReplyTarget, 'address'>, signal: AbortSignal): Promise<void> {
    const roomId = this.#placeOf({ address, options: {} }, false)?.roomId;
    const { link, timeoutMs } = this.#options;
    const connection = link();
    if (roomId === undefined || connection === null) return;
    if (this.#budget.heldUntil(roomId, this.#now) !== null) return;
    const { api, userId } = connection;
    const path = clientPath('rooms', roomId, 'typing', userId);
    await api.call({ method: 'PUT', path, body: { typing: true, timeout: typingMs } }, { timeoutMs, signal });
  }

  async close(): Promise<void> {}

  get #now(): number {
    return this.#options.context.clock.now();
  }

  /** The room as it is now. Its older threads are not in it if it was replaced. */
  #placeOf(
    { address, options }: Pick<ReplyTarget, 'address' | 'options'>,
    isFirst: boolean,
  ): Pick<Sending, 'roomId' | 'relation'> | null {
    const parsed = parseAddress(address);
    if (parsed === null) return null;
    const roomId = this.#options.moved.currentId(parsed.roomId);
    const relation: MessageRelation =
      roomId === parsed.roomId
        ? relationFor(parsed.threadId, options, isFirst)
        : { threadId: null, answers: null, calls: null };
    return { roomId, relation };
  }

  /** Looks for a message that may have been sent before. Null: it is to be sent, as it was not, or is taken once. */
  async #settle(
    { transaction, roomId, edits }: Sending,
    delivery: Delivery,
    signal: AbortSignal,
  ): Promise<SendOutcome | null> {
    // An edit may be made again.
    if (edits !== null) return null;
    if (delivery.repliedAt > this.#startedAt && !this.#inDoubt.has(transaction)) return null;
    const found = await this.#search(roomId, transaction, delivery.repliedAt, signal);
    if (found === null)
      return retryLater('the channel has no connection to the homeserver', { inDoubt: true });
    if ('outcome' in found) return found.outcome;
    if (found.kind === 'found') return { kind: 'delivered', receipt: { event_id: found.eventId } };
    if (found.kind === 'absent' || this.#now - delivery.repliedAt < transactionMs) return null;
    const { unknown, context } = this.#options;
    const who = "neither the homeserver nor the room's messages tell";
    return decideUnknown(who, { channel: context.name, unknown });
  }

  /** Null: there is no connection. */
  async #search(roomId: string, transaction: string, since: number, signal: AbortSignal) {
    const { timeoutMs, link } = this.#options;
    let from: string | null = null;
    for (let tries = 0; tries < mostSearches; tries += 1) {
      const connection = link();
      if (connection === null) return null;
      const { api, userId } = connection;
      const query = {
        dir: 'b',
        limit: searchSize,
        filter: ownMessagesFilter(userId),
        ...(from === null ? {} : { from }),
      };
      const path = clientPath('rooms', roomId, 'messages');
      const end: MatrixEnd = await api.call({ method: 'GET', path, query }, { timeoutMs, signal });
      if (end.kind === 'refused' && [400, 403, 404].includes(end.status)) return { kind: 'unknown' } as const;
      if (end.kind !== 'ok') {
        const outcome = judgeSend(end);
        return { outcome: 'inDoubt' in outcome ? { ...outcome, inDoubt: true } : outcome };
      }
      const found = findSent(end.result, transaction, since);
      if (found.kind !== 'earlier') return found;
      from = found.from;
    }
    return { kind: 'unknown' } as const;
  }

  async #send(sending: Sending, signal: AbortSignal): Promise<SendOutcome> {
    const { roomId, edits } = sending;
    const { clock } = this.#options.context;
    const waited = await awaitTurn(this.#budget, roomId, 'the homeserver', { clock, signal });
    if (waited !== null) return waited;
    const end = await this.#transmit(sending, signal);
    if (end === null) return retryLater('the channel has no connection to the homeserver');
    this.#learn(roomId, end);
    if (end.kind === 'ok') {
      return { kind: 'delivered', receipt: edits === null ? receiptOf(end) : { event_id: edits } };
    }
    const outcome = judgeSend(end);
    // An edit may be made again.
    return edits !== null && 'inDoubt' in outcome ? { ...outcome, inDoubt: false } : outcome;
  }

  #learn(roomId: string, end: MatrixEnd): void {
    if (end.kind !== 'refused' || end.retryAfterMs === null) return;
    this.#budget.hold(roomId, this.#now + end.retryAfterMs, this.#now);
  }

  /** Null: there is no connection. */
  async #transmit(sending: Sending, signal: AbortSignal): Promise<MatrixEnd | null> {
    const { part, roomId, transaction, relation, edits } = sending;
    const { link, timeoutMs } = this.#options;
    const connection = link();
    if (connection === null) return null;
    const { api } = connection;
    const body = part.kind === 'text' ? textBody(part) : await this.#uploaded(connection, part, signal);
    if ('kind' in body) return body as Exclude<MatrixEnd, { readonly kind: 'ok' }>;
    const content =
      edits === null ? contentOf(body, transaction, relation) : editOf(edits, body, transaction, relation);
    const path = clientPath('rooms', roomId, 'send', 'm.room.message', transaction);
    return api.call({ method: 'PUT', path, body: content }, { timeoutMs, signal });
  }

  /** The body of a message with the file, or with words in the place of one that can't be sent. */
  async #uploaded(
    { api, largestUploadBytes }: MatrixLink,
    { file }: MatrixPart & { readonly kind: 'file' },
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, unknown>> | Exclude<MatrixEnd, { readonly kind: 'ok' }>> {
    const { context, timeoutMs } = this.#options;
    // A homeserver may cut an upload off that is too large, without an answer.
    if (file.sizeBytes > (largestUploadBytes ?? Number.POSITIVE_INFINITY)) return tooLargeBody(file);
    const content = await openedFile(context, file);
    if (content !== null && 'kind' in content) return content;
    if (content === null) return textBody(wordsPart(lostFileText(file)));
    const { name, mediaType, sizeBytes } = file;
    const upload = { name, mediaType, sizeBytes, content };
    const end = await api.upload(upload, { timeoutMs: uploadTimeoutMs(timeoutMs, file), signal });
    if (end.kind === 'refused' && isTooLarge(end)) return tooLargeBody(file);
    // Nobody sees an upload that no message names.
    if (end.kind !== 'ok') return 'inDoubt' in end ? { ...end, inDoubt: false } : end;
    const uploaded = uploadedSchema.safeParse(end.result);
    if (uploaded.success) return fileBody(file, uploaded.data.content_uri);
    return { kind: 'failed', reason: 'it does not say where the uploaded file is', inDoubt: false };
  }
}

function tooLargeBody({ name, sizeBytes }: Attachment): Readonly<Record<string, unknown>> {
  const megabytes = Math.ceil(sizeBytes / 1_000_000);
  const file = `${JSON.stringify(name)} of ${megabytes} MB`;
  return textBody(wordsPart(`[the file ${file} is larger than the homeserver takes]`));
}

/** The first message of a reply answers the one that asked, and calls its author. */
function relationFor(
  threadId: string | null,
  options: ReplyTarget['options'],
  isFirst: boolean,
): MessageRelation {
  const { event_id: eventId, user_id: userId } = options;
  const known = typeof eventId === 'string' && isEventId(eventId) ? eventId : null;
  return {
    threadId,
    // Clients without threads show where it belongs.
    answers: isFirst ? (known ?? threadId) : threadId,
    calls: isFirst && typeof userId === 'string' && isUserId(userId) ? userId : null,
  };
}

function receiptOf(end: MatrixEnd): JsonValue | null {
  const sent = end.kind === 'ok' ? sentSchema.safeParse(end.result) : null;
  return sent?.success === true ? { event_id: sent.data.event_id } : null;
}
