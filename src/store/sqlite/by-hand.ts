import type { CancelOutcome, DeadOutcome, Message, SessionCancelled } from '../store.js';
import { createDelivery } from './deliveries.js';
import { idToBytesOrNull, idToText } from './identifiers.js';
import { join, moveOn } from './lines.js';
import { readMessage } from './reads.js';
import type { PlaceRow, Statements } from './sql.js';
import type { Transaction } from './transaction.js';
import { finish } from './turns.js';

/** What people do with messages: cancel, try again, discard. */

export function cancelMessage(transaction: Transaction, id: string): CancelOutcome | null {
  const { sql, counters, now } = transaction;
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
  reason: string | null = null,
): SessionCancelled | null {
  const { sql, counters, now } = transaction;
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
export function retryDead(transaction: Transaction, id: string): DeadOutcome | null {
  const { sql, counters, now } = transaction;
  const place = placeOf(transaction, id);
  if (place === null) return null;
  const answer = (outcome: DeadOutcome['outcome']) => answered(transaction, id, outcome);
  if (place.state !== 'dead') return answer('not-dead');
  const { message, session } = place;
  if (place.replied === 1) {
    sql.retryReply.run(now, now, message);
    postAgain(transaction, place);
    counters.replied += 1;
  } else {
    // It gets another chance, so its sender is not told that it is dead, unless that was done.
    if (!withdraw(transaction, place, sql.deleteDelivery)) return answer('busy');
    sql.retryTurn.run(now, now, message);
    sql.addUnfinished.run(1, session);
    join(transaction, 'turn', session, { number: message, sender: place.sender });
    counters.queued += 1;
  }
  counters.dead -= 1;
  return answer('done');
}

/** A message that is dead, or whose reply waits to be posted, ends as cancelled. Twice is the same as once. */
export function discardMessage(transaction: Transaction, id: string): DeadOutcome | null {
  const { sql, counters, now } = transaction;
  const place = placeOf(transaction, id);
  if (place === null) return null;
  const answer = (outcome: DeadOutcome['outcome']) => answered(transaction, id, outcome);
  const end = (reason: string | null, at = now) => {
    sql.setState.run('cancelled', reason, at, place.message);
    counters.cancelled += 1;
    return answer('done');
  };
  if (place.state === 'cancelled') return answer('done');
  if (place.state === 'dead') {
    counters.dead -= 1;
    // A notice has one more attempt at most (failDelivery), so that it holds up nothing for longer either.
    sql.endWait.run(now, 'delivery', place.session, place.message, now);
    // It tells the reason and the time, and has one body over all its attempts: both stay while it may be posted.
    if (place.delivery === 'pending') return end(place.error, place.changed_at);
    return end(`Discarded when it was dead: ${place.error ?? 'no reason is known'}`);
  }
  if (place.state !== 'replied' || place.delivery !== 'pending') return answer('not-dead');
  if (!withdraw(transaction, place, sql.giveUpDelivery)) return answer('busy');
  counters.replied -= 1;
  const { delivery_error: error } = place;
  return end(`Discarded before its reply was delivered${error === null ? '.' : `: ${error}`}`);
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

/** Ends a delivery that is not to be made any more. False: it is under way. */
function withdraw(
  transaction: Transaction,
  place: PlaceRow,
  end: Statements['deleteDelivery' | 'giveUpDelivery'],
): boolean {
  const { sql, counters } = transaction;
  if (place.delivery === null) return true;
  const head = sql.head.get('delivery', place.session);
  const isHead = head?.message === place.message;
  if (isHead && head.owner !== null) return false;
  end.run(place.message);
  if (place.delivery === 'pending') counters.undelivered -= 1;
  if (isHead) moveOn(transaction, 'delivery', place.session, sql.nextPending.get(place.session));
  return true;
}

function placeOf({ sql }: Transaction, id: string): PlaceRow | null {
  const bytes = idToBytesOrNull(id);
  return bytes === null ? null : (sql.place.get(bytes) ?? null);
}

function answered(transaction: Transaction, id: string, outcome: DeadOutcome['outcome']): DeadOutcome {
  return { outcome, message: messageOf(transaction, id) };
}

function messageOf(transaction: Transaction, id: string): Message {
  const message = readMessage(transaction, id);
  if (message === null) throw new Error(`The message ${id} is gone within its own transaction.`);
  return message;
}
