import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

const size = 16;
/**
 * Random bytes are asked for many ids at a time: a system call for each costs as much as all the rest of an id.
 */
const pool = new Uint8Array(size * 256);
let used = pool.length;

/** A UUID, version 7 (RFC 9562, section 5.7): in the order of time, but for those of one millisecond. */
export function newId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const random = pool.slice(used, used + size);
  used += size;
  return v7({ random });
}

/** Ids that follow from a message's: the same wherever it is kept. */

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** True for a UUID (RFC 9562) in its text form. */
export function isMessageId(id: string): boolean {
  return uuid.test(id);
}

/** One message makes one turn, so the turn's id, the same over all attempts, follows from the message's. */
export function turnIdOf(messageId: string): string {
  return `turn_${messageId.replaceAll('-', '')}`;
}

/** The `webhook-id` of a message's reply, in the form that Standard Webhooks suggests. */
export function webhookIdOf(messageId: string): string {
  return `msg_${messageId.replaceAll('-', '')}`;
}

/**
 * The `webhook-id` of the notice that a message is dead. It differs from the reply's, which may still follow when
 * somebody has the message tried again. A second notice after that has another id than the first.
 */
export function noticeIdOf(messageId: string, retriedAt: number | null): string {
  return `${webhookIdOf(messageId)}_failed${retriedAt === null ? '' : `_${retriedAt}`}`;
}
