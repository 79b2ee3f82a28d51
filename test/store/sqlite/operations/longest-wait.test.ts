import { expect, test } from 'vitest';
import { readLongestWaitMs } from '../../../../src/store/sqlite/operations/longest-wait.js';
import type { Sql } from '../../../../src/store/sqlite/operations/statements.js';
import type { Transaction } from '../../../../src/store/sqlite/operations/transaction.js';
import { openStore } from '../../../gateway/dispatch/fixture.js';
import { acceptOne, claim } from '../../samples.js';
import { emptyDatabase, transactionOf } from '../transaction-of.js';

/** Counts the rows that statements give. None of them passes over rows that it does not give (plans.test.ts). */
function counting(transaction: Transaction): { readonly transaction: Transaction; rows: number } {
  const counted = {
    rows: 0,
    transaction: {
      ...transaction,
      sql: Object.assign(Object.create(transaction.sql), {
        all: (statement: Sql<[], unknown>) => {
          const rows = transaction.sql.all(statement);
          counted.rows += rows.length;
          return rows;
        },
      }),
    },
  };
  return counted;
}

test('with 100,000 messages that wait and as many that are done, it reads 300 rows', () => {
  const database = emptyDatabase();
  database.exec(`
    INSERT INTO sessions (number, name, last_seq, unfinished, last_accepted_at)
      WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
      SELECT i, 's' || i, 2, 1, 0 FROM n;
    INSERT INTO messages (number, id, session, seq, state, attempts, accepted_at, changed_at, channel)
      SELECT number, randomblob(16), number, 1, 'replied', 1, 0, 0, 'http' FROM sessions;
    INSERT INTO messages (number, id, session, seq, state, attempts, accepted_at, changed_at, channel)
      SELECT 100000 + number, randomblob(16), number, 2, 'queued', 0, 1000 + number, 0, 'http' FROM sessions;
    INSERT INTO heads (line, session, message, ready, place, retry_at, owner, lease_until)
      SELECT 'turn', number, 100000 + number, iif(number % 3 = 0, 1, NULL), number,
        iif(number % 3 = 1, number, NULL), iif(number % 3 = 2, 'o', NULL), iif(number % 3 = 2, number, NULL)
      FROM sessions;
  `);
  const counted = counting(transactionOf(database, { now: 5_000 }));
  expect(readLongestWaitMs(counted.transaction)).toBe(5_000 - 1_001);
  expect(counted.rows).toBe(300);
});

test('the age is that of the oldest that waits: ready, for its next attempt, or behind one that runs', async () => {
  let now = 1_000;
  const { store, dispose } = await openStore(() => now);
  const longest = async () => (await store.statistics()).longestWaitMs;
  try {
    expect(await longest()).toBeNull();
    await acceptOne(store, 'a');
    now = 3_000;
    expect(await longest()).toBe(2_000);
    const [turn] = await store.claimTurns(claim({ limit: 1 }));
    if (turn === undefined) throw new Error('No message waits.');
    expect(await longest()).toBeNull();
    await acceptOne(store, 'a');
    now = 3_500;
    expect(await longest()).toBe(500);
    await store.failTurn(turn, 'away', 60_000);
    expect(await longest()).toBe(2_500);
  } finally {
    await dispose();
  }
});

test('commits are timed', async () => {
  const { store, dispose } = await openStore();
  try {
    await acceptOne(store, 'a');
    const { commits, commitTime } = await store.statistics();
    expect(commitTime.counts.reduce((sum, count) => sum + count, 0)).toBe(commits);
    expect(commitTime.sumMs).toBeGreaterThan(0);
    expect(commitTime.counts).toHaveLength(commitTime.boundsMs.length + 1);
  } finally {
    await dispose();
  }
});
