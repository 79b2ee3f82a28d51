import { copiedStart } from '../../text/copied-start.js';
import type { RoomEvent } from './event-schema.js';
import { type Relations, relationsOf } from './relations.js';

/** Characters of its text that a message which answers it shows, at most. */
export const longestQuote = 200;

/** The part of an event that messages which answer or edit it need. It is remembered, so that each has a bound. */
export interface EarlierEvent {
  readonly id: string;
  readonly type: string;
  readonly sender: string;
  /** Milliseconds since the Unix epoch, by the clock of the sender's server. */
  readonly at: number;
  readonly relations: Relations;
  /** The beginning of its text, with an ellipsis if there is more; null: it has none. */
  readonly beginning: string | null;
}

const longestType = 255;

export function earlierEventOf({
  type,
  event_id: id,
  sender,
  origin_server_ts: at,
  content,
}: RoomEvent): EarlierEvent {
  const { body } = content;
  const isCut = typeof body === 'string' && body.length > longestQuote;
  const beginning = typeof body === 'string' ? `${copiedStart(body, longestQuote)}${isCut ? '…' : ''}` : null;
  return {
    id,
    type: copiedStart(type, longestType),
    sender,
    at,
    relations: relationsOf(content),
    beginning: beginning === '' ? null : beginning,
  };
}
