import type { Log } from '../log/log.js';
import type { Attachment, JsonValue, Metadata, UnknownPolicy } from '../store/messages.js';
import type { NewAttachments } from '../store/new-attachments.js';
import type { Store } from '../store/store.js';
import type { AcceptOutcome } from '../store/turns.js';
import type { ChannelHost } from './channel-program.js';
import type { HookPort } from './hooks.js';
import type { ReplySender } from './reply-sender.js';

export interface ChannelHealth {
  /** `starting`: not connected yet; `down`: no messages come by it; `closed`: it was told to end. */
  readonly state: 'starting' | 'up' | 'down' | 'closed';
  /** The time of the last change of `state`, in milliseconds since the Unix epoch. */
  readonly since: number;
  /** If it is down: what is wrong and what to do. It is shown to operators, so it holds no secret. */
  readonly reason: string | null;
  /**
   * The last time at which the platform has answered or sent something, in milliseconds since the Unix epoch. Absent: the
   * channel asks nothing of its platform, whose silence shows nothing.
   */
  readonly provenAt?: number;
}

/** A way by which messages come in and replies go out. */
export interface Channel {
  /** The name in the configuration. It stands with each message and each reply's target. */
  readonly name: string;
  /** Sends replies to this channel's addresses. A channel that only takes messages has none. */
  readonly replySender?: ReplySender;
  /**
   * Begins to take messages. If it rejects, the gateway calls `close`, and makes a new channel after a while. Once
   * started, a channel reconnects by itself.
   */
  start(): Promise<void>;
  /**
   * The gateway stops: ask for nothing more. A message that has arrived may be accepted until `close`; the next start
   * runs it.
   */
  stopAccepting(): void;
  /** Ends all that the channel has open, after at most `timeoutMs`. It may be called more than once, and at any time. */
  close(timeoutMs: number): Promise<void>;
  health(): ChannelHealth;
  /**
   * Sends a short text to people at once, such as the answer to a chat word, within the channel's limits of sends. Rejects
   * if it was not sent; nobody sends it again. A channel without it tells people nothing but replies.
   */
  say?(to: ChannelAddress, text: string): Promise<void>;
}

/** A receiver in the channel's own form. */
export interface ChannelAddress {
  readonly address: string;
  /** Further facts for the channel, such as the message that is answered. */
  readonly options?: Metadata;
}

/** Somebody as the platform names them. */
export interface Person {
  /** The platform's id, which nobody can choose to be another one's. */
  readonly id: string;
  /** The name that they have given themselves; null: none is known. */
  readonly name: string | null;
}

/** A message as it arrived. */
export interface ChannelMessage {
  /** The channel's own name of the conversation, such as the id of a chat. It becomes the session NAME:CONVERSATION. */
  readonly conversation: string;
  readonly text: string;
  readonly metadata?: Metadata;
  /** The id of the person who wrote it. */
  readonly sender?: string;
  /** The platform's id: the same id in the same conversation is taken once. Null if there is none. */
  readonly id: string | null;
  /** The receiver of the reply, in the form of its channel; null if nobody waits for one. Default channel: this one. */
  readonly replyTo: (ChannelAddress & { readonly channel?: string }) | null;
  /** Files that `newFiles` has stored, of this message alone. Default: none. */
  readonly attachments?: readonly Attachment[];
  /** False if the receiver can't tell a reply that comes twice from two replies. Default: true. */
  readonly replyIdempotent?: boolean;
  /** The policy for such a reply if it may have arrived. Null, the default: the gateway's. */
  readonly replyUnknown?: UnknownPolicy | null;
  /** Why no agent can be given it: it is kept as dead with this reason. Default: it is for an agent. */
  readonly setAside?: string;
}

