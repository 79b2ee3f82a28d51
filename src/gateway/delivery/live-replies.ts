import type { ReplySender } from '../../channels/reply-sender.js';
import type { MessageProgress } from '../../channels/surroundings.js';
import type { Clock } from '../../lifecycle/effects/clock.js';
import { answeredWithin } from '../../lifecycle/effects/waits.js';
import type { Log } from '../../log/log.js';
import type { JsonValue, MessageState, ReplyTarget } from '../../store/messages.js';
import type { Store } from '../../store/store.js';
import type { Turn } from '../../store/turns.js';
import { errorMessage } from '../../text/failure-text.js';

/** From the begin of a turn to its first sign, and from one sign to the next, in milliseconds. */
const firstDelayMs = 500;
const intervalMs = 1_000;
/** A platform shows typing for some 5 s. */
const typingIntervalMs = 4_000;
const failureDelayLimitMs = 60_000;
/** Longest time of one call, and longest wait of a reply for its preview, in milliseconds. */
const callTimeoutMs = 10_000;
/** People see no more of a text that is still written, in UTF-16 code units. */
const longestText = 8_192;

export interface LiveRepliesOptions {
  readonly store: Pick<Store, 'notePreview'>;
  readonly senderOf: (channel: string) => ReplySender | null;
  readonly log: Log;
  readonly clock: Clock;
}

/**
 * Shows in a channel that a turn runs: its text so far in a message that is edited, or a sign of typing. Nothing of it
 * delays or fails the turn.
 */
export class LiveReplies {
  readonly #options: LiveRepliesOptions;
  readonly #byMessage = new Map<string, LiveReply>();

  constructor(options: LiveRepliesOptions) {
    this.#options = options;
  }

  /** A turn has got to this state. */
  changed(turn: Turn, state: MessageState): void {
    const { messageId, replyTo } = turn;
    const before = this.#byMessage.get(messageId);
    before?.end();
    if (before?.isNeeded === false) this.#byMessage.delete(messageId);
    if (state !== 'running' || replyTo === null || replyTo.channel === 'webhook') return;
    this.#byMessage.set(messageId, new LiveReply(turn, replyTo, this.#options));
  }

  progress({ messageId }: Turn, progress: MessageProgress): void {
    this.#byMessage.get(messageId)?.progress(progress);
  }

  /**
   * Waits for a preview that is on its way. Gives its receipt if the store doesn't have that, as the turn had ended by
   * then; else null.
   */
  async lateReceipt(messageId: string): Promise<JsonValue> {
    return (await this.#byMessage.get(messageId)?.lateReceipt()) ?? null;
  }

  /** Nothing more is sent for the message. */
  settled(messageId: string): void {
    this.#byMessage.get(messageId)?.end();
    this.#byMessage.delete(messageId);
  }

  close(): void {
    for (const live of this.#byMessage.values()) live.end();
    this.#byMessage.clear();
  }
}

class LiveReply {
  readonly #turn: Turn;
  readonly #target: ReplyTarget;
  readonly #options: LiveRepliesOptions;
  /** A preview of an earlier attempt is on record, and the reply takes its place. */
  readonly #isFirst: boolean;
  #text = '';
  #shown = '';
  #receipt: JsonValue = null;
  #isNoted = false;
  #isOver = false;
  /** The agent waits for a person. */
  #waits = false;
  #typedAt = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #call: Promise<void> | null = null;
  #cancelStep: () => void;

  constructor(turn: Turn, target: ReplyTarget, options: LiveRepliesOptions) {
    this.#turn = turn;
    this.#target = target;
    this.#options = options;
    this.#isFirst = turn.attempt === 1 && turn.putBacks === 0 && turn.deltas === 0;
    this.#cancelStep = options.clock.after(firstDelayMs, () => this.#step());
  }

  /** False: it has nothing that a reply would wait or look for. */
  get isNeeded(): boolean {
    return this.#call !== null || (this.#receipt !== null && !this.#isNoted);
  }

  progress(progress: MessageProgress): void {
    if (progress.type === 'stored' || progress.type === 'ends') return;
    this.#waits = progress.type === 'question';
    if (progress.type !== 'delta') return;
    if (progress.text === '') this.#text = '';
    else if (this.#text.length < longestText) this.#text = (this.#text + progress.text).slice(0, longestText);
  }

  end(): void {
    this.#isOver = true;
    this.#cancelStep();
  }

  async lateReceipt(): Promise<JsonValue> {
    await this.#call;
    return this.#isNoted ? null : this.#receipt;
  }

  #step(): void {
    const call = this.#nextCall();
    if (call === null) {
      this.#stepAfter(intervalMs);
      return;
    }
    this.#call = this.#run(call).then(() => {
      this.#call = null;
      this.#stepAfter(Math.min(intervalMs * 2 ** this.#failures, failureDelayLimitMs));
    });
  }

  #stepAfter(delayMs: number): void {
    if (!this.#isOver) this.#cancelStep = this.#options.clock.after(delayMs, () => this.#step());
  }

  /** Null: there is nothing new to show. */
  #nextCall(): ((signal: AbortSignal) => Promise<void>) | null {
    const { senderOf, clock } = this.#options;
    const sender = senderOf(this.#target.channel);
    if (sender === null || sender.stream === 'none') return null;
    const text = this.#text;
    const isEdited = this.#isFirst && sender.preview !== undefined && sender.stream !== 'typing';
    if (isEdited && text !== this.#shown && text.trim() !== '') {
      return (signal) => this.#preview(sender, text, signal);
    }
    const isTyping = !this.#waits && this.#receipt === null && sender.showTyping !== undefined;
    if (!isTyping || clock.now() - this.#typedAt < typingIntervalMs) return null;
    this.#typedAt = clock.now();
    return async (signal) => sender.showTyping?.(this.#target, signal);
  }

  async #preview(sender: ReplySender, text: string, signal: AbortSignal): Promise<void> {
    const receipt = await sender.preview?.(this.#target, text, this.#receipt, signal);
    this.#receipt = receipt ?? null;
    this.#shown = text;
    if (this.#receipt === null || this.#isNoted) return;
    this.#isNoted = await this.#options.store.notePreview(this.#turn, this.#receipt);
  }

  /** Never rejects, and ends in time. */
  async #run(call: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { clock, log } = this.#options;
    try {
      await answeredWithin(clock, callTimeoutMs, call);
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      const text = `The channel ${this.#target.channel} could not show that a turn runs: ${errorMessage(error)}`;
      log.debug(text, { SD_GATEWAY_MESSAGE: this.#turn.messageId });
    }
  }
}
