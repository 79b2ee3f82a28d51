import type { Recovery } from '../../open-store.js';
import { keptRuns, type RunRecord } from '../../open-store.js';
import { idToBytes } from './columns.js';
import { expiredDeliveries, reclaimDeliveries } from './deliveries.js';
import { releaseAllLeases } from './leases.js';
import { endWaitsOfClockAhead } from './queue.js';
import { sql, valueSql } from './statements.js';
import type { Transaction } from './transaction.js';
import { expiredTurns, reclaimTurns } from './turns.js';

const insertRun = sql<[id: Buffer, record: string]>('INSERT INTO runs (id, record) VALUES (?, ?)');
const changeRun = sql<[record: string, id: Buffer]>('UPDATE runs SET record = ? WHERE id = ?');
const forgetRuns = sql<[kept: number]>('DELETE FROM runs WHERE number <= (SELECT max(number) FROM runs) - ?');
// No more than the newest so many by their numbers, which have no gaps but at the old end.
const newestRuns = valueSql<[newest: number], string>(
  'SELECT record FROM runs WHERE number > (SELECT max(number) FROM runs) - ? ORDER BY number DESC',
);

export function beginRun(transaction: Transaction, run: RunRecord): readonly RunRecord[] {
  const { sql } = transaction;
  sql.run(insertRun, idToBytes(run.id), JSON.stringify(run));
  sql.run(forgetRuns, keptRuns);
  return readRuns(transaction, keptRuns);
}

export function updateRun({ sql }: Transaction, run: RunRecord): void {
  sql.run(changeRun, JSON.stringify(run), idToBytes(run.id));
}

export function readRuns({ sql }: Transaction, limit: number): readonly RunRecord[] {
  return sql
    .all(newestRuns, Math.max(0, Math.min(limit, keptRuns)))
    .map((record) => JSON.parse(record) as RunRecord);
}

const unlimited = Number.MAX_SAFE_INTEGER;

/**
 * Takes back what owners held that are gone. Only at open: this database belongs to one gateway at a time (a lock beside
 * the database sees to that), so these are all, and no lease has to run out first.
 */
export function recover(
  transaction: Transaction,
  { isOwnFault }: { readonly isOwnFault: boolean },
): Recovery {
  const { sql } = transaction;
  endWaitsOfClockAhead(transaction);
  releaseAllLeases(transaction);
  const held = sql.all(expiredTurns, unlimited, '', -1);
  const turns = reclaimTurns(transaction, held, { alone: held.length === 1, isOwnFault });
  const deliveries = reclaimDeliveries(transaction, sql.all(expiredDeliveries, unlimited, '', -1));
  return {
    resumedTurns: turns.resumed,
    deadTurns: turns.dead,
    resumedDeliveries: deliveries.resumed,
    unknownDeliveries: { resent: deliveries.resent, setAside: deliveries.setAside },
  };
}
