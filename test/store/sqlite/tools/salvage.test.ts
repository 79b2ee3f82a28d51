import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ArchivedMessage, ArchivedSession } from '../../../../src/store/archive.js';
import { type UnknownPolicy, webhookTarget } from '../../../../src/store/messages.js';
import { checkStore, importToStore, recoverStore } from '../../../../src/store/sqlite/tools/maintenance.js';
import type { Store } from '../../../../src/store/store.js';
import type { TurnClaim } from '../../../../src/store/turns.js';
import Database from '../../../support/sqlite.mjs';
import { acceptOne, at, claimDeliveries, claimOne, claimTurns, failure, newMessage } from '../../samples.js';
import { SqliteFactory } from '../sqlite-factory.js';

let files: SqliteFactory;
beforeEach(() => {
  files = new SqliteFactory();
});
afterEach(() => files.remove());

/** Takes rows away, as damage does. */
function damage(sql: string): void {
  const database = new Database(files.path);
  database.pragma('foreign_keys = OFF');
  database.exec(sql);
  database.close();
}

async function runOne(store: Store, changes: Partial<TurnClaim> = {}): Promise<number> {
  const turn = await claimOne(store, changes);
  await at(3_000, store).completeTurn(turn, { text: 'done', metadata: {} });
  return turn.seq;
}

/** Numbers of the messages in the order in which a gateway runs them. */
async function order(changes: Partial<TurnClaim> = {}): Promise<number[]> {
  const store = await files.open();
  const seqs: number[] = [];
  while ((await store.counts()).queued > 0) seqs.push(await runOne(store, changes));
  return seqs;
}

describe('a message that is queued again, and that its session has passed, is run:', () => {
  test('its reply is lost, and a later one runs', async () => {
    const store = await files.open();
    for (let seq = 1; seq <= 3; seq += 1) await acceptOne(store, 'a');
    await runOne(store);
    await claimOne(store);
    await store.close();
    damage('DELETE FROM replies');
    await recoverStore(files.path, 'now');
    expect(await order()).toEqual([2, 1, 3]);
  });

  test('the message whose turn it was part of is lost; it is not put together with others', async () => {
    const collects = { policy: 'collect', collectLimit: 9 } as const;
    const store = await files.open();
    for (let seq = 1; seq <= 2; seq += 1) await acceptOne(store, 'a');
    expect(await runOne(store, collects)).toBe(2);
    await acceptOne(store, 'a');
    await claimOne(store);
    await acceptOne(store, 'a');
    await store.close();
    damage('DELETE FROM message_texts WHERE message = 2');
    await recoverStore(files.path, 'now');
    expect(await order(collects)).toEqual([3, 1, 4]);
  });

  const passed: ArchivedMessage = {
    type: 'message',
    id: newMessage('a').id,
    session: 'a',
    seq: 1,
    state: 'queued',
    text: 'a message',
    metadata: {},
    sender: null,
    channel: 'http',
    generation: 1,
    accepted_at: 1_000,
    changed_at: 2_000,
    retried_at: null,
    attempts: 1,
    crashes: 0,
    put_backs: 0,
    error: null,
    held: false,
    begun: false,
    collected_in: null,
    reply_to: null,
    idempotency: null,
    reply: null,
    delivery: null,
    parts: [],
    deltas: [],
  };
  const session: ArchivedSession = {
    type: 'session',
    session: 'a',
    last_seq: 9,
    last_accepted_at: 1_000,
    policy: null,
    agent: null,
    generation: 1,
    first_seq: 1,
  };
  const dead = { state: 'queued', retried_at: 2_000, begun: true } as const;
  test.each<[what: string, messages: readonly Partial<ArchivedMessage>[], seqs: readonly number[]]>([
    ['a later one that was dead is the next', [{}, { ...dead }, {}], [1, 2, 3]],
    [
      'one that was dead waits behind it',
      [{ state: 'running', held: true }, {}, { ...dead }, {}],
      [1, 2, 3, 4],
    ],
    ['a later one that was cancelled has not ended', [{}, { state: 'cancelled', held: true }, {}], [1, 3]],
    ['nothing is before it', [{}, { state: 'cancelled' }, {}], [1, 3]],
  ])('%s', async (_what, messages, seqs) => {
    await importToStore(files.path, [
      session,
      ...messages.map((changes, index) => ({
        ...passed,
        id: newMessage('a').id,
        seq: index + 1,
        ...changes,
      })),
    ]);
    expect(await order()).toEqual(seqs);
  });

  test('it is added to a session whose first ones were forgotten', async () => {
    const store = await files.open();
    for (let seq = 1; seq <= 3; seq += 1) await acceptOne(store, 'a');
    expect(await runOne(store)).toBe(1);
    await store.close();
    damage('DELETE FROM messages WHERE number = 1; DELETE FROM message_texts WHERE message = 1');
    await importToStore(files.path, [session, passed]);
    expect(await order()).toEqual([2, 1, 3]);
  });
});

