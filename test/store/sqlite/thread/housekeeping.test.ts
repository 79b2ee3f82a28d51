import { statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { webhookTarget } from '../../../../src/store/messages.js';
import type { ForgottenMessages } from '../../../../src/store/open-store.js';
import type { ForgetRequest } from '../../../../src/store/sqlite/operations/forget.js';
import type { SqliteStore } from '../../../../src/store/sqlite/sqlite-store.js';
import { Housekeeping } from '../../../../src/store/sqlite/thread/housekeeping.js';
import Database from '../../../support/sqlite.mjs';
import {
  acceptOne,
  answerOne,
  at,
  claimDeliveries,
  claimOne,
  failure,
  newMessage,
  noLimits,
} from '../../samples.js';
import { SqliteFactory } from '../sqlite-factory.js';

let files: SqliteFactory;
beforeEach(() => {
  files = new SqliteFactory();
});
afterEach(() => files.remove());

/** The messages of these tests are from 1970: with this, whatever has come to its end is old. */
const soon = { keep: 1, housekeepingInterval: 20 };

async function statesOf(store: SqliteStore, ...ids: readonly string[]) {
  return Promise.all(ids.map(async (id) => (await store.message(id))?.state ?? null));
}

test('what has come to its end is forgotten; what waits, runs or has to be delivered is not', async () => {
  const store = await files.open();
  const first = await acceptOne(store, 'a', { idempotencyKey: 'k' });
  await at(3_000, store).completeTurn(await claimOne(store), { text: 'done', metadata: {} });
  const dead = await acceptOne(store, 'dead');
  await at(3_000, store).failTurn(await claimOne(store), 'exit status 3', null);
  const noticed = await acceptOne(store, 'noticed', { replyTo: webhookTarget('https://receiver.example/') });
  await at(3_000, store).failTurn(await claimOne(store), 'exit status 3', null);
  const undelivered = await answerOne(store, 'undelivered');
  const cancelled = await acceptOne(store, 'cancelled');
  await at(3_000, store).cancelMessage(cancelled.id);
  const running = await acceptOne(store, 'running');
  await claimOne(store);
  const ending = await acceptOne(store, 'ending');
  const turn = await claimOne(store);
  await at(3_000, store).cancelMessage(ending.id);
  const queued = await acceptOne(store, 'a');
  const fresh = await acceptOne(store, 'fresh', { acceptedAt: Date.now() + 3_600_000 });
  await at(Date.now() + 3_600_000, store).cancelMessage(fresh.id);
  await store.close();

  const next = await files.open(soon);
  const gone = [first.id, dead.id, cancelled.id];
  await vi.waitFor(async () => expect(await statesOf(next, ...gone)).toEqual([null, null, null]));
  // A start takes the turns of the last run back: the cancelled one has ended by that.
  await vi.waitFor(async () => expect(await statesOf(next, ending.id)).toEqual([null]));
  expect(turn.messageId).toBe(ending.id);
  expect(await statesOf(next, noticed.id, undelivered.id, running.id, queued.id, fresh.id)).toEqual([
    'dead',
    'replied',
    'queued',
    'queued',
    'cancelled',
  ]);
  expect(await next.counts()).toMatchObject({
    queued: 2,
    replied: 1,
    dead: 1,
    cancelled: 1,
    undelivered: 2,
    sessions: 8,
  });
  // The key is gone with its message, the session's numbers go on.
  const again = await next.accept(newMessage('a', { idempotencyKey: 'k' }), noLimits);
  expect(again).toMatchObject({ outcome: 'accepted', message: { seq: 3 } });
});

test('it is told how much was forgotten, and how many dead letters that nobody had decided about', async () => {
  const told: ForgottenMessages[] = [];
  const store = await files.open();
  const ids: string[] = [];
  for (const session of ['left', 'discarded']) {
    const { id } = await acceptOne(store, session);
    await at(3_000, store).failTurn(await claimOne(store), 'exit status 3', null);
    ids.push(id);
  }
  await at(3_000, store).discardMessage(ids[1] ?? '');
  await store.close();

  await files.open({ ...soon, events: { forgotten: (forgotten) => told.push(forgotten) } });
  await vi.waitFor(() => expect(told).toEqual([{ messages: 2, dead: 1 }]));
});

test('a message of a clock that was ahead holds up nothing behind it', async () => {
  const store = await files.open(soon);
  const ahead = await acceptOne(store, 'ahead', { acceptedAt: Date.now() + 3_600_000 });
  const behind = await acceptOne(store, 'behind');
  await at(3_000, store).cancelMessage(behind.id);
  await vi.waitFor(async () => expect(await statesOf(store, behind.id)).toEqual([null]));
  expect(await statesOf(store, ahead.id)).toEqual(['queued']);
});

test('a cancelled message whose turn goes on keeps its session', async () => {
  const store = await files.open(soon);
  const { id } = await acceptOne(store, 'a');
  const next = await acceptOne(store, 'a');
  const turn = await claimOne(store, { leaseUntil: Date.now() + 3_600_000 });
  await at(3_000, store).cancelMessage(id);
  // Another message that is forgotten shows that a round has gone by.
  const other = await acceptOne(store, 'b');
  await at(3_000, store).cancelMessage(other.id);
  await vi.waitFor(async () => expect(await statesOf(store, other.id)).toEqual([null]));
  expect(await statesOf(store, id)).toEqual(['cancelled']);
  expect(await store.releaseTurn(turn)).toBe(true);
  expect((await claimOne(store)).messageId).toBe(next.id);
});

test('what is part of a turn is kept as long as the message whose turn it is', async () => {
  const store = await files.open(soon);
  const [first, second] = [await acceptOne(store, 'a'), await acceptOne(store, 'a')];
  const turn = await claimOne(store, {
    policy: 'collect',
    collectLimit: 9,
    leaseUntil: Date.now() + 3_600_000,
  });
  expect(turn.messageId).toBe(second.id);
  // Another message that is forgotten shows that a round has gone by.
  const other = await acceptOne(store, 'b');
  await at(3_000, store).cancelMessage(other.id);
  await vi.waitFor(async () => expect(await statesOf(store, other.id)).toEqual([null]));
  expect(await statesOf(store, first.id, second.id)).toEqual(['collected', 'running']);
  await at(3_000, store).completeTurn(turn, { text: 'ok', metadata: {} });
  await vi.waitFor(async () => expect(await statesOf(store, first.id, second.id)).toEqual([null, null]));
  expect(await store.counts()).toMatchObject({ replied: 0, collected: 0 });
});

test('all steps of a round go by the time at which it began', async () => {
  const database = new Database(':memory:');
  const requests: [after: number, before: number, age: number][] = [];
  let now = 10_000;
  const groups = {
    forget(request: ForgetRequest, at: number) {
      requests.push([request.after, request.before, at - request.before]);
      now += 5_000;
      return { count: 0, dead: 0, after: requests.length % 3 === 0 ? null : requests.length };
    },
    forgetRecords: () => 0,
    forgetBlobs: () => 0,
    restoreBallast: () => undefined,
  };
  const housekeeping = new Housekeeping(database, groups, {
    keep: 1_000,
    interval: 20,
    checkpoint: () => undefined,
    onForgotten: () => expect.fail('nothing was forgotten'),
    onFailure: (error) => expect.fail(String(error)),
    now: () => now,
  });
  await vi.waitFor(() => expect(requests.length).toBeGreaterThan(3));
  housekeeping.stop();
  database.close();
  expect(requests.slice(0, 4)).toEqual([
    [0, 9_000, 1_000],
    [1, 9_000, 6_000],
    [2, 9_000, 11_000],
    [0, 24_000, 1_000],
  ]);
});

test('records whose time is over are deleted, however many, and also where messages are kept for ever', async () => {
  const store = await files.open({ keep: 0, housekeepingInterval: 20 });
  const put = (key: string, expiresInMs: number | null) =>
    store.putRecord({ kind: 'code', key, value: null, expiresInMs });
  await put('stays', null);
  await put('young', 2 * Date.now());
  await Promise.all(Array.from({ length: 200 }, (_, number) => put(`old ${number}`, 1)));
  const database = new Database(files.path, { readonly: true });
  const left = database.prepare('SELECT key FROM records ORDER BY key').pluck();
  await vi.waitFor(() => expect(left.all()).toEqual(['stays', 'young']), { timeout: 5_000 });
  database.close();
});

test('nothing is forgotten where all is kept, nor before its time', async () => {
  for (const keep of [0, 1_000_000_000_000_000]) {
    const store = await files.open({ keep, housekeepingInterval: 1 });
    const { id } = await acceptOne(store, 'a');
    await at(3_000, store).cancelMessage(id);
    await pause(50);
    expect(await statesOf(store, id)).toEqual(['cancelled']);
    await store.close();
  }
});

test('the file shrinks once much of it is free, while messages go on', { timeout: 60_000 }, async () => {
  const store = await files.open(soon);
  const big = { text: 'x'.repeat(20_000) };
  const ids: string[] = [];
  for (let round = 0; round < 5; round += 1) {
    const messages = await Promise.all(Array.from({ length: 100 }, () => acceptOne(store, 'a', big)));
    ids.push(...messages.map(({ id }) => id));
  }
  await store.close();
  const full = statSync(files.path).size;
  const next = await files.open(soon);
  await at(3_000, next).cancelSession('a');
  await vi.waitFor(async () => expect((await next.counts()).cancelled).toBe(0), { timeout: 30_000 });
  const during = await acceptOne(next, 'b');
  await vi.waitFor(() => expect(statSync(files.path).size).toBeLessThan(full / 2), { timeout: 30_000 });
  expect((await next.message(during.id))?.state).toBe('queued');
  expect(await statesOf(next, ...ids.slice(0, 3))).toEqual([null, null, null]);
});

test('a delivery that ends later lets its message go', async () => {
  const store = await files.open(soon);
  const message = await answerOne(store, 'a');
  const [delivery] = await claimDeliveries(store);
  if (delivery === undefined) throw new Error('Expected a delivery.');
  await at(4_000, store).failDelivery(delivery, failure('HTTP 410', null));
  await vi.waitFor(async () => expect(await statesOf(store, message.id)).toEqual([null]));
  expect(await store.counts()).toMatchObject({ dead: 0, undelivered: 0 });
});
