import { keptRuns, type RunRecord } from '../run-record.js';
import { idToBytes } from './identifiers.js';
import type { Transaction } from './transaction.js';

export function beginRun(transaction: Transaction, run: RunRecord): readonly RunRecord[] {
  const { sql } = transaction;
  sql.insertRun.run(idToBytes(run.id), JSON.stringify(run));
  sql.forgetRuns.run(keptRuns);
  return readRuns(transaction, keptRuns);
}

export function updateRun({ sql }: Transaction, run: RunRecord): void {
  sql.updateRun.run(JSON.stringify(run), idToBytes(run.id));
}

export function readRuns({ sql }: Transaction, limit: number): readonly RunRecord[] {
  return sql.runs
    .all(Math.max(0, Math.min(limit, keptRuns)))
    .map((record) => JSON.parse(record) as RunRecord);
}
