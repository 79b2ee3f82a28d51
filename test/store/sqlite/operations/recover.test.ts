import { afterEach, beforeEach, expect, test } from 'vitest';
import { newId } from '../../../../src/store/ids.js';
import { acceptOne, at, claimTurns, clock, newMessage, noLimits } from '../../samples.js';
import { SqliteFactory } from '../sqlite-factory.js';

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
  await claimTurns(store, { owner: 'gone', limit: count });
  await Promise.all(
    Array.from({ length: count }, (_, session) => store.accept(newMessage(`s${session}`), noLimits)),
  );
  await store.close();
  return running.map(({ id }) => id);
}

test('all turns of the last run are taken back before it is open', async () => {
  await leaveRunning();
  const { store, recovery } = await files.openWithReport();
  expect(recovery).toMatchObject({ resumedTurns: turns, deadTurns: 0 });
  expect(await store.counts()).toMatchObject({ queued: 2 * turns, running: 0 });
  const again = await claimTurns(store, { owner: 'next', limit: 2 * turns });
  expect(again).toHaveLength(turns);
  expect(again.every(({ seq, attempt }) => seq === 1 && attempt === 2)).toBe(true);
});

test('those that were cancelled before the last run ended are not told of as resumed', async () => {
  const running = await leaveRunning();
  const before = await files.open();
  await claimTurns(before, { owner: 'gone', limit: turns });
  for (const id of running.slice(-10)) await at(3_000, before).cancelMessage(id);
  await before.close();
  const { recovery } = await files.openWithReport();
  expect(recovery.resumedTurns).toBe(turns - 10);
});

test('turns that must not be repeated are told of as dead, and are', async () => {
  await leaveRunning();
  const { store, recovery } = await files.openWithReport({ repeatable: false });
  expect(recovery).toMatchObject({ resumedTurns: 0, deadTurns: turns });
  expect(await store.counts()).toMatchObject({ dead: turns, queued: turns, running: 0 });
});

test.each([
  [1, 1],
  [2, 0],
])('of %i turns under way %i ran alone, which is held against it', async (count, dead) => {
  await leaveRunning(count);
  const { recovery } = await files.openWithReport({ maxAttempts: 1 });
  expect(recovery).toMatchObject({ deadTurns: dead, resumedTurns: count - dead });
});

test('a turn whose lease ran out beside one that was cancelled did not run alone', async () => {
  const store = await files.open({ maxAttempts: 1 });
  const [cancelled, other] = [await acceptOne(store, 'a'), await acceptOne(store, 'b')];
  await claimTurns(store, { owner: 'gone', leaseUntil: 5_000 });
  await at(3_000, store).cancelMessage(cancelled.id);
  expect(await claimTurns(store, { owner: 'next', now: 5_000 })).toMatchObject([
    { messageId: other.id, attempt: 2 },
  ]);
  expect(await store.counts()).toMatchObject({ cancelled: 1, running: 1, dead: 0 });
});

test('a turn that was under way at four kills in a row waits, is named, and lets others run first', async () => {
  const start = async (startedAt: number) => {
    clock.now = startedAt;
    const opened = await files.openWithReport({ endedByItself: false });
    const run = { id: newId(), invocationId: null, bootId: 'boot', pid: 1, version: '1', startedAt };
    await opened.store.beginRun({
      ...run,
      startDuration: 1,
      readyAt: startedAt,
      resumedTurns: 0,
      stop: null,
    });
    return opened;
  };
  const first = await start(10_000);
  const { id } = await acceptOne(first.store, 'k');
  await claimTurns(first.store, { owner: 'gone', now: 10_000 });
  await first.store.close();
  for (const now of [11_000, 12_000, 13_000]) {
    const { store, recovery } = await start(now);
    expect(recovery).toMatchObject({ resumedTurns: 1, killedTurns: [] });
    expect(await claimTurns(store, { owner: 'gone', now })).toMatchObject([{ messageId: id, attempt: 1 }]);
    await store.close();
  }
  const { store, recovery } = await start(14_000);
  const killed = { messageId: id, session: 'k', kills: 4, waitMs: 1_000 };
  expect(recovery).toMatchObject({ resumedTurns: 1, killedTurns: [killed] });
  const other = await acceptOne(store, 'b', { acceptedAt: 14_000 });
  expect(await claimTurns(store, { now: 14_999 })).toMatchObject([{ messageId: other.id }]);
  expect(await claimTurns(store, { now: 15_000 })).toMatchObject([{ messageId: id, attempt: 1 }]);
});
