import { unknownSetting } from '../../deliveries.js';
import { webhookIdOf } from '../../ids.js';
import type { MessageState } from '../../messages.js';
import { idToText } from '../operations/columns.js';
import type { MessageRow, ReplyRow, StoredDeliveryRow } from './archived-rows.js';

/**
 * A message whose parts agree. Pages of a damaged database may be of different times, and a turn could not end where a
 * reply or a notice is there already, nor a delivery of a message that has had its end. What came later counts.
 */
export function reconcile(
  { state, changed_at }: Pick<MessageRow, 'state' | 'changed_at'>,
  reply: ReplyRow | null,
  delivery: StoredDeliveryRow | null,
): { readonly state: MessageState; readonly delivery: StoredDeliveryRow | null } {
  if (reply === null) {
    // A message that was answered, and whose reply is gone, can only be run again.
    if (isAnswered(state, delivery)) return { state: 'queued', delivery: null };
    const tells = (state === 'dead' || state === 'cancelled') && delivery?.notice === 1;
    return { state, delivery: tells ? delivery : null };
  }
  const own = delivery?.notice === 0 ? delivery : null;
  if (state === 'cancelled') return { state, delivery: own?.state === 'pending' ? ended(own, 'dead') : own };
  if (state === 'delivered' || own?.state === 'delivered') {
    return { state: 'delivered', delivery: ended(own, 'delivered', changed_at) };
  }
  if (state === 'dead' || own?.state === 'dead') return { state: 'dead', delivery: ended(own, 'dead') };
  return { state: 'replied', delivery: own };
}

function isAnswered(state: MessageState, delivery: StoredDeliveryRow | null): boolean {
  return state === 'replied' || state === 'delivered' || (state === 'dead' && delivery?.notice === 0);
}

function ended(
  row: StoredDeliveryRow | null,
  state: 'delivered' | 'dead',
  at: number | null = null,
): StoredDeliveryRow | null {
  if (row === null || row.state === state) return row;
  return { ...row, state, delivered_at: at, begun_at: null };
}

/** A delivery in the place of one that can't be read. */
export interface RemadeDelivery {
  readonly row: StoredDeliveryRow;
  /** The fate of the reply. */
  readonly outlook: string;
}

/**
 * Makes deliveries anew for replies whose own can't be read: without one nothing would ever post them. Of a session only
 * the first that waits can have begun (lines.ts); so where a second post of it would be taken for another message, its
 * attempt is given as one that was cut off, and the next start settles that (unknown-delivery.ts).
 */
export class SalvagedDeliveries {
  readonly #rows: ReadonlyMap<number, StoredDeliveryRow>;
  /** Sessions in which another one is before all that are still to come. */
  readonly #taken = new Set<number>();

  constructor(rows: ReadonlyMap<number, StoredDeliveryRow>, messages: readonly MessageRow[]) {
    this.#rows = rows;
    for (const { number, session } of messages) {
      const row = rows.get(number);
      if (row?.state === 'pending' && row.begun_at !== null) this.#taken.add(session);
    }
  }

  /** To be asked in the order of the messages. */
  read(message: MessageRow): StoredDeliveryRow | null {
    const row = this.#rows.get(message.number) ?? null;
    // One that was tried again may have come in before another that had begun.
    if (row?.state === 'pending' && message.retried_at === null) this.#taken.add(message.session);
    return row;
  }

  /** For a message that has a reply, and no delivery that can be read; null: it is to have none. */
  remake(message: MessageRow): RemadeDelivery | null {
    const { number, id, state, session, reply_channel, reply_address, reply_idempotent, reply_unknown } =
      message;
    if (reply_address === null || (state !== 'replied' && state !== 'dead')) return null;
    const row: StoredDeliveryRow = {
      message: number,
      webhook_id: webhookIdOf(idToText(id)),
      state: state === 'dead' ? 'dead' : 'pending',
      attempts: 0,
      delivered_at: null,
      last_error: null,
      unknown: 0,
      begun_at: null,
      notice: 0,
    };
    if (state === 'dead') return { row, outlook: 'it is dead as before' };
    const isFirst = !this.#taken.has(session);
    this.#taken.add(session);
    if (isFirst && reply_idempotent === 0) {
      return {
        row: { ...row, attempts: 1, begun_at: message.changed_at },
        outlook: `whether it arrived is unknown, and the next start does what ${unknownSetting(reply_channel, reply_unknown)} says`,
      };
    }
    return {
      row,
      outlook: isFirst
        ? 'the reply is posted, perhaps once more, under the same webhook-id'
        : 'the reply waits to be posted, under the same webhook-id',
    };
  }
}
