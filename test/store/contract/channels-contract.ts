import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Delivery } from '../../../src/store/deliveries.js';
import type { ReplyTarget } from '../../../src/store/messages.js';
import { checkpointKind } from '../../../src/store/records.js';
import type { Store } from '../../../src/store/store.js';
import { acceptOne, at, claimDeliveries, claimOne, failure, newMessage, noLimits } from '../samples.js';
import type { StoreFactory } from './store-contract.js';

const chat: ReplyTarget = {
  channel: 'telegram',
  address: '-100/7',
  options: { answers: 12, quote: 'grüße 🦀' },
};

/** Duties of every store for channels: the targets of replies, what channels have sent, and what they keep. */
export function channelsContract(name: string, createFactory: () => StoreFactory): void {
  describe(`${name} keeps the contract of channels`, () => {
    let factory: StoreFactory;
    let store: Store;

    beforeEach(async () => {
      factory = createFactory();
      store = await factory.open({ maxAttempts: 3 });
    });
    afterEach(() => factory.remove());

    /** A delivery of the session's only message, which is claimed. */
    async function deliver(session: string): Promise<Delivery> {
      await acceptOne(store, session, { replyTo: chat });
      await at(3_000, store).completeTurn(await claimOne(store), { text: 'r', metadata: {} });
      return claimDelivery();
    }

    async function claimDelivery(now = 3_000, leaseUntil = 13_000): Promise<Delivery> {
      const [delivery] = await claimDeliveries(store, { now, leaseUntil });
      if (delivery === undefined) throw new Error('Expected a delivery.');
      return delivery;
    }

    describe('a target', () => {
      test('is the same for the message, its turn and its delivery', async () => {
        const { id, replyTo } = await acceptOne(store, 'a', { replyTo: chat });
        expect(replyTo).toEqual(chat);
        expect((await store.message(id))?.replyTo).toEqual(chat);
        const turn = await claimOne(store);
        expect(turn.replyTo).toEqual(chat);
        await at(3_000, store).completeTurn(turn, { text: 'r', metadata: {} });
        expect((await claimDelivery()).target).toEqual(chat);
      });

      test('keeps messages apart that would be one turn', async () => {
        await at(1_000, store).setPolicy('a', 'collect');
        const there = { ...chat, options: {} };
        for (const replyTo of [chat, chat, there, { ...there, channel: 'slack' }, null]) {
          await acceptOne(store, 'a', { replyTo });
        }
        const sizes: number[] = [];
        for (let count = 0; count < 4; count += 1) {
          const turn = await claimOne(store, { collectLimit: 9 });
          sizes.push(turn.collected.length + 1);
          await at(3_000, store).completeTurn(turn, { text: 'r', metadata: {} });
        }
        expect(sizes).toEqual([2, 1, 1, 1]);
      });
    });

    describe('an edit or a deletion on the platform', () => {
      const arrived = { session: 'a', channel: 'telegram', idempotencyKey: 'k' };
      const arrive = () => acceptOne(store, 'a', { channel: 'telegram', idempotencyKey: 'k', text: 'one' });

      test('reaches the agent, if the turn has never begun', async () => {
        await acceptOne(store, 'a');
        const { id } = await arrive();
        const first = await claimOne(store);
        const revised = await store.reviseMessage(arrived, 'zwei 🦀');
        expect(revised).toMatchObject({
          outcome: 'revised',
          message: { id, text: 'zwei 🦀', state: 'queued' },
        });
        expect(await store.message(id)).toEqual(revised?.message);
        await at(3_000, store).completeTurn(first, { text: 'r', metadata: {} });
        expect(await claimOne(store)).toMatchObject({ messageId: id, text: 'zwei 🦀' });
      });

      test('leaves the text that an agent was given', async () => {
        const { id } = await arrive();
        const turn = await claimOne(store);
        const late = { outcome: 'late', message: { id, text: 'one' } };
        expect(await store.reviseMessage(arrived, 'two')).toMatchObject(late);
        expect(await store.reviseMessage(arrived, null)).toMatchObject(late);
        await at(3_000, store).failTurn(turn, 'exit status 1', 60_000);
        expect(await store.reviseMessage(arrived, 'two')).toMatchObject(late);
        expect(await store.message(id)).toMatchObject({ text: 'one', state: 'queued' });
      });

      test('cancels a message that waits, also for its next attempt', async () => {
        await arrive();
        await at(3_000, store).failTurn(await claimOne(store), 'exit status 1', 6_000);
        const next = await acceptOne(store, 'a');
        expect(await at(4_000, store).reviseMessage(arrived, null)).toMatchObject({
          outcome: 'revised',
          message: { state: 'cancelled' },
        });
        expect(await store.reviseMessage(arrived, null)).toMatchObject({ outcome: 'late' });
        expect(await claimOne(store, { now: 10_000 })).toMatchObject({ messageId: next.id });
        expect(await store.counts()).toMatchObject({ queued: 0, running: 1, cancelled: 1 });
      });

      test('is of the message with this id in this session, which came by this channel', async () => {
        await arrive();
        for (const other of [{ session: 'b' }, { channel: 'slack' }, { idempotencyKey: 'l' }]) {
          expect(await store.reviseMessage({ ...arrived, ...other }, 'two')).toBeNull();
        }
        const sent = { channel: 'telegram', idempotencyKey: 'k', text: 'one' };
        await store.reviseMessage(arrived, 'two');
        await expect(acceptOne(store, 'a', sent)).rejects.toThrow('repeated');
      });
    });

    describe('a reply in parts', () => {
      test('goes on behind what was taken, after a crash, a stop and a failure', async () => {
        const first = await deliver('a');
        expect(first.parts).toEqual([]);
        expect(await at(3_000, store).noteDeliveryPart(first, 1, { id: 7 })).toBe(true);
        await at(3_000, store).putBackDeliveries([first]);
        const second = await claimDelivery(4_000, 5_000);
        expect(second.parts).toEqual([{ part: 1, receipt: { id: 7 } }]);
        await at(4_000, store).noteDeliveryPart(second, 2, 'x');
        // Its owner is gone.
        const [third] = await claimDeliveries(store, { owner: 'second', now: 5_000 });
        expect(third?.parts).toEqual([
          { part: 1, receipt: { id: 7 } },
          { part: 2, receipt: 'x' },
        ]);
        expect(await at(5_000, store).noteDeliveryPart(second, 3, null)).toBe(false);
        if (third === undefined) return;
        await at(5_000, store).failDelivery(third, failure('HTTP 503', 1_000));
        expect((await claimDelivery(6_000)).parts).toHaveLength(2);
      });

      test('replaces the preview that was sent while its turn ran, also where that runs again', async () => {
        await acceptOne(store, 'a', { replyTo: chat });
        const lost = await claimOne(store);
        expect(await at(2_000, store).notePreview(lost, { id: 1 })).toBe(true);
        await at(2_000, store).putBackTurns([lost]);
        const turn = await claimOne(store);
        expect(await at(2_000, store).notePreview(lost, { id: 9 })).toBe(false);
        expect(await at(2_000, store).notePreview(turn, { id: 2 })).toBe(true);
        await at(3_000, store).completeTurn(turn, { text: 'r', metadata: {} });
        expect((await claimDelivery()).parts).toEqual([{ part: 0, receipt: { id: 2 } }]);
      });

      test('that a person has sent again goes on where it was; one whose turn runs again begins anew', async () => {
        const delivery = await deliver('a');
        await at(3_000, store).noteDeliveryPart(delivery, 1, { id: 7 });
        await at(3_000, store).failDelivery(delivery, failure('HTTP 410', null));
        await at(4_000, store).retryDead(delivery.messageId);
        expect((await claimDelivery(4_000)).parts).toHaveLength(1);

        const { id } = await acceptOne(store, 'b', { replyTo: chat });
        await at(3_000, store).failTurn(await claimOne(store), 'exit status 3', null);
        const notice = await claimDelivery(5_000);
        await at(5_000, store).noteDeliveryPart(notice, 1, { id: 8 });
        await at(5_000, store).completeDelivery(notice);
        await at(6_000, store).retryDead(id);
        await at(7_000, store).completeTurn(await claimOne(store), { text: 'r', metadata: {} });
        expect((await claimDelivery(7_000)).parts).toEqual([]);
      });

      test.each([0, -1, 1.5])('has no part %d', async (part) => {
        const delivery = await deliver('a');
        await expect(store.noteDeliveryPart(delivery, part, null)).rejects.toThrow('part');
      });
    });

    describe('what comes together', () => {
      const checkpoint = { channel: 'telegram', key: 'bot', value: { offset: 41 } };
      const mark = () => store.record(checkpointKind('telegram'), 'bot');
      const key = (idempotencyKey: string, session = 'a') =>
        newMessage(session, { channel: 'telegram', idempotencyKey });

      test('is taken in with its checkpoint, each with an outcome of its own', async () => {
        await store.acceptAll([key('1')], noLimits, null);
        expect(await mark()).toBeNull();
        const outcomes = await store.acceptAll(
          [key('1'), key('2'), key('3', 'b'), key('4')],
          { session: 2, total: 10 },
          checkpoint,
        );
        expect(outcomes).toMatchObject([
          { outcome: 'repeated', message: { seq: 1 } },
          { outcome: 'accepted', message: { session: 'a', seq: 2 }, turn: null },
          { outcome: 'accepted', message: { session: 'b', seq: 1 } },
          { outcome: 'full', limit: 'session' },
        ]);
        expect(await mark()).toMatchObject({ value: { offset: 41 } });
        await store.acceptAll([], noLimits, { ...checkpoint, value: { offset: 42 } });
        expect(await mark()).toMatchObject({ value: { offset: 42 } });
      });

      test('is kept as dead in a full session if that is wanted, and a person may have it run', async () => {
        const [id, other] = [newMessage('a').id, newMessage('a').id];
        const full = { ...key('2'), id, deadIfFull: true };
        const limits = { session: 1, total: 10 };
        const outcomes = await store.acceptAll([key('1'), full, { ...full, id: other }], limits, checkpoint);
        expect(outcomes).toMatchObject([
          { outcome: 'accepted' },
          { outcome: 'full', limit: 'session', waiting: 1 },
          { outcome: 'repeated', message: { id, state: 'dead' } },
        ]);
        expect(await mark()).toMatchObject({ value: { offset: 41 } });
        expect(await store.counts()).toMatchObject({ sessions: 1, queued: 1, dead: 1 });
        expect(await store.message(id)).toMatchObject({
          seq: 2,
          state: 'dead',
          error: 'It was not queued: 1 messages wait in its session (dispatch.session_queue).',
        });
        expect(await store.acceptAll([key('3')], { session: 2, total: 10 }, null)).toMatchObject([
          { outcome: 'accepted', message: { seq: 3 } },
        ]);
        await store.retryDead(id);
        expect(await store.counts()).toMatchObject({ queued: 3, dead: 0 });
        const order: number[] = [];
        for (let turns = 0; turns < 3; turns += 1) {
          const turn = await claimOne(store);
          order.push(turn.seq);
          await at(3_000, store).completeTurn(turn, { text: 'r', metadata: {} });
        }
        expect(order).toEqual([1, 2, 3]);
      });

      test('is kept as dead as the first of its session, too', async () => {
        const outcomes = await store.acceptAll(
          [{ ...key('1'), deadIfFull: true }, key('2')],
          { session: 1, total: 0 },
          null,
        );
        expect(outcomes).toMatchObject([{ outcome: 'full', limit: 'total' }, { outcome: 'full' }]);
        expect(await store.counts()).toMatchObject({ sessions: 1, queued: 0, dead: 1 });
        expect(await store.acceptAll([key('3')], noLimits, null)).toMatchObject([
          { outcome: 'accepted', message: { seq: 2, state: 'queued' } },
        ]);
      });

      test('is not taken in at all, nor is the checkpoint, where one of it can’t be', async () => {
        await store.acceptAll([], noLimits, checkpoint);
        const broken = newMessage('a', { id: 'no UUID' });
        const later = { ...checkpoint, value: { offset: 99 } };
        await expect(store.acceptAll([key('1'), broken], noLimits, later)).rejects.toThrow('UUID');
        expect(await store.counts()).toMatchObject({ sessions: 0, queued: 0 });
        expect(await mark()).toMatchObject({ value: { offset: 41 } });
      });
    });

    test('a key of one channel is none of another’s', async () => {
      const by = (channel: string, byte: number) =>
        newMessage('a', { channel, idempotencyKey: 'k', fingerprint: new Uint8Array(32).fill(byte) });
      expect(await store.accept(by('http', 1), noLimits)).toMatchObject({ outcome: 'accepted' });
      expect(await store.accept(by('telegram', 2), noLimits)).toMatchObject({ outcome: 'accepted' });
      expect(await store.accept(by('telegram', 2), noLimits)).toMatchObject({ outcome: 'repeated' });
      expect(await store.accept(by('http', 2), noLimits)).toMatchObject({ outcome: 'conflict' });
    });

    describe('a record', () => {
      const person = { kind: 'person', key: 'ada', value: { role: 'owner', n: [1, null] } };

      test('is kept as it was given, under a version that rises', async () => {
        expect(await store.record('person', 'ada')).toBeNull();
        const first = await at(1_000, store).putRecord(person);
        const stored = await store.record('person', 'ada');
        expect(stored).toEqual({ ...person, version: expect.any(Number), expiresAt: null });
        expect(first).toEqual({ outcome: 'written', version: stored?.version });
        const second = await store.putRecord({ ...person, value: 'x' });
        expect(second.outcome === 'written' && second.version).toBeGreaterThan(stored?.version ?? Number.NaN);
        expect(await store.record('token', 'ada')).toBeNull();
      });

      test('is written only where it is as it was expected', async () => {
        const first = await store.putRecord(person, null);
        if (first.outcome !== 'written') throw new Error('It was there.');
        const conflict = { outcome: 'conflict', record: { value: person.value, version: first.version } };
        expect(await store.putRecord({ ...person, value: 1 }, null)).toMatchObject(conflict);
        expect(await store.putRecord({ ...person, value: 1 }, first.version - 1)).toMatchObject(conflict);
        expect(await store.putRecord({ ...person, value: 2 }, first.version)).toMatchObject({
          outcome: 'written',
        });
        expect(await store.deleteRecord('person', 'ada', first.version)).toBe(false);
        expect(await store.deleteRecord('person', 'ada')).toBe(true);
        expect(await store.deleteRecord('person', 'ada')).toBe(false);
        expect(await store.putRecord(person, first.version)).toEqual({ outcome: 'conflict', record: null });
      });

      test('of one that was deleted has no version again that was given before', async () => {
        const first = await store.putRecord(person);
        await store.deleteRecord('person', 'ada');
        const again = await store.putRecord(person, null);
        if (first.outcome !== 'written' || again.outcome !== 'written') throw new Error('It was there.');
        expect(again.version).toBeGreaterThan(first.version);
      });

      test('that has expired is as if it had never been', async () => {
        await at(1_000, store).putRecord({ ...person, expiresInMs: 500 });
        expect(await at(1_499, store).record('person', 'ada')).toMatchObject({ expiresAt: 1_500 });
        expect(await at(1_500, store).record('person', 'ada')).toBeNull();
        expect(await at(1_500, store).records('person', { limit: 9, after: null })).toMatchObject({
          items: [],
        });
        expect(await at(1_500, store).deleteRecord('person', 'ada')).toBe(false);
        expect(await at(1_500, store).putRecord(person, null)).toMatchObject({ outcome: 'written' });
        // The next one says anew how long it is kept.
        expect(await at(9_000, store).record('person', 'ada')).toMatchObject({ expiresAt: null });
      });

      test('is listed with those of its kind, in the order of their keys', async () => {
        for (const key of ['c', 'a', 'b']) await store.putRecord({ kind: 'person', key, value: key });
        await store.putRecord({ kind: 'token', key: 'aa', value: null });
        const first = await store.records('person', { limit: 2, after: null });
        const second = await store.records('person', { limit: 2, after: first.next });
        expect([first, second].map(({ items }) => items.map(({ key }) => key))).toEqual([['a', 'b'], ['c']]);
        expect(second.next).toBeNull();
        await expect(store.records('person', { limit: 1, after: 'x' })).rejects.toMatchObject({
          reason: 'bad-cursor',
        });
      });
    });
  });
}
