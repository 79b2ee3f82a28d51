import type { MessageState } from '../../messages.js';
import type { DeliveryRow, MessageRow, ReplyRow } from './archive-read.js';

/**
 * A message whose parts agree. Pages of a damaged database may be of different times, and a turn could not end where a
 * reply or a notice is there already, nor a delivery of a message that has had its end. What came later counts.
 */
export function reconcile(
  { state, changed_at }: Pick<MessageRow, 'state' | 'changed_at'>,
  reply: ReplyRow | null,
  delivery: DeliveryRow | null,
): { readonly state: MessageState; readonly delivery: DeliveryRow | null } {
  if (reply === null) {
    // What was answered, and whose reply is gone, can only be run again.
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

function isAnswered(state: MessageState, delivery: DeliveryRow | null): boolean {
  return state === 'replied' || state === 'delivered' || (state === 'dead' && delivery?.notice === 0);
}

function ended(
  row: DeliveryRow | null,
  state: 'delivered' | 'dead',
  at: number | null = null,
): DeliveryRow | null {
  if (row === null || row.state === state) return row;
  return { ...row, state, delivered_at: at, begun_at: null };
}
