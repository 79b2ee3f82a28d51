/** A call of a tool. */
export interface ToolUse {
  readonly tool: string;
  readonly input: object;
}

/** A chunk of an answer. */
export type Piece = string | ToolUse;

/** A request to a model, in the terms of no vendor. */
export interface ModelRequest {
  /** The text of each message. */
  readonly texts: readonly string[];
  /** The last text of the person. */
  readonly asked: string;
  /** The output of the last tool; null: no tool was called since the person wrote. */
  readonly toolOutput: string | null;
  /** Names of the tools that may be called. */
  readonly tools: readonly string[];
  readonly isStreamed: boolean;
}

/** A server-sent event; its data are written as JSON. */
export interface ModelEvent {
  readonly event?: string;
  readonly data: object;
}

/** Makes the events of one streamed answer. */
export interface AnswerEvents {
  begin(): readonly ModelEvent[];
  text(text: string): readonly ModelEvent[];
  use(use: ToolUse): readonly ModelEvent[];
  end(): readonly ModelEvent[];
}

/** The interface of a vendor's model. */
export interface Dialect {
  /** `body`: the request's JSON. */
  read(path: string, body: Readonly<Record<string, unknown>>): ModelRequest;
  /** The answer as a whole; it calls no tool. */
  whole(text: string): object;
  events(): AnswerEvents;
  /** Stands behind the last event. */
  readonly lastLine: string;
}

let lastId = 0;

/** An id that no other answer has: some agents take answers of one id for the same. */
export function newId(prefix: string): string {
  lastId += 1;
  return `${prefix}${lastId}`;
}

type Members = Readonly<Record<string, unknown>>;

/** The elements of a list of objects; none if it is no list. */
export function listOf(value: unknown): readonly Members[] {
  return Array.isArray(value)
    ? value.map((each) => (typeof each === 'object' && each !== null ? each : {}))
    : [];
}

/** The text of a message's content: a text, or a list of parts. */
export function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  return listOf(content)
    .map(({ text, content: inner }) => (typeof text === 'string' ? text : textOf(inner)))
    .join('\n');
}
