/** Messages and sessions as a store keeps them. */

/** The states of a message (README, "States of a message"). */
export type MessageState =
  | 'queued'
  | 'running'
  | 'replied'
  | 'delivered'
  | 'dead'
  | 'cancelled'
  /** Its text is part of another message's turn, and that one's reply is its own. */
  | 'collected';

/**
 * The order of a session's messages. "queue" runs each in its turn. "interrupt" cancels for a new message what waits and
 * runs. "collect" makes one turn of the messages that came while another turn ran.
 */
export const sessionPolicies = ['queue', 'interrupt', 'collect'] as const;
export type SessionPolicy = (typeof sessionPolicies)[number];

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

export type Metadata = { readonly [key: string]: JsonValue };

/** The target of a reply. */
export interface ReplyTarget {
  /** The channel that sends it, such as "webhook". */
  readonly channel: string;
  /** The channel's own name of the receiver, such as a URL or the id of a chat. */
  readonly address: string;
  /** Further facts for the channel, such as the message that is answered. */
  readonly options: Metadata;
}

/** The target of a reply that is posted to a URL. */
export function webhookTarget(url: string): ReplyTarget {
  return { channel: 'webhook', address: url, options: {} };
}

export interface NewMessage {
  /** UUID, version 7. */
  readonly id: string;
  readonly session: string;
  readonly text: string;
  readonly metadata: Metadata;
  readonly replyTo: ReplyTarget | null;
  /** True, the default, if the receiver takes a reply that comes twice under the same key for one. */
  readonly replyIdempotent?: boolean;
  /** The policy for a reply that may have arrived, if the receiver does not; null, the default: the gateway's. */
  readonly replyUnknown?: UnknownPolicy | null;
  /** The sender's `Idempotency-Key`, or the platform's own id: one name space for each session and channel. */
  readonly idempotencyKey: string | null;
  /** SHA-256 of what the key stands for; the same key with another one is a conflict. Null where there is no key. */
  readonly fingerprint: Uint8Array | null;
  /** The author, if the channel knows. All sessions of one sender together take turns with those of others. */
  readonly sender?: string | null;
  /** The channel that it came by, such as "http". */
  readonly channel: string;
  /** The agent of the session, if it begins with this message. Null, the default: it has none of its own. */
  readonly agent?: string | null;
  /** Files that were put into the store before, and belong to nothing yet. Default: none. */
  readonly attachments?: readonly Attachment[];
  /**
   * True: if too many messages wait, it is kept as dead with that reason, for senders that can't be told to come again.
   * Its outcome is `full` all the same. Default: it is not taken in.
   */
  readonly deadIfFull?: boolean;
  /** Why no agent can be given it: it is kept as dead with this reason. Default: it is for an agent. */
  readonly setAside?: string;
  /**
   * Turns that were made elsewhere, the oldest first. They come before it as messages that have a reply, if it is
   * its session's first; else they are left out. Default: none.
   */
  readonly earlier?: readonly EarlierExchange[];
}

/** A message and its reply that were made elsewhere. */
export interface EarlierExchange {
  /** UUID, version 7. */
  readonly id: string;
  readonly text: string;
  readonly reply: string;
}

/** A message as its channel knows it: by the platform's id. */
export interface ArrivedMessage {
  readonly session: string;
  readonly channel: string;
  readonly idempotencyKey: string;
}

/** `late`: nothing was changed, since its turn has begun, or it has ended. */
export interface RevisionOutcome {
  readonly outcome: 'revised' | 'late';
  readonly message: Message;
}

/** A file that the store has, whole. */
export interface StoredBlob {
  readonly id: string;
  readonly sizeBytes: number;
  /** In hexadecimal digits. */
  readonly sha256: string;
}

/** A file of a message or of a reply. */
export interface Attachment extends StoredBlob {
  /** As its sender calls it: never a path. */
  readonly name: string;
  readonly mediaType: string;
}

/** Tokens of a turn, as the model's server counts them. */
export interface TokenUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Messages of a generation before the message with a number. */
export interface HistoryBounds {
  readonly generation: number;
  /** A `seq`. */
  readonly before: number;
}

export interface Reply {
  readonly text: string;
  readonly metadata: Metadata;
  readonly attachments?: readonly Attachment[];
  /** Absent: not known. */
  readonly usage?: TokenUsage;
}

export interface QueueLimits {
  /** Messages that may wait in one session. No store passes it. */
  readonly session: number;
  /** Messages that may wait in all. A store may pass it by 1,000 for each gateway, so that it needs no row for all. */
  readonly total: number;
  /** Policy of sessions that have none of their own. Default: "queue". */
  readonly policy?: SessionPolicy;
}

