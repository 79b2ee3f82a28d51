/**
 * What the gateway asks of its store, whichever database keeps it. Every method is one transaction that is on disk
 * when its promise resolves. Times are the store's own, in milliseconds since the Unix epoch: it goes by one clock,
 * whoever calls, and is given spans. Nothing here assumes that one process runs all sessions: who runs a session is
 * written in the store as a claim with a lease.
 */

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
 * What becomes of what a session has, when another message comes: it is run in its order; or what waits and what runs
 * is cancelled for it; or what has come while a turn ran is run as one turn.
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

/** Where a reply goes to. */
export interface ReplyTarget {
  /** The channel that sends it, such as "webhook". */
  readonly channel: string;
  /** The channel's own name of the receiver, such as a URL or the id of a chat. */
  readonly address: string;
  /** What else the channel needs to know, such as the message that is answered. */
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
  /** Whether who gets the reply takes one that comes twice under the same key for one; by default it does. */
  readonly replyIdempotent?: boolean;
  /** What becomes of a reply that may have arrived, where it does not; null, the default: what the gateway does. */
  readonly replyUnknown?: UnknownPolicy | null;
  /** The sender's `Idempotency-Key`, or the platform's own id: one name space for each session and channel. */
  readonly idempotencyKey: string | null;
  /** SHA-256 of what the key stands for; the same key with another one is a conflict. Null where there is no key. */
  readonly fingerprint: Uint8Array | null;
  /** Who wrote it, where the channel knows: the sessions of one sender take turns with those of the others as one. */
  readonly sender?: string | null;
  /** The channel that it came by, such as "http". */
  readonly channel: string;
  /** The agent of the session, if it begins with this message. Null, the default: it has none of its own. */
  readonly agent?: string | null;
  /** Files that were put into the store before, and belong to nothing yet. Default: none. */
  readonly attachments?: readonly Attachment[];
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

export interface Reply {
  readonly text: string;
  readonly metadata: Metadata;
  readonly attachments?: readonly Attachment[];
}

export interface QueueLimits {
  /** Messages that may wait in one session. No store passes it. */
  readonly session: number;
  /** Messages that may wait in all. A store may pass it by 1,000 for each gateway, so that it needs no row for all. */
  readonly total: number;
  /** Of sessions that have none of their own. Default: "queue". */
  readonly policy?: SessionPolicy;
}

export type AcceptOutcome =
  | {
      readonly outcome: 'accepted';
      readonly message: Message;
      /** Its turn, where it was claimed with it; null: it waits. */
      readonly turn: Turn | null;
      /** Cancelled for it, by its session's policy. */
      readonly interrupted: SessionCancelled['messages'];
    }
  /** The key and the body were seen before: the first answer again. */
  | { readonly outcome: 'repeated'; readonly message: Message }
  | { readonly outcome: 'conflict'; readonly messageId: string }
  | { readonly outcome: 'full'; readonly limit: 'session' | 'total'; readonly waiting: number };

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
 * What becomes of a delivery of which nobody knows whether it arrived, where the receiver would take a second one for
 * another reply: sent again, set aside for a person to decide, or given up.
 */
export const unknownPolicies = ['resend', 'ask', 'drop'] as const;
export type UnknownPolicy = (typeof unknownPolicies)[number];

/**
 * Why a turn waits that has begun and has not ended: for a person's answer, for an agent that another one holds up, or
 * for the agent to call back. It holds its session meanwhile.
 */
export const turnWaits = ['question', 'agent held', 'callback'] as const;
export type TurnWait = (typeof turnWaits)[number];

/** A message that is part of the turn of a later one. */
export interface CollectedMessage {
  readonly messageId: string;
  readonly seq: number;
  readonly text: string;
  readonly metadata: Metadata;
  readonly sender: string | null;
  /** Absent: none. */
  readonly attachments?: readonly Attachment[];
}

/** One claim on the head of a session's queue: the right and the duty to run it. */
export interface Turn {
  /** Stays the same over all attempts. */
  readonly turnId: string;
  readonly messageId: string;
  readonly session: string;
  readonly seq: number;
  readonly text: string;
  readonly metadata: Metadata;
  readonly sender: string | null;
  /** Of its own message; those of `collected` are there. Absent: none. */
  readonly attachments?: readonly Attachment[];
  /** What came before it and is run with it, in its order; the same for all attempts. */
  readonly collected: readonly CollectedMessage[];
  readonly replyTo: ReplyTarget | null;
  readonly acceptedAt: number;
  /** Of its session; null: none has been chosen. */
  readonly agent: string | null;
  /** Of the session, as the message came. */
  readonly generation: number;
  /** 1 for the first. */
  readonly attempt: number;
  /** Stops that cut it off so far. */
  readonly putBacks: number;
  readonly owner: string;
  /** Of the claim on the session: higher than those of all claims on it before. */
  readonly epoch: number;
}

/**
 * The claim on a session under which all of a turn is written. Once its lease is over another gateway may claim the
 * session, under a higher epoch: from then on nothing more is taken under this one.
 */
export type TurnHold = Pick<Turn, 'messageId' | 'session' | 'owner' | 'epoch'>;
/** `cutOff`: a stop ended the turn while it ran, which counts as a put-back. Default: it had not begun. */
export type TurnToPutBack = TurnHold & { readonly cutOff?: boolean };
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

/**
 * How far a channel has been read. It is a record of the kind `checkpointKind(channel)` under this key.
 */
export interface Checkpoint {
  readonly channel: string;
  readonly key: string;
  readonly value: JsonValue;
}

export function checkpointKind(channel: string): string {
  return `checkpoint:${channel}`;
}

/** Something small that a channel or an agent keeps: a cursor, a person, the id of an agent's session. */
export interface NewRecord {
  readonly kind: string;
  readonly key: string;
  readonly value: JsonValue;
  /** From now on; null, the default: it stays until it is deleted. */
  readonly expiresInMs?: number | null;
}

export interface StoredRecord {
  readonly kind: string;
  readonly key: string;
  readonly value: JsonValue;
  /** Higher than all that the record had before, also where it was deleted in between. */
  readonly version: number;
  /** Milliseconds since the Unix epoch; null: never. */
  readonly expiresAt: number | null;
}

/** A version: that one; `null`: there is none yet; `any`, the default: whatever is there. */
export type ExpectedRecord = number | null | 'any';

export type RecordOutcome =
  | { readonly outcome: 'written'; readonly version: number }
  /** As it is now; null: there is none. */
  | { readonly outcome: 'conflict'; readonly record: StoredRecord | null };

/** A claim on what one gateway at most may do at a time. */
export interface LeaseHold {
  readonly kind: string;
  readonly name: string;
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

export interface Claim {
  /** Who claims: one id for each start of a gateway. */
  readonly owner: string;
  readonly limit: number;
  /** How long the claim lasts unless it is renewed. */
  readonly leaseMs: number;
}

/** By whom a message's turn is to be run as soon as it is accepted. */
export type ArrivalClaim = Pick<Claim, 'owner' | 'leaseMs'>;

export interface TurnClaim extends Claim {
  /** Of sessions that have none of their own. Default: "queue". */
  readonly policy?: SessionPolicy;
  /** Messages that one turn may be made of. Default: 1. */
  readonly collectLimit?: number;
}

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
  /** Null: that of the configuration. */
  readonly policy: SessionPolicy | null;
  /** Null: none has been chosen. */
  readonly agent: string | null;
  /** Raised by each reset; 1 for the first. */
  readonly generation: number;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Opaque; asks for the next page; null at the end. */
  readonly next: string | null;
}

/** A piece of a reply that is still written. */
export interface Delta {
  /** 1, 2, 3, … over all attempts of the turn. */
  readonly position: number;
  /** What earlier attempts have written counts for nothing. */
  readonly attempt: number;
  readonly text: string;
}

export interface Deltas {
  /** In the order of their positions. */
  readonly items: readonly Delta[];
  /** There are others behind them: the page was full. */
  readonly more: boolean;
}

export interface SettledMessages {
  /** In `seq` order. */
  readonly items: readonly Message[];
  /** There are others behind them: the page was full. */
  readonly more: boolean;
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

/** What a start found and made of what the last run had left. */
export interface Recovery {
  /** Turns that the last run had left running, now queued again. */
  readonly resumedTurns: number;
  /** Turns set aside because the gateway went down with them too often, or because they must not be run again. */
  readonly deadTurns: number;
  readonly resumedDeliveries: number;
  /** Deliveries that had begun and whose outcome is not known: sent again under their key, or as the policy says. */
  readonly unknownDeliveries: { readonly resent: number; readonly setAside: number };
}

export interface Store {
  /**
   * Takes the message in. With `claim` its turn is claimed in the same transaction, unless another turn waits to be
   * claimed, or something of its session comes before it.
   */
  accept(message: NewMessage, limits: QueueLimits, claim?: ArrivalClaim): Promise<AcceptOutcome>;
  /**
   * Takes in what came together, each message with an outcome of its own, and notes how far the channel has been read:
   * all of it or, where it rejects, nothing.
   */
  acceptAll(
    messages: readonly NewMessage[],
    limits: QueueLimits,
    checkpoint: Checkpoint | null,
  ): Promise<readonly AcceptOutcome[]>;

