import type { Attachment, JsonValue, Metadata, ReplyTarget, UnknownPolicy } from './messages.js';

/** Replies on their way to where they go. */

/** The same for a delivery. */
export type DeliveryHold = Pick<Delivery, 'messageId' | 'session' | 'owner' | 'epoch'>;

/** A part of a reply that its channel has taken. */
export interface DeliveryPart {
  /** 1 for the first; 0: a preview of the reply that was sent while its turn ran. */
  readonly part: number;
  /** The channel's answer, such as the id of the message there. */
  readonly receipt: JsonValue;
}

/** One claim on a reply that has to be posted. */
export interface Delivery {
  readonly messageId: string;
  readonly session: string;
  readonly seq: number;
  readonly target: ReplyTarget;
  /** Parts that were sent so far, in their order: an attempt goes on behind them. */
  readonly parts: readonly DeliveryPart[];
  /** `webhook-id`: stays the same over all attempts. */
  readonly webhookId: string;
  readonly text: string;
  readonly metadata: Metadata;
  /** Messages that the reply answers as well, in their order. */
  readonly collected: readonly { readonly messageId: string; readonly seq: number }[];
  /** If set, this delivery reports why the message died; otherwise it carries the reply. */
  readonly notice: string | null;
  readonly replyText: string;
  readonly replyMetadata: Metadata;
  /** Absent: none. */
  readonly replyAttachments?: readonly Attachment[];
  /** The time of the reply; for a notice, the time at which the message was dead. */
  readonly repliedAt: number;
  /** From when its age counts: then, or when somebody had it tried again. */
  readonly dueSince: number;
  readonly attempt: number;
  /** The trace of this attempt. Absent: that of the message, if it has one. */
  readonly traceparent?: string;
  /** False: to be marked with `beginDelivery` before its first byte is sent, as it must not be sent twice unasked. */
  readonly idempotent: boolean;
  /** The policy if its outcome is not known; null: the gateway's. */
  readonly unknownPolicy: UnknownPolicy | null;
  readonly owner: string;
  readonly epoch: number;
}

/** One that ends without an outcome. */
export interface CutOff {
  /** For the record, where the reply may have arrived. */
  readonly unknownOutcome?: string;
}

/** The failure of an attempt to deliver. */
export interface DeliveryFailure {
  /** The error; null keeps the previous one, as deferring is not a failure. */
  readonly error: string | null;
  /** Span until the next attempt, in milliseconds; null: the message is dead. */
  readonly retryInMs: number | null;
  /** True if something was sent or tried. Otherwise it does not count as an attempt. */
  readonly attempted: boolean;
  /** True if the reply may have arrived. */
  readonly unknown: boolean;
}

export interface UnknownDelivery {
  /** The target's. */
  readonly channel: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** True if the receiver takes a reply that comes twice under the same key for one. */
  readonly idempotent: boolean;
  /** The target's own policy (`reply_to.unknown`); null leaves it to the gateway. */
  readonly unknownPolicy: UnknownPolicy | null;
  /** The event that hid the outcome, such as "the gateway went down". */
  readonly cause: string;
}

/**
 * Decides about a delivery in doubt: it began, and nobody knows its outcome. Gives the text for its record, too.
 *
 * @param general `delivery.unknown`, which holds where the target says nothing
 */
export function settleUnknown(
  { channel, attempt, idempotent, unknownPolicy, cause }: UnknownDelivery,
  general: UnknownPolicy,
): { readonly resend: boolean; readonly record: string } {
  const what = `the outcome of attempt ${attempt} is unknown, as ${cause} after it had begun`;
  if (idempotent) {
    const id = channel === 'webhook' ? 'webhook-id' : 'id';
    return { resend: true, record: `${what}; sent again under the same ${id}` };
  }
  const policy = unknownPolicy ?? general;
  const decided = `(${unknownSetting(channel, unknownPolicy)} is "${policy}")`;
  switch (policy) {
    case 'resend':
      return { resend: true, record: `${what}; sent again ${decided}` };
    case 'ask':
      return {
        resend: false,
        record: `${what}; set aside for a person to send it again or to discard it ${decided}`,
      };
    case 'drop':
      return { resend: false, record: `${what}; not sent again ${decided}` };
  }
}

/** Names the setting that decides what becomes of such a delivery. */
export function unknownSetting(channel: string, unknownPolicy: UnknownPolicy | null): string {
  if (unknownPolicy === null) return 'delivery.unknown';
  return channel === 'webhook' ? 'reply_to.unknown' : `channels.${channel}.unknown`;
}
