import type { Attachment, JsonValue, Metadata, ReplyTarget, UnknownPolicy } from './messages.js';

/** Replies on their way to where they go. */

/** The same for a delivery. */
export type DeliveryHold = Pick<Delivery, 'messageId' | 'session' | 'owner' | 'epoch'>;

/** A part of a reply that its channel has taken. */
export interface DeliveryPart {
  /** 1 for the first; 0: a preview of the reply that was sent while its turn ran. */
  readonly part: number;
  /** What the channel gave for it, such as the id of the message there. */
  readonly receipt: JsonValue;
}

/** One claim on a reply that has to be posted. */
export interface Delivery {
  readonly messageId: string;
  readonly session: string;
  readonly seq: number;
  readonly target: ReplyTarget;
  /** What was sent of it so far, in the order of the parts: an attempt goes on behind them. */
  readonly parts: readonly DeliveryPart[];
  /** `webhook-id`: stays the same over all attempts. */
  readonly webhookId: string;
  readonly text: string;
  readonly metadata: Metadata;
  /** Messages that the reply answers as well, in their order. */
  readonly collected: readonly { readonly messageId: string; readonly seq: number }[];
  /** Why the message is dead: what is told in the place of a reply, which there is none of; null: the reply is. */
  readonly notice: string | null;
  readonly replyText: string;
  readonly replyMetadata: Metadata;
  /** Absent: none. */
  readonly replyAttachments?: readonly Attachment[];
  /** Of a notice: when the message was dead. */
  readonly repliedAt: number;
  /** From when its age counts: then, or when somebody had it tried again. */
  readonly dueSince: number;
  readonly attempt: number;
  /** False: to be marked with `beginDelivery` before its first byte is sent, as it must not be sent twice unasked. */
  readonly idempotent: boolean;
  /** What becomes of it where its outcome is not known; null: what the gateway does with such. */
  readonly unknownPolicy: UnknownPolicy | null;
  readonly owner: string;
  readonly epoch: number;
}

/** One that ends without an outcome. */
export interface CutOff {
  /** For the record, where the reply may have arrived. */
  readonly unknownOutcome?: string;
}

/** How an attempt to deliver has failed. */
export interface DeliveryFailure {
  /** Null: that it is put off is no failure, what failed before stays on record. */
  readonly error: string | null;
  /** Span until the next attempt, in milliseconds; null: the message is dead. */
  readonly retryInMs: number | null;
  /** Whether anything was tried: what was not does not count as an attempt. */
  readonly attempted: boolean;
  /** Whether the reply may have arrived. */
  readonly unknown: boolean;
}
