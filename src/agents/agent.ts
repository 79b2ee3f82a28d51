import type { Metadata } from '../store/messages.js';
import type { CollectedMessage } from '../store/turns.js';

/** The input of an agent for one turn. */
export interface AgentRequest {
  readonly turnId: string;
  readonly messageId: string;
  readonly session: string;
  readonly seq: number;
  /** 1 for the first. */
  readonly attempt: number;
  /** Stops of the gateway that cut the turn off before. Such attempts don't count. */
  readonly putBacks: number;
  readonly text: string;
  readonly metadata: Metadata;
  /** The author of the message; null if not known. */
  readonly sender: string | null;
  /** Earlier messages that are part of the turn. `text` has all of them, apart by empty lines. */
  readonly collected: readonly CollectedMessage[];
}

export interface AgentReply {
  readonly text: string;
  readonly metadata: Metadata;
}

/** Tokens of a turn, as the model's server counts them. */
export interface AgentUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** One step of a turn that runs. */
export type AgentEvent =
  /** The agent was started or reached. Other turns, which waited for that, may begin. */
  | { readonly type: 'started' }
  /** The next piece of the reply's text. Pieces are for people who watch; the `end` event has the whole reply. */
  | { readonly type: 'delta'; readonly text: string }
  /** One line that says what the agent does now, such as "reads files". It replaces the line before. */
  | { readonly type: 'status'; readonly text: string }
  | { readonly type: 'usage'; readonly usage: AgentUsage }
  /** The reply. It is the last event of a turn, and a turn without it has failed. */
  | { readonly type: 'end'; readonly reply: AgentReply };

export interface Agent {
  readonly type: string;
  /**
   * Runs one turn. The caller reads the events to their end: after the last one, or after the `AgentError` that the
   * iteration throws, nothing of the turn is left running. When `signal` is aborted, the agent ends all that it has
   * started and throws with reason `cancelled`, unless it has its reply by then.
   */
  run(request: AgentRequest, signal: AbortSignal): AsyncIterable<AgentEvent>;
}

export type AgentErrorReason =
  /** The gateway asked for the end. */
  | 'cancelled'
  | 'timeout'
  /**
   * The agent could not be started or reached, and has done nothing: the attempt doesn't count. The gateway waits, and
   * tries again.
   */
  | 'unavailable'
  /** The agent said that it failed, by an exit status or an error answer. */
  | 'failed'
  /** Somebody else ended the agent in the middle of the turn. */
  | 'killed'
  /** The agent ended well, but its reply can't be taken. */
  | 'bad-reply';

/** Says why a turn gave no reply; the message says what happened and where to look. */
export class AgentError extends Error {
  constructor(
    readonly reason: AgentErrorReason,
    message: string,
    /** False if another attempt can't end otherwise, as when the program doesn't exist. */
    readonly retry: boolean,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'AgentError';
  }
}