/** A message of a person as it arrived, for `receive` to decide about. */
export interface Received extends Omit<ChannelMessage, 'sender' | 'setAside'> {
  /** The author. Null if it was deleted, or if it can't be read who that is, which needs a `defect`. */
  readonly person: Person | null;
  /**
   * True if others read along. Null: the channel can't tell. A message is taken as addressed to the gateway then, and no
   * code is offered.
   */
  readonly isGroup: boolean | null;
  /** True if a message of a group mentions the gateway or answers it. */
  readonly isAddressed?: boolean;
  /**
   * The way in which the person sent this text. Chat words count only if they were written. `edited` and `deleted` are of
   * an earlier message, with its `id`. Default: `written`.
   */
  readonly origin?: 'written' | 'forwarded' | 'quoted' | 'edited' | 'deleted';
  /** Set if no agent can be given it: it is kept as dead. */
  readonly defect?: ReceivedDefect;
}

export interface ReceivedDefect {
  readonly kind: 'unreadable' | 'too-large' | 'encrypted';
  /** One line for the operator. */
  readonly reason: string;
  /** The message as it came, of which 64 KiB are kept; null: its `text` is that. */
  readonly raw: string | null;
}

/**
 * The end of a message of a person. Acknowledge it to the platform in each case.
 *
 * - `not-allowed`: the person may not write; nothing is kept.
 * - `ignored`: it was not for the gateway; nothing is kept.
 * - `word`: it was a chat word, and is done.
 * - `revised`: a message that waits has the edited text now, or is cancelled, as it was deleted.
 * - Else as of `accept`. One with a defect is on disk as dead: `set-aside`.
 */
export type ReceiveOutcome =
  | AcceptOutcome
  | { readonly outcome: 'not-allowed' | 'ignored' | 'word' | 'revised' };

/** A position in what the platform sends, such as an offset. */
export interface ChannelCheckpoint {
  readonly key: string;
  readonly value: JsonValue;
}

/** All that a channel is given. */
export interface ChannelContext {
  readonly name: string;
  readonly host: ChannelHost;
  /**
   * Takes messages in with the position behind them, in one transaction: acknowledge them to the platform once the
   * promise has resolved. Each message has an outcome of its own: `full` is on disk as well, as dead, since too many wait.
   * Throws a StoreError if nothing was taken: acknowledge nothing, and try again. Files of messages that are not kept are
   * removed.
   */
  accept(
    messages: readonly ChannelMessage[],
    checkpoint?: ChannelCheckpoint,
  ): Promise<readonly AcceptOutcome[]>;
  /**
   * Decides about messages of people, in their order: who may write, what is a chat word, what an agent is given. Each has
   * an outcome; the position is on disk with the last of them. Throws a StoreError as `accept` does: acknowledge nothing,
   * and give all of them again. What was taken before the failure is not taken twice.
   */
  receive(received: readonly Received[], checkpoint?: ChannelCheckpoint): Promise<readonly ReceiveOutcome[]>;
  /** True if `receive` would keep the message. Fetch its files only then, so that strangers cost nothing. */
  keeps(received: Received): Promise<boolean>;
  /** The position of the last `accept` or `receive` with this key; null if there was none. */
  checkpoint(key: string): Promise<JsonValue | null>;
  /** Collects the files of one message, within the limits of the configuration. */
  newFiles(): NewAttachments;
  /** Reads a file of a message or a reply; null if it was forgotten. */
  openFile(file: Pick<Attachment, 'id'>): Promise<AsyncIterable<Uint8Array> | null>;
  /** Requests of the platform to `POST /hooks/NAME`, such as webhooks. */
  readonly hook: HookPort;
  /** Keeps anything else for the channel, under kinds that begin with its name and a colon. */
  readonly records: Pick<Store, 'record' | 'records' | 'putRecord' | 'deleteRecord'>;
  /** Claims on what one gateway at most may do at a time, among those with this store. */
  readonly leases: Pick<Store, 'claimLease' | 'renewLease' | 'releaseLease'>;
  /** Has the channel's name in each record. */
  readonly log: Log;
  readonly clock: {
    /** Milliseconds since the Unix epoch. It never goes back. */
    now(): number;
    /** Calls back once. The returned function cancels that. */
    after(delayMs: number, callback: () => void): () => void;
  };
  /** Aborted when the channel is closed. */
  readonly signal: AbortSignal;
  /** The health has changed: the gateway shows it in its status. */
  healthChanged(): void;
}
