import { z } from 'zod';
import type { Delivery } from '../../store/deliveries.js';
import type { Attachment, JsonValue, ReplyTarget, UnknownPolicy } from '../../store/messages.js';
import type { ChannelAddress, ChannelContext } from '../channel.js';
import { lostFileText, openedFile, PlannedReplies, uploadTimeoutMs } from '../planned-replies.js';
import type { ReplyPart, ReplySender, SendOutcome } from '../reply-sender.js';
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
import { parseAddress, type SlackAddress } from './address.js';
import { earliestTs, metadataType, readBack } from './read-back.js';
import type { SlackBot } from './read-event.js';
import { plainText, planPreview, planReply, type SlackPart } from './reply-plan.js';
import { slackEditRates, slackRates } from './send-rates.js';
import { isPreviewLost, judgeFailure } from './send-verdict.js';
import type { SlackApi, SlackEnd } from './slack-api.js';

export interface SlackSenderOptions {
  readonly context: Pick<ChannelContext, 'name' | 'clock' | 'openFile'>;
  /** The connection; null: there is none. */
  readonly link: () => { readonly api: SlackApi; readonly bot: SlackBot } | null;
  /** The policy for a reply that may have arrived, if Slack can't be asked for it; null: it is set aside. */
  readonly unknown: UnknownPolicy | null;
  /** Longest time of one send, in milliseconds. */
  readonly timeoutMs: number;
  /** Time for which a reply is tried again, in milliseconds. */
  readonly retryForMs: number;
}

const wantedAddress =
  'must be the id of a conversation, such as "C0123ABC", and ":" and the ts of a thread if it is one';

const sentMessage = z.object({ ts: z.string() });
const sentFile = z.object({ file: z.string() });
const uploadPlace = z.object({ upload_url: z.url(), file_id: z.string() });

/** One message to a conversation. */
interface Send {
  readonly part: SlackPart;
  readonly address: SlackAddress;
  /** Names the part in its message; null: nobody looks for it. */
  readonly key: { readonly delivery: string; readonly part: number } | null;
}

