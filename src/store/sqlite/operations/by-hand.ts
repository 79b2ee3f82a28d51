import type { CancelOutcome, DeadOutcome, Message, MessageState, SessionCancelled } from '../../messages.js';
import {
  decideCancel,
  decideDiscard,
  decideRetry,
  type HandledMessage,
} from '../../rules/operator-actions.js';
import { idToBytesOrNull, idToText } from './columns.js';
import { createDelivery, passOver } from './deliveries.js';
import { forgetDeltas } from './deltas.js';
import { advance, endWait, enqueue, headMessage, placeIn } from './queue.js';
import { readMessage } from './reads.js';
import { addUnfinished, sessionNamed } from './sessions.js';
import { sql } from './statements.js';
import { countMove, type Transaction } from './transaction.js';
import { nextOf } from './turns.js';

/** Cancels, retries and discards: a person asks for them. */

interface HandledRow {
  readonly id: Buffer;
  readonly message: number;
  readonly session: number;
  readonly seq: number;
  readonly state: MessageState;
  readonly error: string | null;
  readonly changed_at: number;
  readonly sender: string | null;
  readonly reply_address: string | null;
  readonly replied: 0 | 1;
  /** The delivery's state; null if there is none. */
  readonly delivery: 'pending' | 'delivered' | 'dead' | null;
  readonly delivery_error: string | null;
}

interface CancelledRow {
  readonly id: Buffer;
  readonly seq: number;
}

const handledMessage = sql<[id: Buffer], HandledRow>(
  `SELECT m.id, m.number AS message, m.session, m.seq, m.state, m.error, m.changed_at, m.sender, m.reply_address,
     r.message IS NOT NULL AS replied, d.state AS delivery, d.last_error AS delivery_error
   FROM messages m
   LEFT JOIN replies r ON r.message = m.number
   LEFT JOIN deliveries d ON d.message = m.number
   WHERE m.id = ?`,
);
const setCancelled = sql<[error: string | null, changedAt: number, message: number]>(
  "UPDATE messages SET state = 'cancelled', error = ?, changed_at = ?, waiting_for = NULL WHERE number = ?",
);
const cancelQueuedFrom = sql<[error: string | null, now: number, session: number, seq: number], CancelledRow>(
  `UPDATE messages INDEXED BY messages_queued SET state = 'cancelled', error = coalesce(?, error), changed_at = ?
   WHERE session = ? AND seq >= ? AND state = 'queued' RETURNING id, seq`,
);
const cancelRetried = sql<[error: string | null, now: number, session: number], CancelledRow>(
  `UPDATE messages INDEXED BY messages_retried SET state = 'cancelled', error = coalesce(?, error), changed_at = ?
   WHERE session = ? AND retried_at IS NOT NULL AND state = 'queued' RETURNING id, seq`,
);
const retryTurn = sql<[now: number, now: number, message: number]>(
  `UPDATE messages SET state = 'queued', attempts = 0, crashes = 0, put_backs = 0, begun = 1, error = NULL,
     retried_at = ?, changed_at = ?
   WHERE number = ?`,
);
const retryReply = sql<[now: number, now: number, message: number]>(
  `UPDATE messages SET state = 'replied', error = NULL, retried_at = ?, changed_at = ? WHERE number = ?`,
);
const retryDelivery = sql<[message: number]>(
  "UPDATE deliveries SET state = 'pending', attempts = 0, begun_at = NULL WHERE message = ?",
);
const deleteParts = sql<[message: number]>('DELETE FROM delivery_parts WHERE message = ?');
const deleteDelivery = sql<[message: number]>('DELETE FROM deliveries WHERE message = ?');
const giveUpDelivery = sql<[message: number]>(
  "UPDATE deliveries SET state = 'dead', begun_at = NULL WHERE message = ?",
);

export function cancelMessage(transaction: Transaction, id: string): CancelOutcome | null {
  const { sql, now } = transaction;
  const row = handled(transaction, id);
  if (row === null) return null;
  const decision = decideCancel(row, placeIn(transaction, 'turn', row));
  if (decision.outcome === 'settled') return { outcome: 'settled', message: messageOf(transaction, id) };
  if (decision.changes) {
    countMove(transaction, row.state, 'cancelled');
    sql.run(setCancelled, row.error, now, row.message);
    forgetDeltas(transaction, row.message);
  }
  if (decision.session !== 'stay') addUnfinished(transaction, row.session, -1);
  if (decision.session === 'next') advance(transaction, 'turn', row.session, nextOf(transaction, row));
  return { outcome: 'cancelled', message: messageOf(transaction, id), running: decision.running };
}

