import type { CutOff, Delivery, DeliveryFailure, DeliveryHold } from './deliveries.js';
import type {
  ArrivedMessage,
  CancelOutcome,
  DeadOutcome,
  HistoryBounds,
  JsonValue,
  Message,
  NewMessage,
  Page,
  PageRequest,
  QueueLimits,
  Reply,
  RevisionOutcome,
  SessionCancelled,
  SessionDeletion,
  SessionPolicy,
  SessionSummary,
  SettledMessages,
  StoreCounts,
  StoredBlob,
  TurnWait,
} from './messages.js';
import type {
  Checkpoint,
  ExpectedRecord,
  LeaseHold,
  NewRecord,
  RecordOutcome,
  StoredRecord,
} from './records.js';
import type {
  AcceptOutcome,
  ArrivalClaim,
  Claim,
  Deltas,
  Turn,
  TurnClaim,
  TurnHold,
  TurnToPutBack,
} from './turns.js';

/**
 * The gateway's store, whichever database keeps it. Every method is one transaction that is on disk
 * when its promise resolves. Times are the store's own, in milliseconds since the Unix epoch: it goes by one clock,
 * whoever calls, and is given spans. Nothing here assumes that one process runs all sessions: who runs a session is
 * written in the store as a claim with a lease.
 */

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
   * ends it, the message was cancelled. `isAwaited`: somebody waits for it, so that it is not held back for calls that could
   * share its commit.
   */
  completeTurn(turn: TurnHold, reply: Reply, isAwaited?: boolean): Promise<boolean>;
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
  /** Behind the position. Of a message whose turn has ended only the empty ones are left, with each of which the text began anew. */
  deltas(messageId: string, after: number, limit: number): Promise<Deltas>;

  /**
   * Cancels a message that is queued or running; null when there is none. A running turn keeps its session until it is
   * released, so that the next one does not begin beside it.
   */
  cancelMessage(id: string): Promise<CancelOutcome | null>;
  /** The same for all of a session; null when there is no such session. */
  cancelSession(session: string): Promise<SessionCancelled | null>;
  /**
   * The platform has another text for a message, or null: it was deleted there. The text of one whose turn has never begun
   * is replaced; one that is queued is cancelled. Null when there is no such message.
   */
  reviseMessage(arrived: ArrivedMessage, text: string | null): Promise<RevisionOutcome | null>;
  /** The agent has ended its turn of a cancelled message. False when the claim was lost. */
  releaseTurn(turn: TurnHold): Promise<boolean>;

  /** Messages that are dead, in the order in which they were accepted. */
  deadMessages(page: PageRequest): Promise<Page<Message>>;
  /** Tries a dead message again, its turn or its delivery, with attempts and put-backs counted anew; null when there is none. */
  retryDead(id: string): Promise<DeadOutcome | null>;
  /**
   * A person has seen to it: ends a dead message as cancelled, and one whose reply waits to be posted, which is given up.
   * A cancelled message stays as it is. Gives null if there is none.
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
  /** Reads a file; null if there is none. One that is forgotten while it is read ends early. */
  openBlob(id: string): Promise<AsyncIterable<Uint8Array> | null>;
  /** Removes a file that belongs to nothing, as its message was not taken; else it does nothing. */
  removeBlob(id: string): Promise<void>;

  /** Reads a record; null if there is none, or it has expired. */
  record(kind: string, key: string): Promise<StoredRecord | null>;
  /** In the order of their keys. */
  records(kind: string, page: PageRequest): Promise<Page<StoredRecord>>;
  /** Writes a record, if it is there as it is expected. */
  putRecord(record: NewRecord, expected?: ExpectedRecord): Promise<RecordOutcome>;
  /** False when there was none; with `expected`, also when it had changed. */
  deleteRecord(kind: string, key: string, expected?: number): Promise<boolean>;

  message(id: string): Promise<Message | null>;
  /** Reads a session; null if there is none. */
  session(name: string): Promise<SessionSummary | null>;
  /** Makes the session if there is none. */
  setPolicy(name: string, policy: SessionPolicy | null): Promise<SessionSummary>;
  /** For the turns of the messages that come, and of those that wait. Makes the session if there is none. */
  setAgent(name: string, agent: string | null): Promise<SessionSummary>;
  /**
   * Begins the session's next generation with the next message, and deletes what agents keep for it; null when there is no
   * such session.
   */
  resetSession(name: string): Promise<SessionSummary | null>;
  /**
   * Deletes a session with all that belongs to it, in steps of some `limit` messages, the oldest first. What waits is
   * cancelled first. Null when there is no such session.
   */
  deleteSession(name: string, limit: number): Promise<SessionDeletion | null>;
  /**
   * The last messages that have a reply, in `seq` order, those that are part of another's turn too: of the session's
   * present generation or, with `of`, of that one, before the message with that number. None of no session.
   */
  history(session: string, limit: number, of?: HistoryBounds): Promise<readonly Message[]>;
  sessions(page: PageRequest): Promise<Page<SessionSummary>>;
  /** Reads messages in `seq` order; null if there is no such session. */
  sessionMessages(session: string, page: PageRequest): Promise<Page<Message> | null>;
  /** The messages behind `seq` that are neither queued nor running, up to the first one that is; none of no session. */
  settledMessages(session: string, seq: number, limit: number): Promise<SettledMessages>;
  /** The number of the last message of a session before the first that is queued or running; 0: there is none. */
  settledUpTo(session: string): Promise<number>;
  counts(): Promise<StoreCounts>;

  /**
   * Calls back when something of the session may have changed, soon and not for each change, until the returned function
   * is called. It is a hint: changes by others than this gateway may be told late or not at all, so look now and then.
   */
  watch(session: string, changed: () => void): () => void;

  /** Resolves once the store has done a round trip to its database: the watchdog's evidence of progress. */
  probe(): Promise<void>;
  /** Finishes what was asked for before, then closes. Idempotent. */
  close(): Promise<void>;
}