test('a message that is refused leaves nothing of its own to the next one', async () => {
  const store = await files.open();
  await acceptOne(store, 'a', { idempotencyKey: 'k' });
  const other = await acceptOne(store, 'b');
  await acceptOne(store, 'a');
  expect(await claimOne(store, { policy: 'collect', collectLimit: 9 })).toMatchObject({ seq: 2 });
  await store.close();
  damage("UPDATE messages SET fingerprint = x'' WHERE number = 1");
  const { lost } = await recoverStore(files.path, 'now');
  expect(lost).toEqual([expect.stringContaining('without a fingerprint')]);
  const next = await files.open();
  expect(await next.message(other.id)).toMatchObject({ state: 'queued', collectedIn: null });
});

test.each([
  ['the policy', "policy = 'collecu'", { policy: null, lastSeq: 2, lastAcceptedAt: 1_000 }],
  ['all but the name', 'last_accepted_at = 1 << 62', { policy: null, lastSeq: 2 }],
])('a session of which %s is damaged is saved, with its messages', async (what, damaged, left) => {
  const store = await files.open();
  await at(1_000, store).setPolicy('a', 'interrupt');
  for (let seq = 1; seq <= 2; seq += 1) await acceptOne(store, 'a');
  await store.close();
  damage(`UPDATE sessions SET ${damaged}`);
  const { lost, messages } = await recoverStore(files.path, 'now');
  expect(lost).toEqual([`${what} of the session "a"`]);
  expect(messages).toBe(2);
  const next = await files.open();
  expect(await next.session('a')).toMatchObject(left);
  expect(await next.counts()).toMatchObject({ queued: 1, cancelled: 1 });
});

test('records are saved; one that can’t be read is named', async () => {
  const store = await files.open();
  await acceptOne(store, 'a');
  const kept = await store.putRecord({ kind: 'person', key: 'ada', value: { role: 'owner' } });
  await store.putRecord({ kind: 'person', key: 'bob', value: 1 });
  await store.close();
  damage("PRAGMA ignore_check_constraints = ON; UPDATE records SET value = '{' WHERE key = 'bob'");
  expect(await recoverStore(files.path, 'now')).toMatchObject({
    messages: 1,
    records: 1,
    missing: 0,
    lost: [expect.stringContaining('"bob"')],
  });
  const again = await files.open();
  expect(await again.record('person', 'ada')).toMatchObject({ value: { role: 'owner' } });
  // Versions go on behind those that were saved.
  const next = await again.putRecord({ kind: 'person', key: 'ada', value: 2 });
  if (kept.outcome !== 'written' || next.outcome !== 'written') throw new Error('It was not written.');
  expect(next.version).toBeGreaterThan(kept.version);
});

test('what a channel has taken of a reply is saved with it', async () => {
  const store = await files.open();
  await acceptOne(store, 'a', { replyTo: { channel: 'telegram', address: '7', options: { thread: 1 } } });
  await runOne(store);
  const [delivery] = await claimDeliveries(store);
  if (delivery === undefined) throw new Error('Expected a delivery.');
  await store.noteDeliveryPart(delivery, 1, { id: 7 });
  await store.close();
  await recoverStore(files.path, 'now');
  const again = await files.open();
  expect(await claimDeliveries(again)).toMatchObject([
    { target: delivery.target, parts: [{ receipt: { id: 7 } }] },
  ]);
});