/** @param reason for the record of each message; null: a person's wish */
export function cancelSession(
  transaction: Transaction,
  name: string,
  reason: string | null = null,
): SessionCancelled | null {
  const { sql, now } = transaction;
  const session = sessionNamed(transaction, name)?.number;
  if (session === undefined) return null;
  const first = headMessage(transaction, session);
  if (first === undefined) return { messages: [] };
  const queued = [
    ...sql.all(cancelRetried, reason, now, session),
    ...sql.all(cancelQueuedFrom, reason, now, session, first.seq),
  ];
  countMove(transaction, 'queued', 'cancelled', queued.length);
  addUnfinished(transaction, session, -queued.length);
  const messages = queued.map(({ id, seq }) => ({ id: idToText(id), seq, running: false }));
  if (first.state === 'running') {
    countMove(transaction, 'running', 'cancelled');
    sql.run(setCancelled, reason, now, first.message);
    forgetDeltas(transaction, first.message);
    messages.push({ id: idToText(first.id), seq: first.seq, running: true });
  } else if (first.state === 'queued') {
    advance(transaction, 'turn', session, undefined);
  }
  return { messages: messages.sort((a, b) => a.seq - b.seq) };
}

/**
 * A dead message goes on where it ended: its turn is run again, as the next one of its session, or its reply is sent
 * again under the same key.
 */
export function retryDead(transaction: Transaction, id: string): DeadOutcome | null {
  const row = handled(transaction, id);
  if (row === null) return null;
  const place = placeIn(transaction, 'delivery', row);
  const decision = decideRetry(factsOf(row), place);
  if (decision.outcome === 'done') {
    if (decision.again === 'turn') runAgain(transaction, row, place === 'head');
    else sendAgain(transaction, row, decision.delivery);
  }
  return { outcome: decision.outcome, message: messageOf(transaction, id) };
}

/** A message that is dead, or whose reply waits to be posted, ends as cancelled. Twice is the same as once. */
export function discardMessage(transaction: Transaction, id: string): DeadOutcome | null {
  const { sql, now } = transaction;
  const row = handled(transaction, id);
  if (row === null) return null;
  const place = placeIn(transaction, 'delivery', row);
  const decision = decideDiscard(factsOf(row), place);
  if (decision.outcome === 'done') {
    if (decision.delivery === 'hurry') endWait(transaction, 'delivery', row.session, row.message);
    if (decision.delivery === 'give-up') withdraw(transaction, row, giveUpDelivery, place === 'head');
    if (decision.message !== null) {
      const { error, changedAt } = decision.message;
      sql.run(setCancelled, error, changedAt ?? now, row.message);
      countMove(transaction, row.state, 'cancelled');
    }
  }
  return { outcome: decision.outcome, message: messageOf(transaction, id) };
}

function factsOf(row: HandledRow): HandledMessage {
  return {
    state: row.state,
    error: row.error,
    changedAt: row.changed_at,
    hasTarget: row.reply_address !== null,
    isReplied: row.replied === 1,
    delivery: row.delivery,
    deliveryError: row.delivery_error,
  };
}

function runAgain(transaction: Transaction, row: HandledRow, noticeIsHead: boolean): void {
  const { sql, now } = transaction;
  withdraw(transaction, row, deleteDelivery, noticeIsHead);
  // The parts of its notice are not parts of the reply that may still come.
  sql.run(deleteParts, row.message);
  sql.run(retryTurn, now, now, row.message);
  addUnfinished(transaction, row.session, 1);
  enqueue(transaction, 'turn', row.session, { number: row.message, sender: row.sender });
  countMove(transaction, 'dead', 'queued');
}

function sendAgain(transaction: Transaction, row: HandledRow, by: 'again' | 'new' | 'none'): void {
  const { sql, counters, now } = transaction;
  sql.run(retryReply, now, now, row.message);
  countMove(transaction, 'dead', 'replied');
  if (by === 'new') createDelivery(transaction, row, 'reply');
  if (by !== 'again') return;
  sql.run(retryDelivery, row.message);
  enqueue(transaction, 'delivery', row.session, { number: row.message, sender: null });
  counters.undelivered += 1;
}

/** Ends a delivery that is not to be made any more, and is not under way. */
function withdraw(
  transaction: Transaction,
  row: HandledRow,
  end: typeof deleteDelivery | typeof giveUpDelivery,
  isHead: boolean,
): void {
  if (row.delivery === null) return;
  transaction.sql.run(end, row.message);
  if (row.delivery === 'pending') transaction.counters.undelivered -= 1;
  if (isHead) passOver(transaction, row.session);
}

function handled({ sql }: Transaction, id: string): HandledRow | null {
  const bytes = idToBytesOrNull(id);
  return bytes === null ? null : (sql.get(handledMessage, bytes) ?? null);
}

function messageOf(transaction: Transaction, id: string): Message {
  const message = readMessage(transaction, id);
  if (message === null) throw new Error(`The message ${id} is gone within its own transaction.`);
  return message;
}
