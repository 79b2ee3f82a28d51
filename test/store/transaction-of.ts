import type { Database } from 'better-sqlite3';
import { prepareStatements } from '../../src/store/sqlite/sql.js';
import type { Transaction } from '../../src/store/sqlite/transaction.js';

/** What an operation works with, on a database that has the schema; the counters are for the test to write back. */
export function transactionOf(
  database: Database,
  policy: Partial<Omit<Transaction, 'sql' | 'counters'>> = {},
): Transaction {
  const sql = prepareStatements(database);
  const counters = sql.counters.get();
  if (counters === undefined) throw new Error('The counters are missing.');
  return {
    sql,
    counters,
    recovering: false,
    maxAttempts: 3,
    repeatable: true,
    notices: true,
    unknownPolicy: 'ask',
    ...policy,
  };
}
