import type { Receipt, StoredMessage, TurnEvent } from '../record.js';

/** Writes down the record of one session for a test of the invariants: all went well, but for the changes. */
export class SessionRecord {
  constructor(readonly session: string) {}

  readonly message = (seq: number, changes: Partial<StoredMessage> = {}): StoredMessage => ({
    session: this.session,
    id: `id-${seq}`,
    seq,
    state: 'delivered',
    text: `message ${seq} of ${this.session}`,
    reply: `reply to id-${seq}`,
    error: null,
    attempts: 1,
    collectedIn: null,
    unknown: 0,
    ...changes,
  });

  readonly turn = (
    kind: TurnEvent['kind'],
    seq: number,
    changes: Partial<Pick<TurnEvent, 'attempt' | 'at' | 'text'>> = {},
  ): TurnEvent => ({ kind, session: this.session, message: `id-${seq}`, attempt: 1, at: 0, ...changes });

  readonly receipt = (
    seq: number,
    changes: Partial<Receipt> = {},
    collected: readonly number[] = [],
    reply: object = { metadata: {} },
  ): Receipt => ({
    key: `msg_${seq}`,
    body: JSON.stringify({
      type: 'message.replied',
      data: {
        id: `id-${seq}`,
        session: this.session,
        seq,
        ...(collected.length > 0 && {
          collected: collected.map((other) => ({ id: `id-${other}`, seq: other })),
        }),
        reply,
      },
    }),
    ...changes,
  });
}
