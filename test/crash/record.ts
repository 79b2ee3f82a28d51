/** What was seen in a run, by everybody who saw something. */
export interface Record {
  /** Per session: messages that were answered 202; their numbers are 1, 2, 3, …, each text says which. */
  readonly accepted: Readonly<{ [session: string]: number }>;
  /** What the gateway has in the end, in the order of `seq` in each session. */
  readonly stored: readonly StoredMessage[];
  /** What the agent wrote down, in order. */
  readonly turns: readonly TurnEvent[];
  /** What the receiver took, in order. */
  readonly received: readonly Receipt[];
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
}

export interface TurnEvent {
  /** "overlap": another turn of the session was still running. */
  readonly kind: 'begin' | 'end' | 'overlap';
  readonly session: string;
  readonly message: string;
}

export interface Receipt {
  /** `webhook-id`. */
  readonly key: string;
  readonly body: string;
}

/** Reads the agent's file; its last line may be cut off. */
export function parseTurns(text: string): TurnEvent[] {
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => {
    const [kind, session, message] = line.split(' ');
    if ((kind !== 'begin' && kind !== 'end' && kind !== 'overlap') || !session || !message) {
      throw new Error(`The agent wrote a line that it should not: ${JSON.stringify(line)}`);
    }
    return { kind, session, message };
  });
}

export function parseLines<Line>(text: string): Line[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
}