describe('where pages are of different times', () => {
  const replyTo = webhookTarget('https://receiver.example/');

  /** Runs what there is to run, and posts what there is to post; gives the messages in the order of their ends. */
  async function workOff(): Promise<string[]> {
    const store = await files.open();
    const ended: string[] = [];
    for (;;) {
      const turns = await claimTurns(store);
      for (const turn of turns) {
        await at(5_000, store).completeTurn(turn, { text: 'again', metadata: {} });
        ended.push(`turn ${turn.seq}`);
      }
      const deliveries = await claimDeliveries(store);
      for (const delivery of deliveries) {
        await at(6_000, store).completeDelivery(delivery);
        ended.push(`${delivery.notice === null ? 'reply' : 'notice'} ${delivery.seq}`);
      }
      if (turns.length + deliveries.length === 0) break;
    }
    expect(await store.counts()).toMatchObject({ queued: 0, running: 0, undelivered: 0 });
    return ended;
  }

  async function deliver(store: Store): Promise<void> {
    for (const delivery of await claimDeliveries(store)) await at(4_000, store).completeDelivery(delivery);
  }

  test.each([
    ['queued', ['turn 2', 'reply 1', 'reply 2']],
    ['running', ['turn 2', 'reply 1', 'reply 2']],
  ])('a message that has its reply and says that it is %s is posted, not run', async (state, ended) => {
    const store = await files.open();
    await acceptOne(store, 'a', { replyTo });
    await runOne(store);
    await acceptOne(store, 'a', { replyTo });
    await store.close();
    damage(`UPDATE messages SET state = '${state}' WHERE seq = 1`);
    expect(await recoverStore(files.path, 'now')).toMatchObject({ lost: [], messages: 2 });
    expect(await workOff()).toEqual(ended);
  });

  test.each([
    ['the message says that it was delivered', "UPDATE deliveries SET state = 'pending'"],
    ['its delivery says so', "UPDATE messages SET state = 'replied'"],
  ])('a reply is posted no more where %s', async (_what, sql) => {
    const store = await files.open();
    await acceptOne(store, 'a', { replyTo });
    await runOne(store);
    await deliver(store);
    await store.close();
    damage(sql);
    expect(await recoverStore(files.path, 'now')).toMatchObject({ lost: [], messages: 1 });
    expect(await workOff()).toEqual([]);
  });

  test.each([
    ['the message', "UPDATE deliveries SET state = 'pending'"],
    ['its delivery', "UPDATE messages SET state = 'replied'"],
  ])('a reply stays for a person to see to where %s is dead', async (_what, sql) => {
    const store = await files.open();
    await acceptOne(store, 'a', { replyTo });
    await runOne(store);
    const [delivery] = await claimDeliveries(store);
    if (delivery !== undefined) await at(4_000, store).failDelivery(delivery, failure('HTTP 410', null));
    await store.close();
    damage(sql);
    await recoverStore(files.path, 'now');
    expect(await workOff()).toEqual([]);
    expect(await (await files.open()).counts()).toMatchObject({ dead: 1 });
  });

  test('a message with a notice that says that it is queued is run', async () => {
    const store = await files.open();
    await acceptOne(store, 'a', { replyTo });
    await at(3_000, store).failTurn(await claimOne(store), 'exit status 3', null);
    await store.close();
    damage("UPDATE messages SET state = 'queued'");
    await recoverStore(files.path, 'now');
    expect(await workOff()).toEqual(['turn 1', 'reply 1']);
  });

  test.each([
    ['itself', 1],
    ['one of another session', 3],
    ['one that is part of another’s turn', 2],
  ])('a message that is said to be part of the turn of %s is run by itself', async (_what, into) => {
    const store = await files.open();
    for (const session of ['a', 'a', 'b']) await acceptOne(store, session);
    await at(2_000, store).cancelSession('b');
    await store.close();
    damage(`UPDATE messages SET state = 'collected', collected_in = ${into} WHERE number = 1;
      UPDATE messages SET state = 'collected', collected_in = 3 WHERE number = 2`);
    await recoverStore(files.path, 'now');
    expect(await workOff()).toEqual(['turn 1', 'turn 2']);
  });

  test('of two deliveries of a session that have begun none is lost', async () => {
    const store = await files.open();
    for (let seq = 1; seq <= 2; seq += 1) {
      await acceptOne(store, 'a', { replyTo });
      await runOne(store);
    }
    await store.close();
    damage('UPDATE deliveries SET attempts = 1, begun_at = 3000');
    expect(await recoverStore(files.path, 'now')).toMatchObject({ lost: [], messages: 2 });
    expect(await workOff()).toEqual(['reply 1', 'reply 2']);
  });
});

