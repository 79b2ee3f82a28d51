import type { CollectedMessage, Metadata } from '../store/store.js';

/** What an agent is given for one turn. */
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
  /** Who wrote it, where that is known. */
  readonly sender: string | null;
  /** What came before it and is part of the turn; `text` has it all, apart by empty lines. */
  readonly collected: readonly CollectedMessage[];
}

export interface AgentReply {
  readonly text: string;
  readonly metadata: Metadata;
}

export interface Agent {
  readonly type: string;
  /**
   * Runs one turn. Rejects with an `AgentError`. Once `signal` is aborted it ends all that it has started and
   * rejects with reason `cancelled`, unless it has a result by then; only then is the turn over.
   */
  run(request: AgentRequest, signal: AbortSignal): Promise<AgentReply>;
}

/** Why a turn gave no reply; the message says what happened and where to look. */
export class AgentError extends Error {
  constructor(
    readonly reason: 'cancelled' | 'timeout' | 'exit-status' | 'signal' | 'not-started' | 'bad-reply',
    message: string,
    /** False: another attempt can't end otherwise (a program that doesn't exist). */
    readonly retry: boolean,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'AgentError';
  }
}
