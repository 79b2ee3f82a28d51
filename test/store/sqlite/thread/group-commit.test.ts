import type { Database } from 'better-sqlite3';
import { beforeEach, expect, test, vi } from 'vitest';
import type { StoreCounts } from '../../../../src/store/messages.js';
import type { Transaction } from '../../../../src/store/sqlite/operations/transaction.js';
import { GroupCommit } from '../../../../src/store/sqlite/thread/group-commit.js';
import type { Answer, Call } from '../../../../src/store/sqlite/thread/protocol.js';
import type { Turn } from '../../../../src/store/turns.js';
import { claim, newMessage, noLimits } from '../../samples.js';
import { emptyDatabase } from '../transaction-of.js';

const fails = vi.hoisted(() => ({ reading: false }));
// Acts as SQLite if a page can't be read, or there is no memory: it rolls an open transaction back as a whole. It
// does so also for a statement that only reads (https://www.sqlite.org/lang_transaction.html).
vi.mock('../../../../src/store/sqlite/operations/reads.js', async (original) => {
  const reads = await original<typeof import('../../../../src/store/sqlite/operations/reads.js')>();
  return {
    ...reads,
    readMessage(transaction: Transaction, id: string) {
      if (!fails.reading) return reads.readMessage(transaction, id);
      if (database.inTransaction) database.exec('ROLLBACK');
      throw Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR_READ' });
    },
  };
});

let database: Database;
let groups: GroupCommit;
let nextId: number;
beforeEach(() => {
  database = emptyDatabase();
  const policy = { maxAttempts: 3, repeatable: true, notices: true, unknownPolicy: 'ask' } as const;
  groups = new GroupCommit(database, { path: ':memory:', ...policy });
  nextId = 0;
  fails.reading = false;
});

const call = (operation: string, ...parameters: readonly unknown[]): Call =>
  ({ id: nextId++, operation, parameters, at: 2_000 }) as unknown as Call;
const acceptCall = (session: string, message = newMessage(session)) => call('accept', message, noLimits);
const read = (id: string) => call('message', id);

/** The results in the order of the calls; null: it failed. */
function run(...calls: readonly Call[]): unknown[] {
  const answers = new Map(groups.run(calls).map((answer: Answer) => [answer.id, answer]));
  return calls.map(({ id }) => {
    const answer = answers.get(id);
    return answer !== undefined && 'result' in answer ? answer.result : null;
  });
}
const counts = () => run(call('counts'))[0] as StoreCounts;

test('a read that fails takes nothing along of what is written beside it', () => {
  const old = newMessage('old');
  run(acceptCall('old', old));
  fails.reading = true;
  const [first, missing, claimed, second] = run(
    acceptCall('a'),
    read(old.id),
    call('claimTurns', claim({ limit: 10 })),
    acceptCall('b'),
  ) as [object, null, readonly Turn[], object];
  expect([first, second]).toMatchObject([{ outcome: 'accepted' }, { outcome: 'accepted' }]);
  expect(missing).toBeNull();
  expect(claimed.map(({ session }) => session)).toEqual(['old', 'a']);
  expect(counts()).toMatchObject({ running: 2, queued: 1, sessions: 3 });

  const reply = { text: 'r', metadata: {} };
  const ends = claimed.map((turn) => call('completeTurn', turn, reply));
  expect(run(...ends, read(old.id))).toEqual([true, true, null]);
  expect(counts()).toMatchObject({ running: 0, queued: 1 });
});

test('what is read beside a write is what that has written', () => {
  const old = newMessage('a');
  run(acceptCall('a', old));
  const [message] = run(read(old.id), call('claimTurns', claim()));
  expect(message).toMatchObject({ state: 'running' });
});

test('one that comes to a count that can’t be, as of a damaged database, takes no other along', () => {
  run(acceptCall('a'));
  database.exec('UPDATE counters SET queued = 0');
  const [claimed, session] = run(call('claimTurns', claim()), call('setPolicy', 'b', 'collect'));
  expect(claimed).toBeNull();
  expect(session).toMatchObject({ session: 'b', policy: 'collect' });
  expect(counts()).toMatchObject({ queued: 0, running: 0, sessions: 2 });
});

test('what an agent writes alone waits for no disk; with anything else it does, and so does all after it', () => {
  run(acceptCall('a'));
  const [[turn]] = run(call('claimTurns', claim())) as [[Turn]];
  const append = call('appendDeltas', turn, ['x']);
  const pragma = vi.spyOn(database, 'pragma');
  const levels = (...calls: readonly Call[]) => {
    pragma.mockClear();
    expect(run(...calls)).not.toContain(null);
    return pragma.mock.calls.map(([source]) => source);
  };
  expect(levels(append, call('counts'))).toEqual(['synchronous = NORMAL', 'synchronous = FULL']);
  expect(levels(append, acceptCall('b'))).toEqual([]);
  expect(database.pragma('synchronous', { simple: true })).toBe(2);
});
