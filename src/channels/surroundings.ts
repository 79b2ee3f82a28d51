import type {
  CancelOutcome,
  DeadOutcome,
  JsonValue,
  MessageState,
  SessionCancelled,
} from '../store/messages.js';

/** Tells if the gateway takes new work, and what an operator asks first. */
export interface Readiness {
  readonly ready: boolean;
  /** The lifecycle's state, the parts' progress and the like. */
  readonly facts: Readonly<Record<string, JsonValue>>;
}

/** Actions of people on messages that were accepted. Each gives null if nothing has that id or name. */
export interface OperatorActions {
  cancelMessage(id: string): Promise<CancelOutcome | null>;
  cancelSession(session: string): Promise<SessionCancelled | null>;
  retryDead(id: string): Promise<DeadOutcome | null>;
  discardMessage(id: string): Promise<DeadOutcome | null>;
}

/** Something that a turn under way has done. */
export type MessageProgress =
  /** The agent has written the piece with this number. An empty one: the turn runs again, all before it is void. */
  | { readonly type: 'delta'; readonly position: number; readonly text: string }
  /** One line that says what the agent does now. */
  | { readonly type: 'status'; readonly text: string }
  /** All pieces so far are in the store, for those who have missed some. */
  | { readonly type: 'stored' };

export interface MessageChange {
  readonly messageId: string;
  /** The message's state; null if it has to be read from the store. */
  readonly state: MessageState | null;
  /** If it is there, nothing else has changed. */
  readonly progress?: MessageProgress;
}

/** Tells of changes in this process. Another gateway on the same store may run a session, so listeners also read it. */
export interface MessageChanges {
  /** Calls `listener` after each change of the message until the returned function is called. */
  subscribe(messageId: string, listener: () => void): () => void;
}

export interface SessionChanges {
  /** Calls `listener` after each change in the session until the returned function is called. */
  subscribeSession(session: string, listener: (change: MessageChange) => void): () => void;
}

/** If a reply may not be posted to a URL, `reason` says why, such as "must be an http or https URL". */
export type ReplyUrlVerdict = { readonly ok: true } | { readonly ok: false; readonly reason: string };
