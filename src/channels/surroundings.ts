import type {
  CancelOutcome,
  DeadOutcome,
  JsonValue,
  MessageState,
  Page,
  PageRequest,
  SessionCancelled,
  SessionSummary,
} from '../store/messages.js';
import type { Role } from './conversation/roles.js';
import type { ReplyGuarantee } from './reply-sender.js';

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

/** Parts of a message by which routes choose an agent. */
export interface RouteQuestion {
  readonly session: string;
  readonly channel: string;
  readonly sender: string | null;
}

/** The agent of a session's next message, and where it comes from. */
export interface RouteAnswer {
  readonly agent: string;
  /** False if the configuration has no such agent. */
  readonly isConfigured: boolean;
  /** `session`: it was chosen for the session before. `default`: no route fits. */
  readonly source: 'session' | 'route' | 'default';
  /** The number of the [[route]] table, 1 for the first; null if none decides. */
  readonly route: number | null;
}

/** Actions of people on sessions. */
export interface SessionOperations {
  /** Null: there is no such session. */
  resetSession(session: string): Promise<SessionSummary | null>;
  /** `busy`: its turn, or the sending of a reply, did not end in time. Null: there is no such session. */
  deleteSession(session: string): Promise<'deleted' | 'busy' | null>;
  /** Makes the session if there is none. Null as the agent: the default one. */
  setAgent(session: string, agent: string | null): Promise<SessionSummary>;
  /** Names of the configured agents. */
  readonly agents: readonly string[];
  route(question: RouteQuestion): Promise<RouteAnswer>;
}

/** Somebody who may write by a channel. */
export interface AllowedPerson {
  readonly channel: string;
  /** The platform's id; "*" stands for everybody. */
  readonly id: string;
  readonly name: string | null;
  readonly role: Role;
  /** True if the configuration names the person, false if an operator let them in. */
  readonly isConfigured: boolean;
  /** Milliseconds since the Unix epoch; null: not known. */
  readonly since: number | null;
}

/** Somebody who was given a code, and waits to be let in. Times in milliseconds since the Unix epoch. */
export interface WaitingPerson {
  readonly channel: string;
  readonly id: string;
  /** As they call themselves, without marks that are not seen. */
  readonly name: string | null;
  readonly askedAt: number;
  readonly expiresAt: number;
}

export interface PeopleList {
  readonly allowed: readonly AllowedPerson[];
  readonly waiting: readonly WaitingPerson[];
}

export type ForgetOutcome =
  /** No channel knows the person; several channels, and none was named: none is certain. */
  | { readonly outcome: 'unknown' }
  | { readonly outcome: 'ambiguous'; readonly channels: readonly string[] }
  | {
      readonly outcome: 'forgotten';
      readonly channel: string;
      /** Sessions that are gone, those with messages of others as well, and those whose turn has not ended. */
      readonly deleted: readonly string[];
      readonly kept: readonly string[];
      readonly busy: readonly string[];
      /** The configuration lets the person in. */
      readonly mayStillWrite: boolean;
    };

/** Orders of an operator about the people who write by channels. */
export interface PeopleOperations {
  list(): Promise<PeopleList>;
  /** Lets in who has this code. Null: nobody waits with it. */
  accept(code: string, role: Role): Promise<AllowedPerson | null>;
  /** Takes the right from a person, and deletes what they left. `channel` null: the one that knows the person. */
  forget(id: string, channel: string | null): Promise<ForgetOutcome>;
}

/** Something that a turn under way has done. */
export type MessageProgress =
  /** The agent has written the piece with this number. An empty one: the turn runs again, all before it is void. */
  | { readonly type: 'delta'; readonly position: number; readonly text: string }
  /** One line that says what the agent does now. */
  | { readonly type: 'status'; readonly text: string }
  /** The agent waits for a person's answer. */
  | { readonly type: 'question'; readonly question: AskedQuestion }
  /** All pieces so far are in the store, for those who have missed some. */
  | { readonly type: 'stored' }
  /** The store was asked to write its reply: what is asked of the store now comes behind that, where calls keep their order. */
  | { readonly type: 'ends' };

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

/** The handling of a reply to a channel's address. If it can't go there, `member` names the mistake in the target. */
export type ChannelTargetVerdict =
  | { readonly ok: true; readonly guarantee: ReplyGuarantee }
  | { readonly ok: false; readonly member: 'channel' | 'to'; readonly reason: string };

/**
 * "open": its agent waits for an answer. "expired": the attempt that asked was cut off; if the agent asks for the same call
 * again, an answer given meanwhile counts, once. "timeout": nobody answered in time, which was a no.
 */
export type QuestionState = 'open' | 'allowed' | 'denied' | 'timeout' | 'expired';

/** Something that an agent wants to do, and asks a person about. Times in milliseconds since the Unix epoch. */
export interface AskedQuestion {
  /** By which it is answered, once. */
  readonly code: string;
  readonly session: string;
  readonly messageId: string;
  readonly attempt: number;
  readonly agent: string;
  /** The kind of the tool, such as "execute". */
  readonly kind: string;
  readonly title: string;
  /** The arguments as JSON; null: there are none. */
  readonly input: string | null;
  readonly inputIsCut: boolean;
  readonly options: readonly { readonly name: string; readonly effect: 'allow' | 'deny' }[];
  readonly askedAt: number;
  readonly expiresAt: number;
  readonly state: QuestionState;
  /** The writer of all messages that the turn answers; null: not known, or several persons. */
  readonly author: QuestionAuthor | null;
}

/** A person, by the platform's id. The same id in another channel is another person. */
export interface QuestionAuthor {
  readonly channel: string;
  readonly id: string;
}

export interface QuestionAnswered {
  /** "too-late": it was answered, has expired, or its message has come to its end. */
  readonly outcome: 'answered' | 'too-late';
  readonly question: AskedQuestion;
}

/** Questions of agents to people. */
export interface QuestionActions {
  list(page: PageRequest): Promise<Page<AskedQuestion>>;
  /** Null: there is no such question, or it is kept no longer. */
  question(code: string): Promise<AskedQuestion | null>;
  answer(code: string, effect: 'allow' | 'deny'): Promise<QuestionAnswered | null>;
}
