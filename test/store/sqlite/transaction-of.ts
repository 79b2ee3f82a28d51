import { migrate } from '../../../src/store/sqlite/file/migrate.js';
import { migrations } from '../../../src/store/sqlite/file/schema.js';
import { Statements } from '../../../src/store/sqlite/operations/statements.js';
import type { Transaction } from '../../../src/store/sqlite/operations/transaction.js';
import { readCounters } from '../../../src/store/sqlite/operations/transaction.js';
import Database from '../../support/sqlite.mjs';

/** A database in memory that has the schema, and nothing else. */
export function emptyDatabase(): Database.Database {
  const database = new Database(':memory:');
  migrate(database, migrations, () => {});
  return database;
}

/** Makes the tools of an operation, on a database that has the schema. The test writes the counters back. */
export function transactionOf(
  database: Database.Database,
  policy: Partial<Omit<Transaction, 'sql' | 'counters'>> = {},
): Transaction {
  const sql = new Statements(database);
  const counters = sql.get(readCounters);
  if (counters === undefined) throw new Error('The counters are missing.');
  return {
    sql,
    counters,
    now: 2_000,
    maxAttempts: 3,
    repeatable: true,
    notices: true,
    unknownPolicy: 'ask',
    ...policy,
  };
}
