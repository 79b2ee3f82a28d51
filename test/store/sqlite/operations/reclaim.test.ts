import fc from 'fast-check';
import { expect, test } from 'vitest';
import { webhookTarget } from '../../../../src/store/messages.js';
import { migrate } from '../../../../src/store/sqlite/file/migrate.js';
import { migrations } from '../../../../src/store/sqlite/file/schema.js';
import { accept } from '../../../../src/store/sqlite/operations/accept.js';
import { cancelMessage } from '../../../../src/store/sqlite/operations/by-hand.js';
import { claimTurns } from '../../../../src/store/sqlite/operations/claim-turns.js';
import type { Transaction } from '../../../../src/store/sqlite/operations/transaction.js';
import { writeCounters } from '../../../../src/store/sqlite/operations/transaction.js';
import { expiredTurns, failTurn, reclaimTurns } from '../../../../src/store/sqlite/operations/turns.js';
import type { Turn } from '../../../../src/store/turns.js';
import { propertyRuns, propertyTimeoutMs } from '../../../support/properties.js';
import Database from '../../../support/sqlite.mjs';
import { newMessage, noLimits } from '../../samples.js';
import { transactionOf } from '../transaction-of.js';

type Policy = Pick<Transaction, 'repeatable' | 'notices'>;

const maxAttempts = 2;

type Step =
  | {
      readonly kind: 'accept';
      readonly session: string;
      readonly sender: string | null;
      readonly reply: boolean;
    }
  | { readonly kind: 'claim'; readonly limit: number; readonly lease: number }
  | { readonly kind: 'fail' | 'cancel' | 'crash'; readonly pick: number };

const session = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
const steps = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('accept' as const),
        session,
        sender: fc.constantFrom(null, 'one', 'other'),
        reply: fc.boolean(),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('claim' as const),
        limit: fc.integer({ min: 1, max: 8 }),
        lease: fc.integer({ min: 1, max: 5 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom('fail' as const, 'cancel' as const, 'crash' as const),
        pick: fc.nat({ max: 1_000 }),
      }),
    },
  ),
  { minLength: 5, maxLength: 60 },
);

const heldTurns = ({ sql }: Transaction) => sql.all(expiredTurns, Number.MAX_SAFE_INTEGER, '', -1);

/** A store as the steps leave it. */
function perform(history: readonly Step[], policy: Policy): Buffer {
  const database = new Database(':memory:');
  migrate(database, migrations, () => {});
  const transaction = transactionOf(database, { maxAttempts, ...policy });
  const ids: string[] = [];
  const turns: Turn[] = [];
  for (const step of history) {
    transaction.now = 2_000 + ids.length;
    if (step.kind === 'accept') {
      const replyTo = step.reply ? webhookTarget('https://receiver.example/') : null;
      const message = newMessage(step.session, { sender: step.sender, replyTo });
      accept(transaction, message, noLimits);
      ids.push(message.id);
    } else if (step.kind === 'claim') {
      const claim = {
        owner: 'gone',
        limit: step.limit,
        leaseMs: 10_000 + step.lease - transaction.now,
      };
      turns.push(...claimTurns(transaction, claim));
    } else if (step.kind === 'fail') {
      const turn = turns[step.pick % Math.max(1, turns.length)];
      // Due at once, so that it is claimed again.
      if (turn !== undefined) failTurn(transaction, turn, 'failed', 0);
    } else if (step.kind === 'crash') {
      const held = heldTurns(transaction);
      const row = held[step.pick % Math.max(1, held.length)];
      // Once it is claimed again it has its last one, beside others that have not.
      if (row !== undefined) reclaimTurns(transaction, [row], { alone: false, isOwnFault: true });
    } else {
      const id = ids[step.pick % Math.max(1, ids.length)];
      if (id !== undefined) cancelMessage(transaction, id);
    }
  }
  transaction.sql.run(writeCounters, transaction.counters);
  const image = database.serialize();
  database.close();
  return image;
}

function contents(database: Database.Database): Record<string, unknown[]> {
  return Object.fromEntries(
    ['sessions', 'messages', 'heads', 'deliveries', 'counters'].map((table) => [
      table,
      database.prepare(`SELECT * FROM ${table}`).all(),
    ]),
  );
}

/** Takes all turns back, in one call or in one for each, the last one first. Returns the store after that. */
function takeBack(
  image: Buffer,
  policy: Policy,
  crash: { readonly alone: boolean; readonly isOwnFault: boolean },
  how: 'together' | 'one by one',
) {
  const database = new Database(image);
  try {
    const transaction = transactionOf(database, { maxAttempts, now: 20_000, ...policy });
    const taken = heldTurns(transaction);
    const calls = how === 'together' ? [taken] : taken.toReversed().map((row) => [row]);
    const results = calls.map((rows) => reclaimTurns(transaction, rows, crash));
    transaction.sql.run(writeCounters, transaction.counters);
    return {
      resumed: results.reduce((sum, { resumed }) => sum + resumed, 0),
      dead: results.reduce((sum, { dead }) => sum + dead, 0),
      ...contents(database),
    };
  } finally {
    database.close();
  }
}

test('turns that are taken back together are where they are one by one', {
  timeout: propertyTimeoutMs(60_000),
}, () => {
  fc.assert(
    fc.property(
      steps,
      fc.record({
        repeatable: fc.boolean(),
        notices: fc.boolean(),
        alone: fc.boolean(),
        isOwnFault: fc.boolean(),
      }),
      (history, { repeatable, notices, ...crash }) => {
        // Work that the steps themselves take back is to be repeated, so that there is something left.
        const image = perform(history, { repeatable: true, notices });
        const policy = { repeatable, notices };
        // As if each had run by itself, so that some are set aside between others that go on.
        expect(takeBack(image, policy, crash, 'together')).toEqual(
          takeBack(image, policy, crash, 'one by one'),
        );
      },
    ),
    { numRuns: propertyRuns(60) },
  );
});

test('turns that are taken back go to the front, the oldest claim first, and their attempts count', () => {
  const policy = { repeatable: true, notices: true };
  const history: Step[] = [
    ...['d', 'c', 'b', 'a'].map((name) => ({
      kind: 'accept' as const,
      session: name,
      sender: null,
      reply: false,
    })),
    // The later a claim is made here, the sooner its lease ends.
    { kind: 'claim', limit: 1, lease: 3 },
    { kind: 'claim', limit: 1, lease: 2 },
    { kind: 'claim', limit: 1, lease: 1 },
  ];
  const database = new Database(perform(history, policy));
  const transaction = transactionOf(database, { maxAttempts, now: 20_000, ...policy });
  const taken = heldTurns(transaction);
  expect(reclaimTurns(transaction, taken, { alone: false, isOwnFault: true })).toEqual({
    resumed: 3,
    dead: 0,
  });
  expect(transaction.counters).toMatchObject({ running: 0, queued: 4 });
  const claim = { owner: 'next', limit: 10, leaseMs: 10_000 };
  const turns = claimTurns(transaction, claim);
  expect(turns.map(({ session, attempt }) => [session, attempt])).toEqual([
    ['b', 2],
    ['c', 2],
    ['d', 2],
    ['a', 1],
  ]);
  database.close();
});
