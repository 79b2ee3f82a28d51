import type { TurnWait } from '../../messages.js';
import type { TurnHold } from '../../turns.js';
import { addDeltas } from './deltas.js';
import { sql } from './statements.js';
import type { Transaction } from './transaction.js';
import { heldBy, type TurnRow } from './turns.js';

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
