import type { MessageState, SessionDeletion } from '../../messages.js';
import { cancelSession } from './by-hand.js';
import { passOver } from './deliveries.js';
import { head } from './queue.js';
import { forgetAgentSessions } from './records.js';
import { sessionNamed } from './sessions.js';
import { sql, valueSql } from './statements.js';
import type { Transaction } from './transaction.js';

interface OldestRow {
  readonly number: number;
  readonly state: MessageState;
  /** The delivery's state; null if there is none. */
  readonly delivery: 'pending' | 'delivered' | 'dead' | null;
}

const heldHeads = valueSql<[session: number], number>(
  "SELECT count(*) FROM heads WHERE line IN ('turn', 'delivery') AND session = ? AND owner IS NOT NULL",
);
const oldestOf = sql<[session: number, limit: number], OldestRow>(
  `SELECT m.number, m.state, d.state AS delivery
   FROM messages m LEFT JOIN deliveries d ON d.message = m.number
   WHERE m.session = ? ORDER BY m.seq LIMIT 0 + ?`,
);
const deleteDelivery = sql<[message: number]>('DELETE FROM deliveries WHERE message = ?');
const deleteMessage = sql<[message: number]>('DELETE FROM messages WHERE number = ?');
const deleteSessionRow = sql<[session: number]>('DELETE FROM sessions WHERE number = ?');

/** Deletes up to `limit` messages of a session, the oldest first, and with the last of them the session. */
export function deleteSession(transaction: Transaction, name: string, limit: number): SessionDeletion | null {
  const { sql, counters } = transaction;
  const session = sessionNamed(transaction, name)?.number;
  if (session === undefined) return null;
  if ((sql.get(heldHeads, session) ?? 0) > 0) return 'busy';
  // Between two steps nothing of it may run, nor wait for a turn that never comes.
  cancelSession(transaction, name);
  const rows = sql.all(oldestOf, session, limit);
  // A message that is part of another's turn comes before that one.
  for (const { number, state, delivery } of rows) {
    if (delivery === 'pending') {
      sql.run(deleteDelivery, number);
      counters.undelivered -= 1;
      if (head(transaction, 'delivery', session)?.message === number) passOver(transaction, session);
    }
    sql.run(deleteMessage, number);
    counters[state] -= 1;
  }
  if (rows.length === limit) return 'more';
  forgetAgentSessions(transaction, name);
  sql.run(deleteSessionRow, session);
  counters.sessions -= 1;
  return 'deleted';
}