  /**
   * Claims the heads of up to `limit` sessions that nobody runs (or whose lease ran out) and that are due: one
   * turn a session, the session that has waited longest first, but no sender's sessions more often than another's.
   * Adds one to the attempts.
   */
  claimTurns(claim: TurnClaim): Promise<readonly Turn[]>;
  /** Has all that `owner` holds last for `leaseMs` from now on; gives how many turns and deliveries these are. */
  renewLeases(
    owner: string,
    leaseMs: number,
  ): Promise<{ readonly turns: number; readonly deliveries: number }>;
  /**
   * Writes the reply and, with a reply URL, its delivery, in one transaction. False when the claim was lost or, which
   * ends it, the message was cancelled.
   */
  completeTurn(turn: TurnHold, reply: Reply): Promise<boolean>;
  /** Tries the turn again after `retryInMs`, or ends the message as dead where that is null. False as `completeTurn`. */
  failTurn(turn: TurnHold, error: string, retryInMs: number | null): Promise<boolean>;
  /**
   * Queues turns again that a planned stop ended: the attempt does not count; that it was cut off does. The number put
   * back.
   */
  putBackTurns(turns: readonly TurnToPutBack[]): Promise<number>;

  /**
   * Says what a running turn waits for, or with null that it goes on. False when the claim was lost, or the message was
   * cancelled.
   */
  setTurnWait(turn: TurnHold, wait: TurnWait | null): Promise<boolean>;
  /**
   * Adds to what the turn's agent has written so far, until the turn ends. Gives the position of the last piece; null:
   * nothing was added, as by `setTurnWait`. A power cut may take the last of them.
   */
  appendDeltas(turn: TurnHold, texts: readonly string[]): Promise<number | null>;
  /** Behind the position; none of a message whose turn has ended. */
  deltas(messageId: string, after: number, limit: number): Promise<Deltas>;

