import type { Delivery } from '../store/deliveries.js';
import type { Attachment, JsonValue, ReplyTarget, UnknownPolicy } from '../store/messages.js';

/** The waits after failed attempts, the first one first, in milliseconds. The last one repeats until the reply expires. */
export type RetrySchedule = readonly number[];

/** The state of a destination after an attempt: it answers, it fails, or it was never asked. */
export type PeerState = 'well' | 'failing' | 'unasked';

/** One of the sends that a reply is made of. */
export interface ReplyPart {
  readonly delivery: Delivery;
  /** 1 for the first. */
  readonly number: number;
  /** The number of parts, for a channel that needs to know. */
  readonly count?: number;
  /** The content of the send, such as a piece of the reply's text. */
  readonly text: string;
  /** Files that go with it. Default: none. */
  readonly files?: readonly Attachment[];
}

/** The end of one send. */
export type SendOutcome =
  | {
      readonly kind: 'delivered';
      /** The channel's receipt for the part, such as the id of the message there; null: there is none worth keeping. */
      readonly receipt: JsonValue;
    }
  | {
      /** Another attempt may end otherwise. */
      readonly kind: 'retry';
      readonly reason: string;
      /** The time that the receiver asks for, in milliseconds; null if it doesn't ask. */
      readonly retryAfterMilliseconds: number | null;
      /** True if that time holds for everything that goes to the destination: it is overloaded, or takes no more now. */
      readonly pausesHost: boolean;
      /**
       * True if this reply is refused, and only a passing trouble can be why: a proxy that answers for its receiver, or a
       * name server that is restarted. It is tried again for `refusalLimitMs`.
       */
      readonly isRefusal: boolean;
      readonly peer: PeerState;
      /** True if the part may have arrived: bytes went out, and no answer came. */
      readonly inDoubt: boolean;
    }
  /** No further attempt can end otherwise. `inDoubt`: the part may have arrived; default: it has not. */
  | { readonly kind: 'dead'; readonly reason: string; readonly peer: PeerState; readonly inDoubt?: boolean }
  /** The signal was aborted before the receiver answered; `inDoubt` is true if it may have the part. */
  | { readonly kind: 'aborted'; readonly inDoubt: boolean };

/** The handling of a reply that may have arrived, for one that no message of the channel has asked for. */
export interface ReplyGuarantee {
  /** False if the receiver can't tell a reply that comes twice from two replies. */
  readonly idempotent: boolean;
  /** The policy for such a reply. Null: the gateway's. */
  readonly unknown: UnknownPolicy | null;
}

/** `edits`: the text so far, in a message that is edited. `typing`: a sign that somebody writes. */
export type StreamMode = 'edits' | 'typing' | 'none';

/** A question of the agent that a person is to answer. */
export interface ReplyQuestion {
  readonly id: string;
  readonly text: string;
  /** Empty: the answer is free text. */
  readonly choices: readonly string[];
}

/**
 * The way of replies to one kind of address. Claims, order, retries, circuits and limits stay outside of it: it sends one
 * part when it is told to, and says how that ended.
 */
export interface ReplySender {
  /** The waits between attempts that fit this kind of address. `delivery.retry_delay`, if set, replaces them. */
  readonly schedule: RetrySchedule;
  /** Default: not idempotent, and the gateway's policy. */
  guarantee?(): ReplyGuarantee;
  /** Says why nothing can be sent to the address, such as "must be the id of a chat". Null, the default: something may. */
  addressMistake?(address: string): string | null;
  /**
   * Names what shares a circuit, a hold and a limit of attempts with this delivery, such as a host or a chat. Operators
   * see the name, so it holds nothing secret.
   */
  destinationOf(delivery: Delivery): string;
  /**
   * The sends that the reply is made of, one at least. They are the same at each attempt: an attempt goes on behind the
   * last part that is on record.
   */
  partsOf(delivery: Delivery): readonly ReplyPart[];
  /** Sends one part. It never rejects. */
  send(part: ReplyPart, signal: AbortSignal): Promise<SendOutcome>;
  /** Asks the platform for a part that is in doubt. Gives its receipt, or null if it did not arrive. */
  reconcile?(part: ReplyPart, signal: AbortSignal): Promise<{ readonly receipt: JsonValue } | null>;
  /**
   * Shows the turn's text so far, in the place of the preview with this receipt (null: it is the first one). Called once a
   * second at most for one turn; with no room in its budget, a channel may leave one out and give the receipt back. Gives
   * a receipt, which the first part of the reply finds in `delivery.parts` as part 0.
   */
  preview?(
    target: ReplyTarget,
    text: string,
    receipt: JsonValue | null,
    signal: AbortSignal,
  ): Promise<JsonValue>;
  /** Shows for some seconds that somebody writes. */
  showTyping?(target: ReplyTarget, signal: AbortSignal): Promise<void>;
  /** The way in which a turn that runs is shown. Default: by edits if there is `preview`, else by the sign of typing. */
  readonly stream?: StreamMode;
  /** Puts a question to the person at this address. Gives the receipt of the question. */
  ask?(target: ReplyTarget, question: ReplyQuestion, signal: AbortSignal): Promise<JsonValue>;
  /** Ends all connections. */
  close(): Promise<void>;
}