export interface Message {
  readonly id: string;
  readonly session: string;
  /** Place in the session: 1, 2, 3, … without a gap. */
  readonly seq: number;
  readonly state: MessageState;
  readonly text: string;
  readonly metadata: Metadata;
  readonly replyTo: ReplyTarget | null;
  readonly sender: string | null;
  readonly channel: string;
  readonly acceptedAt: number;
  /** Attempts begun so far. */
  readonly attempts: number;
  /** Absent: none. */
  readonly attachments?: readonly Attachment[];
  readonly reply: (Reply & { readonly at: number }) | null;
  readonly delivery: DeliverySummary | null;
  /** Why it is dead, or why the last attempt failed. */
  readonly error: string | null;
  /** When it got to its present state. */
  readonly changedAt: number;
  /** The session's generation that it belongs to: 1 until the first reset. */
  readonly generation: number;
  /** While it is running: what its turn waits for. */
  readonly waitingFor: TurnWait | null;
  /** The message whose turn it is part of; null: it has, or will have, its own. */
  readonly collectedIn: { readonly id: string; readonly state: MessageState } | null;
}

export interface DeliverySummary {
  /** A notice tells that the message is dead and has no reply. */
  readonly kind: 'reply' | 'notice';
  readonly webhookId: string;
  readonly attempts: number;
  readonly nextAttemptAt: number | null;
  readonly deliveredAt: number | null;
  readonly lastError: string | null;
  /** Attempts that began and of which nobody knows whether the reply arrived. */
  readonly unknown: number;
}

/**
 * The policy for a delivery in doubt whose receiver would take a second one for another reply: send it again, ask a
 * person, or drop it.
 */
export const unknownPolicies = ['resend', 'ask', 'drop'] as const;
export type UnknownPolicy = (typeof unknownPolicies)[number];

/**
 * Why a turn waits that has begun and has not ended: for a person's answer, for an agent that another one holds up, or
 * for the agent to call back. It holds its session meanwhile.
 */
export const turnWaits = ['question', 'agent held', 'callback'] as const;
export type TurnWait = (typeof turnWaits)[number];

export interface StoreCounts {
  readonly sessions: number;
  readonly queued: number;
  readonly running: number;
  readonly replied: number;
  readonly delivered: number;
  readonly dead: number;
  readonly cancelled: number;
  readonly collected: number;
  /** Replies and notices that still have to be posted. */
  readonly undelivered: number;
}

export interface SessionSummary {
  readonly session: string;
  readonly lastSeq: number;
  readonly waiting: number;
  readonly running: boolean;
  readonly lastAcceptedAt: number;
  /** Its own policy; null: the configuration's. */
  readonly policy: SessionPolicy | null;
  /** The agent that was chosen; null: none. */
  readonly agent: string | null;
  /** Raised by each reset; 1 for the first. */
  readonly generation: number;
}

/** `more`: some messages are left, and nothing of the session runs. `busy`: a turn or a delivery of it is under way. */
export type SessionDeletion = 'deleted' | 'more' | 'busy';

export interface PageRequest {
  /** Most items of the page. */
  readonly limit: number;
  /** The cursor that the page before gave; null: from the beginning. */
  readonly after: string | null;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Opaque; asks for the next page; null at the end. */
  readonly next: string | null;
}

export interface SettledMessages {
  /** In `seq` order. */
  readonly items: readonly Message[];
  /** There are others behind them: the page was full. */
  readonly more: boolean;
  /** The first one that is queued or running; null: there is none, or the page was full. */
  readonly next: { readonly id: string; readonly state: 'queued' | 'running' } | null;
}

export type CancelOutcome =
  /** `running`: its turn is under way still, and the one who runs it has to end it and to release it. */
  | { readonly outcome: 'cancelled'; readonly message: Message; readonly running: boolean }
  /** It has a reply, or is dead: there is nothing to be cancelled. */
  | { readonly outcome: 'settled'; readonly message: Message };

export interface SessionCancelled {
  /** In the order of their `seq`. */
  readonly messages: readonly { readonly id: string; readonly seq: number; readonly running: boolean }[];
}

export type DeadOutcome =
  | { readonly outcome: 'done'; readonly message: Message }
  | { readonly outcome: 'not-dead'; readonly message: Message }
  /** Its reply or its notice is being posted: to be asked again in a moment. */
  | { readonly outcome: 'busy'; readonly message: Message };

/** Says why a value that JSON.parse gave can't be a message's metadata; null when it can. */
export function metadataMistake(value: unknown, depth: number): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'must be an object';
  return jsonMistake(value, depth);
}

/** Says why a value that JSON.parse gave can't be kept, nested in at most so many levels; null when it can. */
export function jsonMistake(value: unknown, depth: number): string | null {
  if (deeperThan(value, depth)) return `must not be nested deeper than ${depth}`;
  return holdsInfinity(value) ? 'must not hold a number beyond double precision' : null;
}

function deeperThan(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (depth === 0) return true;
  return Object.values(value).some((item) => deeperThan(item, depth - 1));
}

/** JSON.parse makes it of 1e400, and JSON.stringify makes null of it. */
function holdsInfinity(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isFinite(value);
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsInfinity);
}