  /**
   * Cancels a message that is queued or running; null when there is none. A running turn keeps its session until it is
   * released, so that the next one does not begin beside it.
   */
  cancelMessage(id: string): Promise<CancelOutcome | null>;
  /** The same for all of a session; null when there is no such session. */
  cancelSession(session: string): Promise<SessionCancelled | null>;
  /** The agent has ended its turn of a cancelled message. False when the claim was lost. */
  releaseTurn(turn: TurnHold): Promise<boolean>;

  /** Messages that are dead, in the order in which they were accepted. */
  deadMessages(page: { readonly limit: number; readonly after: string | null }): Promise<Page<Message>>;
  /** Tries a dead message again, its turn or its delivery, with attempts and put-backs counted anew; null when there is none. */
  retryDead(id: string): Promise<DeadOutcome | null>;
  /**
   * A person has seen to it: ends a dead message as cancelled, and one whose reply waits to be posted, which is given up.
   * What is cancelled stays as it is; null when there is none.
   */
  discardMessage(id: string): Promise<DeadOutcome | null>;

  /** Claims deliveries that are due: the oldest of each session only, so that replies arrive in order. */
  claimDeliveries(claim: Claim): Promise<readonly Delivery[]>;
  /** Notes that the attempt is about to send its first byte. False when the claim was lost. */
  beginDelivery(delivery: DeliveryHold): Promise<boolean>;
  /** Notes that the channel has taken this part, counted from 1. False when the claim was lost. */
  noteDeliveryPart(delivery: DeliveryHold, part: number, receipt: JsonValue): Promise<boolean>;
  /** Notes that a preview of the turn's reply was sent, which the reply is to replace. False when the claim was lost. */
  notePreview(turn: TurnHold, receipt: JsonValue): Promise<boolean>;
  completeDelivery(delivery: DeliveryHold): Promise<boolean>;
  failDelivery(delivery: DeliveryHold, failure: DeliveryFailure): Promise<boolean>;
  /** Sends again what a planned stop cut off: the attempt does not count. */
  putBackDeliveries(deliveries: readonly (DeliveryHold & CutOff)[]): Promise<number>;
  /** Span until the next retry (turn or delivery) or the end of another owner's lease, 0 at least; null: nothing waits. */
  nextDueInMs(owner: string): Promise<number | null>;

  /**
   * Claims what one gateway at most may do at a time, such as polling a bot: its `kind` and `name`. Gives the epoch of
   * the claim, higher than those of all before; null: another owner has it.
   */
  claimLease(kind: string, name: string, owner: string, leaseMs: number): Promise<number | null>;
  /** False when the claim was lost: its lease was over, and another owner has it, or had it. */
  renewLease(lease: LeaseHold, leaseMs: number): Promise<boolean>;
  /** Lets others claim it at once. False as `renewLease`. */
  releaseLease(lease: LeaseHold): Promise<boolean>;

