import type { MessageState } from '../../messages.js';
import { decideForgetting, type ForgettingRound } from '../../rules/forgetting.js';
import { head } from './queue.js';
import { sql } from './statements.js';
import type { Transaction } from './transaction.js';

export interface ForgetRequest extends Omit<ForgettingRound, 'now'> {
  /** Number of the message behind which to go on; 0 to begin with. */
  readonly after: number;
  /** Messages looked at, at most, and forgotten, but for the rest of a turn: while it goes on nobody else is served. */
  readonly limit: number;
}

export interface Forgotten {
  readonly count: number;
  /** Dead ones among them that nobody had retried or discarded. */
  readonly dead: number;
  /** The number to go on after; null: there is nothing more. */
  readonly after: number | null;
}

interface OldMessageRow {
  readonly number: number;
  readonly session: number;
  readonly state: MessageState;
  /** The message whose turn it is part of; null: it has its own, or that message is not there. */
  readonly turn: number | null;
  readonly accepted_at: number;
  readonly changed_at: number;
  readonly delivery: 'pending' | 'delivered' | 'dead' | null;
}

const oldestMessages = sql<[after: number, limit: number], OldMessageRow>(
  `SELECT m.number, m.session, m.state, c.number AS turn, m.accepted_at, m.changed_at, d.state AS delivery
   FROM messages m
   LEFT JOIN messages c ON c.number = m.collected_in
   LEFT JOIN deliveries d ON d.message = m.number
   WHERE m.number > ? ORDER BY m.number LIMIT 0 + ?`,
);
const deleteMessage = sql<[message: number]>('DELETE FROM messages WHERE number = ?');
const deleteCollectedIn = sql<[message: number]>(
  'DELETE FROM messages INDEXED BY messages_collected WHERE collected_in = ? AND collected_in IS NOT NULL',
);

/** Deletes messages of one step of a round. Sessions stay, so that their numbers never begin again. */
export function forget(transaction: Transaction, request: ForgetRequest): Forgotten {
  const { sql, counters, now } = transaction;
  const { after, limit } = request;
  let count = 0;
  let dead = 0;
  let last = after;
  const rows = sql.all(oldestMessages, after, limit);
  for (const row of rows) {
    if (count >= limit) return { count, dead, after: last };
    const decision = decideForgetting(factsOf(transaction, row), { ...request, now });
    if (decision === 'end') return { count, dead, after: null };
    last = row.number;
    if (decision === 'pass') continue;
    const { changes: collected } = sql.run(deleteCollectedIn, row.number);
    sql.run(deleteMessage, row.number);
    counters.collected -= collected;
    counters[row.state] -= 1;
    count += 1 + collected;
    if (row.state === 'dead') dead += 1;
  }
  return { count, dead, after: rows.length < limit ? null : last };
}

function factsOf(transaction: Transaction, row: OldMessageRow) {
  return {
    state: row.state,
    acceptedAt: row.accepted_at,
    changedAt: row.changed_at,
    isPart: row.turn !== null,
    isToBeDelivered: row.delivery === 'pending',
    // Looked up only for what is old enough.
    get isUnderWay() {
      return head(transaction, 'turn', row.session)?.message === row.number;
    },
  };
}