describe('a reply whose delivery can’t be read', () => {
  const replyTo = webhookTarget('https://receiver.example/');

  /** Replies to so many messages of one session. */
  async function reply(
    store: Store,
    idempotent: boolean,
    count = 1,
    replyUnknown: UnknownPolicy | null = null,
  ): Promise<string[]> {
    const ids: string[] = [];
    for (let seq = 1; seq <= count; seq += 1) {
      ids.push((await acceptOne(store, 'a', { replyTo, replyIdempotent: idempotent, replyUnknown })).id);
      await runOne(store);
    }
    return ids;
  }

  const webhookIdOf = (id = '') => `msg_${id.replaceAll('-', '')}`;

  test('is posted under the same webhook-id, and it is told', async () => {
    const store = await files.open();
    const [id] = await reply(store, true);
    await acceptOne(store, 'b');
    await store.close();
    // A message that is missing is counted besides.
    damage('DELETE FROM deliveries; DELETE FROM messages WHERE number = 2');
    const { lost, missing } = await recoverStore(files.path, 'now');
    expect(lost).toEqual([expect.stringMatching(`delivery of message ${id}, 1 of "a".*same webhook-id`)]);
    expect(missing).toBe(1);
    const next = await files.open();
    expect(await next.counts()).toMatchObject({ replied: 1, undelivered: 1 });
    const [delivery] = await claimDeliveries(next);
    expect(delivery).toMatchObject({
      messageId: id,
      webhookId: webhookIdOf(id),
      attempt: 1,
      replyText: 'done',
    });
    if (delivery !== undefined) await at(4_000, next).completeDelivery(delivery);
    expect(await next.message(id ?? '')).toMatchObject({ state: 'delivered' });
  });

  test.each([
    ['ask', null, 'dead', { resent: 0, setAside: 1 }, [2]],
    ['resend', null, 'replied', { resent: 1, setAside: 0 }, [1, 2]],
    ['resend', 'drop', 'dead', { resent: 0, setAside: 1 }, [2]],
    ['drop', 'resend', 'replied', { resent: 1, setAside: 0 }, [1, 2]],
  ] as const)(
    'and may have arrived at a receiver that is not idempotent: delivery.unknown is "%s", its own is %j',
    async (unknownPolicy, replyUnknown, state, unknownDeliveries, seqs) => {
      const store = await files.open();
      const [first = ''] = await reply(store, false, 2, replyUnknown);
      await store.close();
      damage('DELETE FROM deliveries');
      const { lost } = await recoverStore(files.path, 'now');
      expect(lost).toEqual([
        expect.stringContaining(`${replyUnknown === null ? 'delivery' : 'reply_to'}.unknown`),
        expect.stringContaining('webhook-id'),
      ]);
      const { store: next, recovery } = await files.openWithReport({ unknownPolicy });
      expect(recovery).toMatchObject({ unknownDeliveries });
      expect(await next.message(first)).toMatchObject({ state, delivery: { unknown: 1 } });
      const posted: number[] = [];
      for (;;) {
        const [delivery] = await claimDeliveries(next);
        if (delivery === undefined) break;
        posted.push(delivery.seq);
        await at(4_000, next).completeDelivery(delivery);
      }
      expect(posted).toEqual(seqs);
    },
  );

  test.each([
    ['one that waits before it can be read', false],
    ['one that has begun before it can be read', true],
  ])('had not begun where %s', async (_what, begun) => {
    const store = await files.open();
    await reply(store, false, 2);
    const [delivery] = begun ? await claimDeliveries(store) : [];
    if (delivery !== undefined) await at(4_000, store).beginDelivery(delivery);
    await store.close();
    damage('DELETE FROM deliveries WHERE seq = 2');
    await recoverStore(files.path, 'now');
    const { store: next, recovery } = await files.openWithReport({ unknownPolicy: 'resend' });
    expect(recovery.unknownDeliveries).toEqual({ resent: begun ? 1 : 0, setAside: 0 });
    expect((await claimDeliveries(next)).map(({ seq }) => seq)).toEqual([1]);
  });

  test('and was tried again keeps none that had begun from being saved', async () => {
    const store = await files.open();
    const [first = ''] = await reply(store, false);
    const [failing] = await claimDeliveries(store);
    if (failing !== undefined) await at(4_000, store).failDelivery(failing, failure('HTTP 410', null));
    const [second = ''] = await reply(store, false);
    const [delivery] = await claimDeliveries(store);
    if (delivery !== undefined) await at(4_000, store).beginDelivery(delivery);
    await at(4_000, store).retryDead(first);
    await store.close();
    damage('DELETE FROM deliveries WHERE seq = 1');
    const { lost, messages } = await recoverStore(files.path, 'now');
    expect({ lost, messages }).toEqual({ lost: [expect.stringContaining(first)], messages: 2 });
    const { store: next, recovery } = await files.openWithReport();
    expect(recovery.unknownDeliveries).toEqual({ resent: 0, setAside: 1 });
    expect(await next.message(second)).toMatchObject({ state: 'dead' });
    expect((await claimDeliveries(next)).map(({ seq }) => seq)).toEqual([1]);
  });

  test('of a dead message is posted when that is tried again', async () => {
    const store = await files.open();
    const [id = ''] = await reply(store, true);
    const [delivery] = await claimDeliveries(store);
    if (delivery !== undefined) await at(4_000, store).failDelivery(delivery, failure('HTTP 410', null));
    await store.close();
    damage('DELETE FROM deliveries');
    const { lost } = await recoverStore(files.path, 'now');
    expect(lost).toEqual([expect.stringContaining(id)]);
    expect(checkStore(files.path)).toEqual([]);
    const next = await files.open();
    expect(await next.message(id)).toMatchObject({ state: 'dead' });
    expect(await claimDeliveries(next)).toEqual([]);
    expect(await at(5_000, next).retryDead(id)).toMatchObject({ outcome: 'done' });
    expect(await claimDeliveries(next)).toMatchObject([{ messageId: id, webhookId: webhookIdOf(id) }]);
  });
});
