import type { TurnWait } from '../../messages.js';
import { checkLimit } from '../../pages.js';
import type { Delta, Deltas, TurnHold } from '../../turns.js';
import { idToBytesOrNull } from './columns.js';
import { sql, valueSql } from './statements.js';
import type { Transaction } from './transaction.js';
import { heldBy, type TurnRow } from './turns.js';

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
const deleteDeltas = sql<[message: number]>('DELETE FROM deltas WHERE message = ?');

/** Adds what an attempt has written; gives the position of the last piece. */
export function addDeltas(
  { sql }: Transaction,
  { message, attempts }: { readonly message: number; readonly attempts: number },
  texts: readonly string[],
): number {
  let position = sql.get(lastPosition, message) ?? 0;
  for (const text of texts) {
    position += 1;
    sql.run(insertDelta, message, position, attempts, text);
  }
  return position;
}

export function readDeltas({ sql }: Transaction, id: string, after: number, limit: number): Deltas {
  const bytes = idToBytesOrNull(id);
  if (bytes === null) return { items: [], more: false };
  const rows = sql.all(deltasAfter, bytes, after, checkLimit(limit) + 1);
  return { items: rows.slice(0, limit), more: rows.length > limit };
}

export function forgetDeltas({ sql }: Transaction, message: number): void {
  sql.run(deleteDeltas, message);
}

/** Notes on a turn while it runs. */

const changeWait = sql<[wait: TurnWait | null, message: number]>(
  'UPDATE messages SET waiting_for = ? WHERE number = ?',
);

export function setTurnWait(transaction: Transaction, turn: TurnHold, wait: TurnWait | null): boolean {
  const row = runningBy(transaction, turn);
  if (row !== null) transaction.sql.run(changeWait, wait, row.message);
  return row !== null;
}

export function appendDeltas(
  transaction: Transaction,
  turn: TurnHold,
  texts: readonly string[],
): number | null {
  const row = runningBy(transaction, turn);
  return row === null ? null : addDeltas(transaction, row, texts);
}

/** The running turn; null if the claim was lost, or the message was cancelled. */
function runningBy(transaction: Transaction, turn: TurnHold): TurnRow | null {
  const row = heldBy(transaction, turn);
  return row?.state === 'running' ? row : null;
}
