import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SqliteStoreOptions } from '../../src/store/sqlite/sqlite-store.js';
import { acceptOne, claim, newMessage, noLimits } from './samples.js';
import { SqliteFactory } from './sqlite-factory.js';

/** More than are taken back before the store is open, and more than two steps after it. */
const turns = 900;

let files: SqliteFactory;
beforeEach(() => {
  files = new SqliteFactory();
});
afterEach(() => files.remove());

/** A store in which so many sessions run, and one message waits behind each; gives the ids of what runs. */
async function leaveRunning(count = turns): Promise<readonly string[]> {
  const store = await files.open();
  const running = await Promise.all(
    Array.from({ length: count }, (_, session) => acceptOne(store, `s${session}`)),
  );
  await store.claimTurns(claim({ owner: 'gone', limit: count }));
  await Promise.all(
    Array.from({ length: count }, (_, session) => store.accept(newMessage(`s${session}`), noLimits)),
  );
  await store.close();
  return running.map(({ id }) => id);
}

/** Opens it for an owner of its own. `settled` resolves when just so many turns are held. */
async function openForOwner(options: Partial<SqliteStoreOptions> = {}) {
  let told = 0;
  const { store, recovery } = await files.openWithFinding({
    owner: 'next',
    onTurnsWaiting: () => {
      told += 1;
    },
    ...options,
  });
  const settled = async (held: number) => {
    while ((await store.counts()).running !== held);
  };
  return { store, recovery, settled, told: () => told };
}

test('a great many turns of the last run are told of at once, and taken back after the store is open', async () => {
  await leaveRunning();
  const { store, recovery, settled, told } = await openForOwner();
  expect(recovery).toMatchObject({ resumedTurns: turns, deadTurns: 0 });
  await settled(0);
  expect(told()).toBeGreaterThan(0);
  expect(await store.counts()).toMatchObject({ queued: 2 * turns, running: 0 });
  const again = await store.claimTurns(claim({ owner: 'next', limit: 2 * turns }));
  expect(again).toHaveLength(turns);
  expect(again.every(({ seq, attempt }) => seq === 1 && attempt === 2)).toBe(true);
});

test('without an owner all of them are taken back before it is open', async () => {
  await leaveRunning();
  const { store, recovery } = await files.openWithFinding();
  expect(recovery.resumedTurns).toBe(turns);
  expect(await store.counts()).toMatchObject({ queued: 2 * turns, running: 0 });
});

test('what is claimed meanwhile is not taken back, and no session runs twice', async () => {
  await leaveRunning();
  const { store, settled } = await openForOwner();
  // Sent in one message with the opening’s answer barely out: most of the old turns are still held.
  const claimed = await store.claimTurns(claim({ owner: 'next', limit: 2 * turns }));
  await settled(claimed.length);
  const more = await store.claimTurns(claim({ owner: 'next', limit: 2 * turns }));
  const all = [...claimed, ...more];
  expect(new Set(all.map(({ session }) => session)).size).toBe(turns);
  expect(all).toHaveLength(turns);
  expect(all.every(({ seq, attempt }) => seq === 1 && attempt === 2)).toBe(true);
  const [turn] = claimed;
  if (turn === undefined) throw new Error('Nothing was claimed.');
  expect(await store.completeTurn(turn, { text: 'done', metadata: {} }, 5_000)).toBe(true);
});

test('a turn that is cancelled before it was taken back lets its session go on', async () => {
  const running = await leaveRunning();
  const { store, recovery, settled } = await openForOwner();
  expect(recovery.resumedTurns).toBe(turns);
  const cancelled = await Promise.all(running.map((id) => store.cancelMessage(id, 3_000)));
  expect(cancelled.every((outcome) => outcome?.outcome === 'cancelled')).toBe(true);
  await settled(0);
  let next = await store.claimTurns(claim({ owner: 'next', limit: 2 * turns }));
  const all = [...next];
  // Sessions whose turn was still held when it was cancelled go on once it is taken back.
  while (all.length < turns) {
    next = await store.claimTurns(claim({ owner: 'next', limit: 2 * turns }));
    all.push(...next);
  }
  expect(all.every(({ seq }) => seq === 2)).toBe(true);
  expect(await store.counts()).toMatchObject({ cancelled: turns, running: turns, queued: 0 });
});

test('those that were cancelled before the last run ended are not told of as resumed', async () => {
  const running = await leaveRunning();
  const first = await files.open({ owner: 'gone' });
  await first.close();
  const before = await files.open();
  await before.claimTurns(claim({ owner: 'gone', limit: turns }));
  for (const id of running.slice(-10)) await before.cancelMessage(id, 3_000);
  await before.close();
  const { recovery } = await openForOwner();
  expect(recovery.resumedTurns).toBe(turns - 10);
});

test('turns that must not be repeated are told of as dead, and are', async () => {
  await leaveRunning();
  const { store, recovery, settled } = await openForOwner({ repeatable: false });
  expect(recovery).toMatchObject({ resumedTurns: 0, deadTurns: turns });
  await settled(0);
  expect(await store.counts()).toMatchObject({ dead: turns, queued: turns, running: 0 });
});

test('what was not taken back at a close is at the next open', async () => {
  await leaveRunning();
  const first = await openForOwner();
  await first.store.close();
  const { store, recovery, settled } = await openForOwner({ owner: 'third' });
  expect(recovery.resumedTurns).toBeLessThan(turns);
  await settled(0);
  expect(await store.counts()).toMatchObject({ queued: 2 * turns, running: 0 });
});

test.each([249, 250, 251, 252, 253])('of %i turns none is taken for one that ran alone', async (count) => {
  await leaveRunning(count);
  // What each start leaves, and what a claim finds whose time is behind all leases.
  for (const owner of ['next', 'third', 'fourth']) {
    const { store, recovery } = await files.openWithFinding({ owner, maxAttempts: 1 });
    expect(recovery.deadTurns).toBe(0);
    const late = { owner, limit: 1, now: 1_000_000_000, leaseUntil: 1_000_000_001 };
    const claimed = await store.claimTurns(claim(late));
    expect((await store.counts()).dead).toBe(0);
    await store.putBackTurns(claimed, 1_000_000_000);
    await store.close();
  }
});

test('a turn whose lease ran out beside one that was cancelled did not run alone', async () => {
  const store = await files.open({ maxAttempts: 1 });
  const [cancelled, other] = [await acceptOne(store, 'a'), await acceptOne(store, 'b')];
  await store.claimTurns(claim({ owner: 'gone', leaseUntil: 5_000 }));
  await store.cancelMessage(cancelled.id, 3_000);
  expect(await store.claimTurns(claim({ owner: 'next', now: 5_000 }))).toMatchObject([
    { messageId: other.id, attempt: 2 },
  ]);
  expect(await store.counts()).toMatchObject({ cancelled: 1, running: 1, dead: 0 });
});
