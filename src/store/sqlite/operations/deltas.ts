import { checkLimit } from '../../pages.js';
import type { Delta, Deltas } from '../../turns.js';
import { idToBytesOrNull } from './columns.js';
import { sql, valueSql } from './statements.js';
import type { Transaction } from './transaction.js';

const lastPosition = valueSql<[message: number], number | null>(
  'SELECT position FROM deltas WHERE message = ? ORDER BY position DESC LIMIT 1',
);
const insertDelta = sql<[message: number, position: number, attempt: number, text: string]>(
  'INSERT INTO deltas (message, position, attempt, text) VALUES (?, ?, ?, ?)',
);
const deltasAfter = sql<[id: Buffer, after: number, limit: number], Delta>(
  `SELECT d.position, d.attempt, d.text FROM messages m JOIN deltas d ON d.message = m.number
   WHERE m.id = ? AND d.position > ? ORDER BY d.position LIMIT 0 + ?`,
);
const deleteDeltas = sql<[message: number]>("DELETE FROM deltas WHERE message = ? AND text <> ''");

/** The number of pieces, which is the position of the last one. */
export function countDeltas({ sql }: Transaction, message: number): number {
  return sql.get(lastPosition, message) ?? 0;
}

/** Adds what an attempt has written; gives the position of the last piece. */
export function addDeltas(
  transaction: Transaction,
  { message, attempts }: { readonly message: number; readonly attempts: number },
  texts: readonly string[],
): number {
  let position = countDeltas(transaction, message);
  for (const text of texts) {
    position += 1;
    transaction.sql.run(insertDelta, message, position, attempts, text);
  }
  return position;
}

export function readDeltas({ sql }: Transaction, id: string, after: number, limit: number): Deltas {
  const bytes = idToBytesOrNull(id);
  if (bytes === null) return { items: [], more: false };
  const rows = sql.all(deltasAfter, bytes, after, checkLimit(limit) + 1);
  return { items: rows.slice(0, limit), more: rows.length > limit };
}

/** Keeps the empty ones, which tell a late reader that what it has read is void. */
export function forgetDeltas({ sql }: Transaction, message: number): void {
  sql.run(deleteDeltas, message);
}
