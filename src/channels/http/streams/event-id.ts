import type { Message } from '../../../store/messages.js';
import type { Store } from '../../../store/store.js';

/** The id of an event, as a client sends it back (`Last-Event-ID`). */
export interface EventId {
  readonly seq: number;
  /** Digits from the message's own id; null: a number without them, as a person writes it. */
  readonly mark: string | null;
}

/** A message's seq, then its mark: `8`, `8.482917`. */
export const eventIdForm = /^(\d{1,15})(?:\.(\d{1,6}))?$/;

/** Throws a RangeError for a text of another form. */
export function parseEventId(text: string): EventId {
  const match = eventIdForm.exec(text);
  if (match === null) throw new RangeError(`${JSON.stringify(text)} is not the id of an event.`);
  return { seq: Number(match[1]), mark: match[2] ?? null };
}

/**
 * Six digits of the message's id, whose end is random (RFC 9562, section 5.7). The last is no 0, so that a client which
 * keeps the id as a number gives it back unchanged.
 */
function markOf(messageId: string): string {
  const random = Number.parseInt(messageId.slice(-8), 16);
  return `${String(random % 100_000).padStart(5, '0')}${1 + (random % 9)}`;
}

export function eventIdOf({ seq, id }: Pick<Message, 'seq' | 'id'>): string {
  return `${seq}.${markOf(id)}`;
}

/** True if the client has seen another message with that number: one that a restore has taken away. */
export function isOfAnother({ mark }: EventId, message: Pick<Message, 'id'> | null): boolean {
  return mark !== null && message !== null && mark !== markOf(message.id);
}

/**
 * The message of a session with that number; null if there is none, or none any more. A stream keeps it for as long as it is
 * open, so that it has no text.
 */
export async function messageAt(
  store: Pick<Store, 'settledMessages' | 'message'>,
  session: string,
  seq: number,
): Promise<Pick<Message, 'seq' | 'id'> | null> {
  if (seq === 0) return null;
  const { items, next } = await store.settledMessages(session, seq - 1, 1);
  const found = items[0] ?? (next === null ? null : await store.message(next.id));
  return found?.seq === seq ? { seq, id: found.id } : null;
}
