import type { Attachment, JsonValue, Metadata, TokenUsage } from '../store/messages.js';
import type { FileContent, GivenFile } from '../store/new-attachments.js';
import { cutText } from '../text/copied-start.js';

/** The author of a message, as far as its channel knows. */
export interface AgentSender {
  /** The channel's own name of the person. */
  readonly id: string;
  /** For people to read; null if not known. */
  readonly name: string | null;
  /** The channel that the message came by, such as "http". */
  readonly channel: string;
  /** The person's right, such as "owner"; null if not known. */
  readonly role: string | null;
}

/** An earlier message that is part of a later one's turn. */
export interface TurnPart {
  readonly messageId: string;
  readonly seq: number;
  readonly text: string;
  readonly metadata: Metadata;
  readonly sender: AgentSender | null;
}

/** A file of a turn. */
export interface AgentFile extends Attachment {
  /** The path of its download over HTTP. */
  readonly path: string;
  /** Reads it; null if its message was forgotten meanwhile. */
  open(): Promise<AsyncIterable<Uint8Array> | null>;
}

/** Stands for the text of an earlier turn that had none, where an agent is told of the past. */
export const filesAloneText = '(files without a text)';

/** An earlier turn of the same session and generation. */
export interface EarlierTurn {
  readonly messageId: string;
  readonly seq: number;
  /** All texts of the turn, apart by empty lines. Empty: it had files alone. */
  readonly text: string;
  readonly sender: AgentSender | null;
  /** Milliseconds since the Unix epoch. */
  readonly acceptedAt: number;
  readonly reply: { readonly text: string; readonly metadata: Metadata };
}

/**
 * A value that the agent keeps from one turn to the next, such as the id of a session of its own. There is one for each
 * session, agent and generation. It is on disk when `write` resolves.
 */
export interface AgentSessionRecord {
  /** Null: there is none. */
  read(): Promise<JsonValue | null>;
  /** Keeps the value; null removes it. */
  write(value: JsonValue | null): Promise<void>;
}

/** The input of an agent for one turn. */
export interface AgentRequest {
  readonly turnId: string;
  readonly messageId: string;
  readonly session: string;
  /** Raised by each reset of the session: what was said before one is not to be remembered. */
  readonly generation: number;
  readonly seq: number;
  /** 1 for the first. */
  readonly attempt: number;
  /** Stops of the gateway that cut the turn off before. Such attempts don't count. */
  readonly putBacks: number;
  readonly text: string;
  readonly metadata: Metadata;
  /** The trace that the turn is part of (`traceparent` of the W3C). Absent or null: none is known. */
  readonly traceparent?: string | null;
  /** The author of the message; null if not known. */
  readonly sender: AgentSender | null;
  /** Earlier messages that are part of the turn. `text` has all of them, apart by empty lines. */
  readonly collected: readonly TurnPart[];
  /** Files of all its messages, in their order. */
  readonly files: readonly AgentFile[];
  /**
   * Stores a file for the reply, which has to name it among its attachments. Call it for one file at a time. Rejects with
   * an AttachmentLimitError if it is one too many or too large, and with what reading the content fails with.
   */
  addFile(file: GivenFile, content: FileContent): Promise<Attachment>;
  /** Reads the last turns before this one that have a reply, at most so many, the oldest first. */
  history(limit: number): Promise<readonly EarlierTurn[]>;
  readonly agentSession: AgentSessionRecord;
}

export interface AgentReply {
  readonly text: string;
  readonly metadata: Metadata;
  /** Files that were put into the store and belong to nothing yet. Default: none. */
  readonly attachments?: readonly Attachment[];
}

/** One way to answer a question. */
export interface QuestionOption {
  readonly id: string;
  /** For people to read, such as "Allow once". */
  readonly name: string;
  readonly effect: 'allow' | 'deny';
}

/** Something that the agent wants to do and asks a person about. */
export interface AgentQuestion {
  /** The kind of the tool, such as "edit" or "execute". */
  readonly kind: string;
  /** One line for people. */
  readonly title: string;
  /** The arguments of the call; null if not known. */
  readonly input: JsonValue;
  readonly options: readonly QuestionOption[];
}

/** One step of a turn that runs. */
export type AgentEvent =
  /** The agent was started or reached. Other turns, which waited for that, may begin. */
  | { readonly type: 'started' }
  /** The next piece of the reply's text. Pieces are for people who watch; the `end` event has the whole reply. */
  | { readonly type: 'delta'; readonly text: string }
  /** One line that says what the agent does now, such as "reads files". It replaces the line before. */
  | { readonly type: 'status'; readonly text: string }
  /** Tokens of the turn so far. It replaces what was said before, and is kept with the reply. */
  | { readonly type: 'usage'; readonly usage: TokenUsage }
  /**
   * A question to the person. `answer` is called once, now or much later, with the id of an option; null: nobody answers,
   * which is a no. Further events may come meanwhile. Until then the turn's time stands still.
   */
  | {
      readonly type: 'question';
      readonly question: AgentQuestion;
      readonly answer: (optionId: string | null) => void;
    }
  /**
   * The agent has the turn and calls back. Until then the turn holds no slot. A stop doesn't wait for it: the next start
   * runs the turn again, as the same attempt, and the agent goes on where it was.
   */
  | { readonly type: 'waits'; readonly reason: 'callback' }
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
  /** The session was reset or deleted: ends what runs for it between turns. It never throws. */
  endSession?(session: string): void;
  /**
   * Ends what runs between turns. Called once, when no turn of it runs: a reload has put another one in its place, or the
   * gateway stops.
   */
  close?(): Promise<void>;
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

export interface AgentErrorOptions extends ErrorOptions {
  /** The wait that an agent which is `unavailable` asks for. Null or absent: it asks for none. */
  readonly retryAfterMs?: number | null;
}

/** Longest message of an error, in characters: it is kept with the turn's message, and an agent may have written it. */
const longestReason = 2_000;

/** Says why a turn gave no reply; the message says what happened and where to look. */
export class AgentError extends Error {
  readonly retryAfterMs: number | null;

  constructor(
    readonly reason: AgentErrorReason,
    message: string,
    /** False if another attempt can't end otherwise, as when the program doesn't exist. */
    readonly retry: boolean,
    options?: AgentErrorOptions,
  ) {
    super(cutText(message, longestReason), options);
    this.retryAfterMs = options?.retryAfterMs ?? null;
    this.name = 'AgentError';
  }
}

/** The reason of the signal that ends a turn early. */
export class CutOffError extends AgentError {
  constructor(readonly by: 'timeout' | 'claim-lost' | 'drain' | 'cancelled') {
    super('cancelled', `The turn was cut off: ${by}.`, true);
    this.name = 'CutOffError';
  }
}