/** Sends replies as messages of the app's bot. */
export class SlackSender implements ReplySender {
  readonly schedule = chatSchedule;
  readonly #options: SlackSenderOptions;
  readonly #startedAt: number;
  readonly #budget = new SendBudget(slackRates);
  readonly #edits = new SendBudget(slackEditRates);
  readonly #replies = new PlannedReplies<SlackPart>(planReply, (part) =>
    part.kind === 'text' ? part.text : '',
  );

  constructor(options: SlackSenderOptions) {
    this.#options = options;
    this.#startedAt = options.context.clock.now();
  }

  /** A send in doubt is looked for before it is made again. */
  guarantee(): { readonly idempotent: true; readonly unknown: UnknownPolicy | null } {
    return { idempotent: true, unknown: this.#options.unknown };
  }

  addressMistake(address: string): string | null {
    return parseAddress(address) === null ? wantedAddress : null;
  }

  /** Threads of a conversation share its limits. */
  destinationOf({ target }: Delivery): string {
    return parseAddress(target.address)?.channel ?? target.address;
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
    const outcome = await this.#send(
      { part, address, key: { delivery: delivery.webhookId, part: number } },
      delivery,
      signal,
    );
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
    const shown = planPreview(text);
    const api = this.#options.link()?.api;
    if (address === null || shown === null || api === undefined) return receipt;
    const earlier = sentMessage.safeParse(receipt);
    if (earlier.success && !this.#edits.tryReserve('', this.#now)) return receipt;
    if (!this.#budget.tryReserve(address.channel, this.#now)) return receipt;
    const part = { kind: 'text', text: shown } as const;
    const end = earlier.success
      ? await this.#edit(api, address, earlier.data.ts, shown, signal)
      : await this.#post(api, { part, address, key: null }, part.text, signal);
    if (end.kind === 'refused' && end.retryAfterMs !== null) {
      (earlier.success ? this.#edits : this.#budget).hold(
        earlier.success ? '' : address.channel,
        this.#now + end.retryAfterMs,
        this.#now,
      );
    }
    const sent = end.kind === 'ok' ? sentMessage.safeParse(end.result) : null;
    return sent?.success === true ? { ts: sent.data.ts } : receipt;
  }

  /** Sends a short text once. Rejects if it was not sent, or may not have been. */
  async say({ address: to }: ChannelAddress, text: string): Promise<void> {
    const signal = AbortSignal.timeout(this.#options.timeoutMs);
    const address = parseAddress(to);
    if (address === null) throw new Error(wrongAddress(to, wantedAddress));
    const part = { kind: 'text', text: plainText(text) } as const;
    throwUnlessSent(await this.#send({ part, address, key: null }, null, signal));
  }

  async close(): Promise<void> {}

  get #now(): number {
    return this.#options.context.clock.now();
  }

  async #send(send: Send, delivery: Delivery | null, signal: AbortSignal): Promise<SendOutcome> {
    const link = this.#options.link();
    if (link === null) return retryLater('the channel has no connection to Slack');
    const { part, key } = send;
    const preview =
      key?.part === 1 && part.kind === 'text'
        ? sentMessage.safeParse(delivery?.parts.find((each) => each.part === 0)?.receipt)
        : null;
    if (preview?.success === true && part.kind === 'text') {
      const outcome = await this.#replacePreview(link.api, send, preview.data.ts, part.text, signal);
      if (outcome !== null) return outcome;
    }
    const settled = delivery === null ? null : await this.#settled(link, send, delivery, signal);
    if (settled !== null) return settled;
    const waited = await this.#awaitTurn(this.#budget, send.address.channel, signal);
    if (waited !== null) return waited;
    const end = await this.#transmit(link.api, send, signal);
    if (end.kind === 'ok') {
      const message = sentMessage.safeParse(end.result);
      const file = sentFile.safeParse(end.result);
      if (file.success) return { kind: 'delivered', receipt: { file: file.data.file } };
      return { kind: 'delivered', receipt: message.success ? { ts: message.data.ts } : null };
    }
    this.#noteLimit(this.#budget, send.address.channel, end);
    return judgeFailure(end, false);
  }

  /** An edit may be made again. Null: the preview is gone, and a new message takes its place. */
  async #replacePreview(
    api: SlackApi,
    { address }: Send,
    ts: string,
    text: string,
    signal: AbortSignal,
  ): Promise<SendOutcome | null> {
    const waited =
      (await this.#awaitTurn(this.#edits, '', signal)) ??
      (await this.#awaitTurn(this.#budget, address.channel, signal));
    if (waited !== null) return waited;
    const end = await this.#edit(api, address, ts, text, signal);
    if (end.kind === 'ok') return { kind: 'delivered', receipt: { ts } };
    if (end.kind === 'refused' && isPreviewLost(end)) return null;
    this.#noteLimit(this.#edits, '', end);
    return judgeFailure(end, true);
  }

  /** Looks for the part if it may have been sent before. Null: it was not, and is to be sent. */
  async #settled(
    { api, bot }: { readonly api: SlackApi; readonly bot: SlackBot },
    { part, address, key }: Send,
    delivery: Delivery,
    signal: AbortSignal,
  ): Promise<SendOutcome | null> {
    const mayBeSent = delivery.attempt > 1 || delivery.repliedAt <= this.#startedAt;
    if (!mayBeSent || key === null) return null;
    const receipts = delivery.parts.map(({ receipt }) => sentFile.safeParse(receipt));
    const found = await readBack(
      api,
      {
        address,
        part,
        delivery: key.delivery,
        number: key.part,
        arrivedFiles: receipts.flatMap(({ data }) => (data === undefined ? [] : [data.file])),
        since: sentSince(delivery),
        botUserId: bot.userId,
      },
      { timeoutMs: this.#options.timeoutMs, signal },
    );
    switch (found.kind) {
      case 'found':
        return { kind: 'delivered', receipt: found.receipt };
      case 'not-there':
        return null;
      case 'unknown':
        return this.#bySetting(found.reason);
      case 'failed': {
        const { end } = found;
        if (end.kind === 'refused' && end.error === 'missing_scope') {
          return this.#bySetting(`the scope ${end.needed ?? 'to read the conversation'} is missing`);
        }
        const outcome = judgeFailure(end, true);
        return outcome.kind === 'dead' ? this.#bySetting(outcome.reason) : outcome;
      }
    }
  }

  /** Not even Slack can tell. */
  #bySetting(why: string): SendOutcome | null {
    const { unknown, context } = this.#options;
    return decideUnknown(`Slack can't be asked (${why})`, { channel: context.name, unknown });
  }

  /** Null: it is its turn. */
  #awaitTurn(budget: SendBudget, name: string, signal: AbortSignal): Promise<SendOutcome | null> {
    return awaitTurn(budget, name, 'Slack', { clock: this.#options.context.clock, signal });
  }

  #noteLimit(budget: SendBudget, name: string, end: SlackEnd): void {
    if (end.kind !== 'refused' || end.retryAfterMs === null) return;
    budget.hold(name, this.#now + end.retryAfterMs, this.#now);
  }

  async #transmit(api: SlackApi, send: Send, signal: AbortSignal): Promise<SlackEnd> {
    const { part } = send;
    if (part.kind === 'text') return this.#post(api, send, part.text, signal);
    const content = await openedFile(this.#options.context, part.file);
    if (content === null) {
      return this.#post(api, send, plainText(lostFileText(part.file)), signal);
    }
    return 'kind' in content ? content : this.#share(api, send.address, part.file, content, signal);
  }

  #post(api: SlackApi, { address, key }: Send, text: string, signal: AbortSignal): Promise<SlackEnd> {
    const { channel, thread } = address;
    const payload = key === null ? null : { delivery: key.delivery, part: key.part };
    const parameters = {
      channel,
      text,
      ...(thread === null ? {} : { thread_ts: thread }),
      // Slack would fetch what a link shows: an answer must not be able to tell a stranger's server something.
      unfurl_links: false,
      unfurl_media: false,
      ...(payload === null ? {} : { metadata: { event_type: metadataType, event_payload: payload } }),
    };
    return api.call('chat.postMessage', parameters, this.#call(signal, true));
  }

  #edit(api: SlackApi, { channel }: SlackAddress, ts: string, text: string, signal: AbortSignal) {
    return api.call('chat.update', { channel, ts, text }, this.#call(signal, false));
  }

  /** Uploads a file, and shares it: only the last step is seen by anybody. */
  async #share(
    api: SlackApi,
    { channel, thread }: SlackAddress,
    file: Attachment,
    content: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<SlackEnd> {
    const { name, sizeBytes } = file;
    const place = await api.call(
      'files.getUploadURLExternal',
      { filename: name, length: sizeBytes },
      this.#call(signal, false),
    );
    if (place.kind !== 'ok') return withoutDoubt(place);
    const parsed = uploadPlace.safeParse(place.result);
    if (!parsed.success) {
      return { kind: 'failed', reason: 'Slack does not say where to put the file', inDoubt: false };
    }
    const { upload_url: url, file_id: id } = parsed.data;
    const uploadMs = uploadTimeoutMs(this.#options.timeoutMs, file);
    const failure = await api.upload(url, { sizeBytes, content }, { timeoutMs: uploadMs, signal });
    if (failure !== null) return failure;
    const parameters = {
      files: [{ id, title: name }],
      channel_id: channel,
      ...(thread === null ? {} : { thread_ts: thread }),
    };
    const end = await api.call('files.completeUploadExternal', parameters, this.#call(signal, true));
    return end.kind === 'ok' ? { ...end, result: { file: id } } : end;
  }

  #call(signal: AbortSignal, isOnce: boolean) {
    return { timeoutMs: this.#options.timeoutMs, signal, isOnce };
  }
}

/** The reply was not sent before this `ts`: that of the message that it answers, or one by this machine's clock. */
function sentSince({ target, repliedAt }: Delivery): string {
  const { message_ts: answered } = target.options;
  return typeof answered === 'string' && /^\d+\.\d+$/.test(answered) ? answered : earliestTs(repliedAt);
}

/** Nobody has seen anything yet. */
function withoutDoubt(end: Exclude<SlackEnd, { readonly kind: 'ok' }>): SlackEnd {
  return end.kind === 'refused' ? end : { ...end, inDoubt: false };
}
