import type { Database } from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { accept } from '../../../../src/store/sqlite/operations/accept.js';
import { cancelMessage, retryDead } from '../../../../src/store/sqlite/operations/by-hand.js';
import { claimTurns } from '../../../../src/store/sqlite/operations/claim-turns.js';
import { forget } from '../../../../src/store/sqlite/operations/forget.js';
import type { Transaction } from '../../../../src/store/sqlite/operations/transaction.js';
import { failTurn } from '../../../../src/store/sqlite/operations/turns.js';
import { claim, newMessage, noLimits } from '../../samples.js';
import { emptyDatabase, transactionOf } from '../transaction-of.js';

const hour = 3_600_000;
const now = 1_000 * hour;

let database: Database;
let transaction: Transaction;
beforeEach(() => {
  database = emptyDatabase();
  transaction = transactionOf(database);
});
afterEach(() => {
  database.close();
});

/** Messages that were accepted then, and cancelled at once by the true time; the last one now. */
function acceptedAt(...times: readonly { readonly accepted: number; readonly ended: number }[]) {
  for (const { accepted, ended } of times) {
    const message = newMessage('a');
    transaction.now = accepted;
    accept(transaction, message, noLimits);
    transaction.now = ended;
    cancelMessage(transaction, message.id);
  }
  transaction.now = now;
}

const left = () => database.prepare('SELECT seq FROM messages ORDER BY seq').pluck().all();

test.each([
  {
    name: 'in the future is passed over',
    ahead: now + hour,
    all: false,
    expected: [1, 4],
  },
  {
    name: 'that has come by now holds up those behind it in most rounds',
    ahead: now - hour,
    all: false,
    expected: [1, 2, 3, 4],
  },
  {
    name: 'that has come by now holds up nothing in a round that looks at all',
    ahead: now - hour,
    all: true,
    expected: [1, 4],
  },
])('a message of a clock that was ahead and $name', ({ ahead, all, expected }) => {
  acceptedAt(
    { accepted: ahead, ended: now - hour },
    { accepted: now - 9 * hour, ended: now - 9 * hour },
    { accepted: now - 8 * hour, ended: now - 8 * hour },
    { accepted: now - hour, ended: now - hour },
  );
  const { after } = forget(transaction, { before: now - 2 * hour, after: 0, limit: 64, all });
  expect(after).toBeNull();
  expect(left()).toEqual(expected);
});

describe('a turn that is made of several messages', () => {
  const old = now - 9 * hour;
  const request = { before: now - 2 * hour, limit: 2, all: false };
  const claimed = () => claimTurns(transaction, claim({ policy: 'collect', collectLimit: 9 }));

  /** Dead ones, of which as many as that are accepted for each of these sessions. */
  function deadTurns(messages: number, ...sessions: readonly string[]) {
    transaction.now = old;
    for (let nth = 0; nth < messages; nth += 1)
      for (const session of sessions) accept(transaction, newMessage(session), noLimits);
    const turns = claimed();
    for (const turn of turns) failTurn(transaction, turn, 'exit status 3', null);
    transaction.now = now;
    return turns;
  }

  test('is forgotten as a whole, though a step ends within it', () => {
    deadTurns(3, 'a');
    const first = forget(transaction, { ...request, after: 0 });
    expect(first).toMatchObject({ count: 0, after: expect.any(Number) });
    expect(left()).toEqual([1, 2, 3]);
    expect(forget(transaction, { ...request, after: first.after ?? 0 })).toEqual({
      count: 3,
      dead: 1,
      after: null,
    });
    expect(left()).toEqual([]);
    expect(transaction.counters).toMatchObject({ dead: 0, collected: 0 });
  });

  test('is run again with all its texts, though a person has it tried again between two steps', () => {
    const [turn] = deadTurns(3, 'a');
    if (turn === undefined) throw new Error('Expected a turn.');
    const { after } = forget(transaction, { ...request, after: 0 });
    retryDead(transaction, turn.messageId);
    forget(transaction, { ...request, after: after ?? 0 });
    expect(turn.collected).toHaveLength(2);
    expect(claimed()).toMatchObject([{ messageId: turn.messageId, collected: turn.collected }]);
  });

  test('ends a step that has forgotten enough by it', () => {
    deadTurns(3, 'a', 'b');
    const counts: number[] = [];
    for (let after: number | null = 0; after !== null; ) {
      const step = forget(transaction, { ...request, after });
      counts.push(step.count);
      ({ after } = step);
    }
    expect(counts).toEqual([0, 0, 3, 3]);
    expect(left()).toEqual([]);
  });
});

test('a round goes on where a step has ended', () => {
  const old = { accepted: now - 9 * hour, ended: now - 9 * hour };
  acceptedAt(old, old, old);
  const request = { before: now - 2 * hour, limit: 2, all: false };
  const first = forget(transaction, { ...request, after: 0 });
  expect(first).toMatchObject({ count: 2, after: expect.any(Number) });
  expect(forget(transaction, { ...request, after: first.after ?? 0 })).toEqual({
    count: 1,
    dead: 0,
    after: null,
  });
  expect(left()).toEqual([]);
  expect(transaction.counters.cancelled).toBe(0);
});
