import type {
  Attachment,
  Message,
  Metadata,
  ReplyTarget,
  SessionCancelled,
  SessionPolicy,
} from './messages.js';

/** Turns of an agent: claims on the heads of sessions. */

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
  | { readonly outcome: 'full'; readonly limit: 'session' | 'total'; readonly waiting: number }
  /** It is kept as dead, as it was to be. */
  | { readonly outcome: 'set-aside' };

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
  /** The channel that its message came by. */
  readonly channel: string;
  /** Files of its own message; `collected` has those of the others. Absent: none. */
  readonly attachments?: readonly Attachment[];
  /** Earlier messages that are run with it, in their order; the same for all attempts. */
  readonly collected: readonly CollectedMessage[];
  readonly replyTo: ReplyTarget | null;
  readonly acceptedAt: number;
  /** The session's agent; null: none has been chosen. */
  readonly agent: string | null;
  /** The session's generation when the message came. */
  readonly generation: number;
  /** 1 for the first. */
  readonly attempt: number;
  /** Stops that cut it off so far. */
  readonly putBacks: number;
  /** Pieces of text that the store has of its earlier attempts. */
  readonly deltas: number;
  readonly owner: string;
  /** The epoch of the claim on the session: higher than those of all claims before. */
  readonly epoch: number;
}

/**
 * The claim on a session under which all of a turn is written. Once its lease is over another gateway may claim the
 * session, under a higher epoch: from then on nothing more is taken under this one.
 */
export type TurnHold = Pick<Turn, 'messageId' | 'session' | 'owner' | 'epoch'>;
/** `cutOff`: a stop ended the turn while it ran, which counts as a put-back. Default: it had not begun. */
export type TurnToPutBack = TurnHold & {
  readonly cutOff?: boolean;
  /** Time until it is claimed again. Default: at once, before what waits. */
  readonly retryInMs?: number | null;
};

export interface Claim {
  /** The claiming gateway: one id for each of its starts. */
  readonly owner: string;
  readonly limit: number;
  /** Span of the claim unless it is renewed, in milliseconds. */
  readonly leaseMs: number;
}

/** The agent of a session for which none was chosen. */
export const defaultAgent = 'default';

/** The turns that may begin now, by the names of agents. An agent that is not there has no limit. */
export type AgentSlots = ReadonlyMap<string, number>;

/** By whom a message's turn is to be run as soon as it is accepted. */
export interface ArrivalClaim extends Pick<Claim, 'owner' | 'leaseMs'> {
  /** It is not run at once if its session's agent has none. */
  readonly agentSlots?: AgentSlots | undefined;
}

export interface TurnClaim extends Claim {
  /** Policy of sessions that have none of their own. Default: "queue". */
  readonly policy?: SessionPolicy;
  /** Messages that one turn may be made of. Default: 1. */
  readonly collectLimit?: number;
  /** Sessions of agents that have no more are passed over, and keep their places. Default: no agent has a limit. */
  readonly agentSlots?: AgentSlots | undefined;
}

/** A piece of a reply that is still written. */
export interface Delta {
  /** 1, 2, 3, … over all attempts of the turn. */
  readonly position: number;
  /** The attempt that wrote it. Text of earlier attempts counts for nothing. */
  readonly attempt: number;
  readonly text: string;
}

export interface Deltas {
  /** In the order of their positions. */
  readonly items: readonly Delta[];
  /** There are others behind them: the page was full. */
  readonly more: boolean;
}