  /**
   * Takes a file. It is read no further than the store writes it. Until a message or a reply names it, it belongs to
   * nothing and is forgotten in a day; with that it is on disk, and forgotten with the message. Null: it is longer than
   * `limitBytes`, and nothing of it stays. Rejects with what reading it failed with.
   */
  putBlob(
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    limitBytes: number,
  ): Promise<StoredBlob | null>;
  /** Null when there is none. One that is forgotten while it is read ends early. */
  openBlob(id: string): Promise<AsyncIterable<Uint8Array> | null>;
  /** Removes a file that belongs to nothing, as its message was not taken; else it does nothing. */
  removeBlob(id: string): Promise<void>;

  /** Null when there is none, or it has expired. */
  record(kind: string, key: string): Promise<StoredRecord | null>;
  /** In the order of their keys. */
  records(
    kind: string,
    page: { readonly limit: number; readonly after: string | null },
  ): Promise<Page<StoredRecord>>;
  /** Writes a record, if it is there as it is expected. */
  putRecord(record: NewRecord, expected?: ExpectedRecord): Promise<RecordOutcome>;
  /** False when there was none; with `expected`, also when it had changed. */
  deleteRecord(kind: string, key: string, expected?: number): Promise<boolean>;

  message(id: string): Promise<Message | null>;
  /** Null when there is no such session. */
  session(name: string): Promise<SessionSummary | null>;
  /** Makes the session if there is none. */
  setPolicy(name: string, policy: SessionPolicy | null): Promise<SessionSummary>;
  /** For the turns of the messages that come, and of those that wait. Makes the session if there is none. */
  setAgent(name: string, agent: string | null): Promise<SessionSummary>;
  /** Begins the session's next generation with the next message; null when there is no such session. */
  resetSession(name: string): Promise<SessionSummary | null>;
  /** The last messages of the session's present generation that have a reply, in `seq` order; none of no session. */
  history(session: string, limit: number): Promise<readonly Message[]>;
  sessions(page: { readonly limit: number; readonly after: string | null }): Promise<Page<SessionSummary>>;
  /** Null when there is no such session. In `seq` order. */
  sessionMessages(
    session: string,
    page: { readonly limit: number; readonly after: string | null },
  ): Promise<Page<Message> | null>;
  /** The messages behind `seq` that are neither queued nor running, up to the first one that is; none of no session. */
  settledMessages(session: string, seq: number, limit: number): Promise<SettledMessages>;
  /** The number of the last message of a session before the first that is queued or running; 0: there is none. */
  settledUpTo(session: string): Promise<number>;
  counts(): Promise<StoreCounts>;

  /**
   * Calls back when something of the session may have changed, soon and not for each change; the returned function ends
   * that. It is a hint: of what others than this gateway do it may tell late or not at all, so look now and then as well.
   */
  watch(session: string, changed: () => void): () => void;

  /** Resolves once the store has done a round trip to its database: the watchdog's evidence of progress. */
  probe(): Promise<void>;
  /** Finishes what was asked for before, then closes. Idempotent. */
  close(): Promise<void>;
}

/** Reasons that any database can have for not doing what was asked. */
export type StoreFailure =
  /** Passes by itself: a lock, a failing disk or network, a file system that is read-only for now. */
  | 'unavailable'
  /** There is no room for anything new. */
  | 'full'
  /** This program must not use it: it is another program's, of a newer schema, or its module is missing. */
  | 'refused'
  /** What it holds can't be trusted. */
  | 'corrupt'
  | 'closed'
  /** The cursor of a page is none that the store has given: the caller's mistake. */
  | 'bad-cursor'
  | 'internal';

export interface StoreErrorOptions extends ErrorOptions {
  /** One or two sentences for a client, without paths or names. Default: what the reason alone says. */
  readonly detail?: string | undefined;
  /** The errno(3) that says it best, such as "EROFS". */
  readonly errno?: string | undefined;
}

/**
 * The store could not take or do what was asked; what was accepted before is not touched by it. The message says what
 * happened, where, and what to do.
 */
export class StoreError extends Error {
  readonly detail: string | null;
  readonly errno: string | null;

  constructor(
    readonly reason: StoreFailure,
    message: string,
    { detail, errno, ...options }: StoreErrorOptions = {},
  ) {
    super(message, options);
    this.name = 'StoreError';
    this.detail = detail ?? null;
    this.errno = errno ?? null;
  }
}
