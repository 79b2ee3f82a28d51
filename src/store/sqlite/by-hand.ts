import type { CancelOutcome, DeadOutcome, Message, SessionCancelled } from '../store.js';
import { createDelivery } from './deliveries.js';
import { idToBytesOrNull, idToText } from './identifiers.js';
import { join, moveOn } from './lines.js';
import { readMessage } from './reads.js';
import type { PlaceRow } from './sql.js';
import type { Transaction } from './transaction.js';
import { finish } from './turns.js';

/** What people do with messages: cancel, try again, discard. */

export function cancelMessage(transaction: Transaction, id: string, now: number): CancelOutcome | null {
  const { sql, counters } = transaction;
  const place = placeOf(transaction, id);
  if (place === null) return null;
  const head = sql.head.get('turn', place.session);
  const isHead = head?.message === place.message;
  // A cancelled one that still is the head has not been released.
  const running = isHead && head.owner !== null;
  if (place.state === 'queued' || place.state === 'running') {
    counters[place.state] -= 1;
    counters.cancelled += 1;
    sql.setState.run('cancelled', place.error, now, place.message);
    if (place.state === 'queued' && isHead) finish(transaction, place);
    else if (place.state === 'queued') sql.addUnfinished.run(-1, place.session);
  } else if (place.state !== 'cancelled') {
    return { outcome: 'settled', message: messageOf(transaction, id) };
  }
  return { outcome: 'cancelled', message: messageOf(transaction, id), running };
}

/** @param reason for the record of each message; null: a person's wish */
export function cancelSession(
  transaction: Transaction,
  name: string,
  now: number,
  reason: string | null = null,
): SessionCancelled | null {
  const { sql, counters } = transaction;
  const session = sql.session.get(name)?.number;
  if (session === undefined) return null;
  const head = sql.placeOfHead.get(session);
  if (head === undefined) return { messages: [] };
  const queued = [
    ...sql.cancelRetried.all(reason, now, session),
    ...sql.cancelQueuedFrom.all(reason, now, session, head.seq),
  ];
  counters.queued -= queued.length;
  counters.cancelled += queued.length;
  sql.addUnfinished.run(-queued.length, session);
  const messages = queued.map(({ id, seq }) => ({ id: idToText(id), seq, running: false }));
  if (head.state === 'running') {
    counters.running -= 1;
    counters.cancelled += 1;
    sql.setState.run('cancelled', reason, now, head.message);
    messages.push({ id: idToText(head.id), seq: head.seq, running: true });
  } else if (head.state === 'queued') {
    moveOn(transaction, 'turn', session, undefined);
  }
  return { messages: messages.sort((a, b) => a.seq - b.seq) };
}

/**
 * A dead message goes on where it ended: its turn is run again, as the next one of its session, or its reply is sent
 * again under the same key.
 */
export function retryDead(transaction: Transaction, id: string, now: number): DeadOutcome | null {
  const { sql, counters } = transaction;
  const place = placeOf(transaction, id);
  if (place === null) return null;
  const answer = (outcome: DeadOutcome['outcome']): DeadOutcome => ({
    outcome,
    message: messageOf(transaction, id),
  });
  if (place.state !== 'dead') return answer('not-dead');
  const { message, session } = place;
  if (place.replied === 1) {
    sql.retryReply.run(now, now, message);
    postAgain(transaction, place);
    counters.replied += 1;
  } else {
    if (!withdrawNotice(transaction, place)) return answer('busy');
    sql.retryTurn.run(now, now, message);
    sql.addUnfinished.run(1, session);
    join(transaction, 'turn', session, { number: message, sender: place.sender });
    counters.queued += 1;
  }
  counters.dead -= 1;
  return answer('done');
}

export function discardDead(transaction: Transaction, id: string, now: number): DeadOutcome | null {
  const { sql, counters } = transaction;
  const place = placeOf(transaction, id);
  if (place === null) return null;
  if (place.state !== 'dead') return { outcome: 'not-dead', message: messageOf(transaction, id) };
  // A notice tells the reason and the time, and has one body over all its attempts: both stay while it may be posted.
  const told = place.delivery === 'pending';
  const reason = `Discarded when it was dead: ${place.error ?? 'no reason is known'}`;
  sql.setState.run('cancelled', told ? place.error : reason, told ? place.changed_at : now, place.message);
  counters.dead -= 1;
  counters.cancelled += 1;
  return { outcome: 'done', message: messageOf(transaction, id) };
}

/** A store that was recovered may have a reply without its delivery; in the line it would hold up all behind it. */
function postAgain(transaction: Transaction, place: PlaceRow): void {
  const { sql, counters } = transaction;
  if (place.delivery !== null) {
    sql.retryDelivery.run(place.message);
    join(transaction, 'delivery', place.session, { number: place.message, sender: null });
    counters.undelivered += 1;
  } else if (place.reply_url !== null) {
    createDelivery(transaction, place, 'reply');
  }
}

/** The message gets another chance, so its sender is not told that it is dead, unless that was done. False: just now. */
function withdrawNotice(transaction: Transaction, place: PlaceRow): boolean {
  const { sql, counters } = transaction;
  if (place.delivery === null) return true;
  const head = sql.head.get('delivery', place.session);
  const isHead = head?.message === place.message;
  if (isHead && head.owner !== null) return false;
  sql.deleteDelivery.run(place.message);
  if (place.delivery === 'pending') counters.undelivered -= 1;
  if (isHead) moveOn(transaction, 'delivery', place.session, sql.nextPending.get(place.session));
  return true;
}

function placeOf({ sql }: Transaction, id: string): PlaceRow | null {
  const bytes = idToBytesOrNull(id);
  return bytes === null ? null : (sql.place.get(bytes) ?? null);
}

function messageOf(transaction: Transaction, id: string): Message {
  const message = readMessage(transaction, id);
  if (message === null) throw new Error(`The message ${id} is gone within its own transaction.`);
  return message;
}
