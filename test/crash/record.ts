import type { ShownText } from './channels/platform.js';

/** Observations of a run, by everybody who saw something. */
export interface Record {
  /** Per session: messages that were answered 202; their numbers are 1, 2, 3, …, each text says which. */
  readonly accepted: Readonly<{ [session: string]: number }>;
  /** Messages that clients had cancelled, in the order of the answers. */
  readonly cancels: readonly Cancel[];
  /** Messages that the gateway has in the end, in the order of `seq` in each session. */
  readonly stored: readonly StoredMessage[];
  /** Notes of the agent, in order. */
  readonly turns: readonly TurnEvent[];
  /** Replies that the receiver took, in order. */
  readonly received: readonly Receipt[];
  /** Each attempt at a reply whose receiver does not go by its key, taken or not, in order. */
  readonly attempts: readonly AttemptEvent[];
  /** All that people of channels saw of the gateway, in the order of each session. */
  readonly shown: readonly ShownText[];
}

export interface StoredMessage {
  readonly session: string;
  readonly id: string;
  readonly seq: number;
  readonly state: string;
  readonly text: string;
  readonly reply: string | null;
  readonly error: string | null;
  readonly attempts: number;
  /** The message whose turn it is part of. */
  readonly collectedIn: string | null;
  /** Attempts to deliver its reply of which nobody knows whether they arrived. */
  readonly unknown: number;
}

export interface TurnEvent {
  /** "overlap": another turn of the session was still running. */
  readonly kind: 'begin' | 'end' | 'overlap';
  readonly session: string;
  readonly message: string;
  readonly attempt: number;
  /** Its position in the agent's file, in bytes. */
  readonly at: number;
  /** The text that the agent was given, if it wrote that down. */
  readonly text?: string;
}

export interface Receipt {
  /** `webhook-id`. */
  readonly key: string;
  readonly body: string;
}

export interface AttemptEvent {
  readonly key: string;
  /** "arrived": its headers did. "refused": it is about to be answered 500. */
  readonly what: 'arrived' | 'refused';
}

/** An answer to a client that wants messages cancelled, or whose message interrupts those before it. */
export interface Cancel {
  readonly session: string;
  /** The subject: the messages of these numbers, both included. */
  readonly from: number;
  readonly to: number;
  /** Messages that the answer names as cancelled. `attempts`: how often their turns had begun, if it says that. */
  readonly cancelled: readonly { readonly id: string; readonly attempts: number | null }[];
  /** The length of the agent's file when the answer had come, in bytes. */
  readonly turnsWritten: number;
}

/** Reads the agent's file (ASCII); its last line may be cut off. */
export function parseTurns(text: string): TurnEvent[] {
  let next = 0;
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const at = next;
      next += line.length + 1;
      const [, kind, session, message, attempt, input] =
        /^(begin|end|overlap) (\S+) (\S+) (\d+)(?: (\{.*\}))?$/.exec(line) ?? [];
      if (kind === undefined || session === undefined || message === undefined) {
        throw new Error(`The agent wrote a line that it should not: ${JSON.stringify(line)}`);
      }
      const event = { kind: kind as TurnEvent['kind'], session, message, attempt: Number(attempt), at };
      return input === undefined ? event : { ...event, text: (JSON.parse(input) as { text: string }).text };
    });
}

/** Puts a message's id in the place of its number in the session ("#3"), which is all that some agents know of it. */
export function withIds(events: readonly TurnEvent[], stored: readonly StoredMessage[]): TurnEvent[] {
  const ids = new Map(stored.map(({ session, seq, id }) => [`${session} #${seq}`, id]));
  return events.map((event) => ({
    ...event,
    message: ids.get(`${event.session} ${event.message}`) ?? event.message,
  }));
}

export function parseLines<Line>(text: string): Line[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
}
