import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { webhookTarget } from '../../../src/store/messages.js';
import type { Store } from '../../../src/store/store.js';
import {
  acceptOne,
  answerOne,
  at,
  claimDeliveries,
  claimOne,
  claimTurns,
  dueAt,
  failure,
} from '../samples.js';
import type { StoreFactory } from './store-contract.js';

const replyTo = webhookTarget('https://receiver.example/');

/** Duties of every store when people cancel messages and see to dead ones. */
export function byHandContract(name: string, createFactory: () => StoreFactory): void {
  describe(`${name} keeps the contract of what people do`, () => {
    let factory: StoreFactory;
    let store: Store;

    beforeEach(async () => {
      factory = createFactory();
      store = await factory.open({ maxAttempts: 3 });
    });
    afterEach(() => factory.remove());

    describe('cancelling', () => {
      test('a message that waits: the session goes on with the next one', async () => {
        const first = await acceptOne(store, 'a');
        const second = await acceptOne(store, 'a');
        const third = await acceptOne(store, 'a');
        for (const { id } of [first, second]) {
          expect(await at(3_000, store).cancelMessage(id)).toMatchObject({
            outcome: 'cancelled',
            running: false,
            message: { id, state: 'cancelled', changedAt: 3_000 },
          });
        }
        expect((await claimOne(store)).messageId).toBe(third.id);
        expect(await store.counts()).toMatchObject({ queued: 0, running: 1, cancelled: 2 });
      });

      test('one that runs: the session waits for the end of its turn, whose reply is dropped', async () => {
        const first = await acceptOne(store, 'a', { replyTo });
        const second = await acceptOne(store, 'a');
        const turn = await claimOne(store);
        expect(await at(3_000, store).cancelMessage(first.id)).toMatchObject({
          outcome: 'cancelled',
          running: true,
        });
        expect(await at(3_001, store).cancelMessage(first.id)).toMatchObject({
          outcome: 'cancelled',
          running: true,
        });
        expect(await claimTurns(store)).toEqual([]);
        expect(await at(4_000, store).completeTurn(turn, { text: 'late', metadata: {} })).toBe(false);
        expect(await store.message(first.id)).toMatchObject({
          state: 'cancelled',
          reply: null,
          delivery: null,
        });
        expect((await claimOne(store)).messageId).toBe(second.id);
        expect(await store.counts()).toMatchObject({ running: 1, cancelled: 1, undelivered: 0 });
      });

      test.each(['release', 'fail', 'put back', 'owner gone'])('its turn ends by: %s', async (how) => {
        const first = await acceptOne(store, 'a');
        const second = await acceptOne(store, 'a');
        const turn = await claimOne(store, { leaseUntil: 5_000 });
        expect(await store.releaseTurn(turn)).toBe(false);
        await at(3_000, store).cancelMessage(first.id);
        if (how === 'release') expect(await store.releaseTurn(turn)).toBe(true);
        if (how === 'fail') expect(await at(4_000, store).failTurn(turn, 'ended', 5_000)).toBe(false);
        if (how === 'put back') expect(await at(4_000, store).putBackTurns([turn])).toBe(0);
        const next = await claimOne(store, { owner: 'second', now: 5_000 });
        expect(next).toMatchObject({ messageId: second.id, attempt: 1 });
        expect(await store.message(first.id)).toMatchObject({ state: 'cancelled', attempts: 1 });
        expect(await store.releaseTurn(turn)).toBe(false);
      });

      test('one that waits for its next attempt', async () => {
        const message = await acceptOne(store, 'a');
        await at(3_000, store).failTurn(await claimOne(store), 'exit status 1', 6_000);
        await at(4_000, store).cancelMessage(message.id);
        expect(await claimTurns(store, { now: 10_000 })).toEqual([]);
        expect(await dueAt(store, 'first')).toBeNull();
        expect(await store.message(message.id)).toMatchObject({ state: 'cancelled', error: 'exit status 1' });
      });

      test('what has come to its end is left alone; what is not there is null', async () => {
        const message = await answerOne(store, 'a');
        expect(await at(4_000, store).cancelMessage(message.id)).toMatchObject({
          outcome: 'settled',
          message: { state: 'replied' },
        });
        expect(await at(4_000, store).cancelMessage('0193a1b2-c3d4-7e8f-9a0b-1c2d3e4f5a6b')).toBeNull();
        expect(await at(4_000, store).cancelMessage('no id')).toBeNull();
        expect(await at(4_000, store).cancelSession('nowhere')).toBeNull();
        expect(await at(4_000, store).cancelSession('a')).toEqual({ messages: [] });
      });

      test('a session: all that waits and what runs, and no other session', async () => {
        const ids = [];
        for (let seq = 1; seq <= 3; seq += 1) ids.push((await acceptOne(store, 'a')).id);
        await acceptOne(store, 'b');
        const turn = await claimOne(store);
        expect(await at(3_000, store).cancelSession('a')).toEqual({
          messages: ids.map((id, index) => ({ id, seq: index + 1, running: index === 0 })),
        });
        expect(await store.counts()).toMatchObject({ queued: 1, running: 0, cancelled: 3 });
        expect(await store.releaseTurn(turn)).toBe(true);
        const later = await acceptOne(store, 'a');
        const turns = await claimTurns(store);
        expect(turns.map(({ session, seq }) => [session, seq])).toEqual([
          ['b', 1],
          ['a', later.seq],
        ]);
      });

      test('the same key still gives the message', async () => {
        const sent = { idempotencyKey: 'k' };
        const { id } = await acceptOne(store, 'a', sent);
        await at(3_000, store).cancelMessage(id);
        await expect(acceptOne(store, 'a', sent)).rejects.toThrow('repeated');
      });
    });

    describe('dead messages', () => {
      async function deadTurn(session: string, changes = {}) {
        const message = await acceptOne(store, session, changes);
        await at(3_000, store).failTurn(await claimOne(store), 'exit status 3', null);
        return message;
      }

      async function deadDelivery(session: string) {
        const message = await answerOne(store, session);
        const [delivery] = await claimDeliveries(store, { limit: 1 });
        if (delivery === undefined) throw new Error('Expected a delivery.');
        await at(4_000, store).failDelivery(delivery, failure('HTTP 410', null));
        return { message, delivery };
      }

      test('are listed in pages, in the order in which they were accepted', async () => {
        const ids = [];
        for (const session of ['z', 'y', 'x']) ids.push((await deadTurn(session)).id);
        await acceptOne(store, 'alive');
        const first = await store.deadMessages({ limit: 2, after: null });
        expect(first.items.map(({ id }) => id)).toEqual(ids.slice(0, 2));
        const second = await store.deadMessages({ limit: 2, after: first.next });
        expect(second).toMatchObject({ items: [{ id: ids[2], error: 'exit status 3' }], next: null });
        await expect(store.deadMessages({ limit: 2, after: 'bogus' })).rejects.toMatchObject({
          reason: 'bad-cursor',
        });
      });

      test('are run again as the next of their session, with attempts counted anew', async () => {
        const dead = await deadTurn('a');
        await acceptOne(store, 'a');
        const later = await acceptOne(store, 'a');
        const running = await claimOne(store);
        expect(await at(5_000, store).retryDead(dead.id)).toMatchObject({
          outcome: 'done',
          message: { state: 'queued', attempts: 0, error: null },
        });
        await at(6_000, store).completeTurn(running, { text: 'second', metadata: {} });
        const again = await claimOne(store);
        expect(again).toMatchObject({ messageId: dead.id, attempt: 1 });
        await at(7_000, store).completeTurn(again, { text: 'at last', metadata: {} });
        expect((await claimOne(store)).messageId).toBe(later.id);
        expect(await store.counts()).toMatchObject({ queued: 0, running: 1, replied: 2, dead: 0 });
      });

      test('have their reply sent again under the same key, and it counts as new', async () => {
        const { message, delivery } = await deadDelivery('a');
        expect(await at(90_000_000, store).retryDead(message.id)).toMatchObject({
          outcome: 'done',
          message: { state: 'replied' },
        });
        const [again] = await claimDeliveries(store, { now: 90_000_001, leaseUntil: 90_100_000 });
        expect(again).toMatchObject({
          webhookId: delivery.webhookId,
          repliedAt: delivery.repliedAt,
          dueSince: 90_000_000,
          attempt: 1,
        });
        if (again !== undefined) await at(90_000_002, store).completeDelivery(again);
        expect(await store.message(message.id)).toMatchObject({ state: 'delivered', error: null });
        expect(await store.counts()).toMatchObject({ delivered: 1, dead: 0, undelivered: 0 });
      });

      test.each(['reply', 'notice'])(
        'that are run again have a %s whose age counts from when it is there',
        async (end) => {
          const { id } = await deadTurn('a', { replyTo });
          await at(90_000_000, store).retryDead(id);
          const later = { now: 200_000_000, leaseUntil: 200_010_000 };
          const turn = await claimOne(store, later);
          if (end === 'reply')
            await at(later.now, store).completeTurn(turn, { text: 'at last', metadata: {} });
          else await at(later.now, store).failTurn(turn, 'exit status 3', null);
          expect(await claimDeliveries(store, later)).toMatchObject([{ messageId: id, dueSince: later.now }]);
        },
      );

      test('are discarded, and keep their reason', async () => {
        const { id } = await deadTurn('a');
        expect(await at(5_000, store).discardMessage(id)).toMatchObject({
          outcome: 'done',
          message: { state: 'cancelled', error: expect.stringContaining('exit status 3') },
        });
        expect(await store.deadMessages({ limit: 9, after: null })).toEqual({ items: [], next: null });
        expect(await store.counts()).toMatchObject({ dead: 0, cancelled: 1 });
      });

      test('twice is discarded as once, and what was cancelled stays so', async () => {
        const { id } = await deadTurn('a');
        const first = await at(5_000, store).discardMessage(id);
        expect(await at(6_000, store).discardMessage(id)).toEqual(first);
        const cancelled = await acceptOne(store, 'a');
        await at(5_000, store).cancelMessage(cancelled.id);
        expect(await at(6_000, store).discardMessage(cancelled.id)).toMatchObject({
          outcome: 'done',
          message: { state: 'cancelled', error: null, changedAt: 5_000 },
        });
        expect(await store.counts()).toMatchObject({ dead: 0, cancelled: 2 });
      });

      test('only they can be tried again or discarded', async () => {
        const { id } = await acceptOne(store, 'a');
        expect(await at(5_000, store).retryDead(id)).toMatchObject({ outcome: 'not-dead', message: { id } });
        expect(await at(5_000, store).discardMessage(id)).toMatchObject({
          outcome: 'not-dead',
          message: { id },
        });
        expect(await at(5_000, store).retryDead('no id')).toBeNull();
        expect(await at(5_000, store).discardMessage('no id')).toBeNull();
      });

      test('tell their sender by a notice of its own key, and stay dead whatever becomes of it', async () => {
        const { id } = await deadTurn('a', { replyTo });
        expect(await store.message(id)).toMatchObject({ state: 'dead', delivery: { kind: 'notice' } });
        const [notice] = await claimDeliveries(store);
        expect(notice).toMatchObject({
          messageId: id,
          notice: 'exit status 3',
          target: replyTo,
          webhookId: expect.stringMatching(/^msg_[0-9a-f]{32}_failed$/),
          repliedAt: 3_000,
        });
        if (notice === undefined) return;
        expect(await at(5_000, store).retryDead(id)).toMatchObject({ outcome: 'busy' });
        await at(5_000, store).completeDelivery(notice);
        expect(await store.message(id)).toMatchObject({ state: 'dead', delivery: { deliveredAt: 5_000 } });
        expect(await store.counts()).toMatchObject({ dead: 1, replied: 0, delivered: 0, undelivered: 0 });

        const failed = await deadTurn('b', { replyTo });
        const [other] = await claimDeliveries(store);
        if (other !== undefined) await at(6_000, store).failDelivery(other, failure('HTTP 410', null));
        expect(await store.message(failed.id)).toMatchObject({
          state: 'dead',
          error: 'exit status 3',
          delivery: { lastError: 'HTTP 410' },
        });
        expect(await store.counts()).toMatchObject({ dead: 2, replied: 0, undelivered: 0 });
      });

      test('that are dead once more are told of by another notice', async () => {
        const { id } = await deadTurn('a', { replyTo });
        const [first] = await claimDeliveries(store);
        if (first === undefined) throw new Error('There is no notice.');
        await at(4_000, store).completeDelivery(first);
        await at(5_000, store).retryDead(id);
        await at(6_000, store).failTurn(await claimOne(store), 'exit status 4', null);
        const [second] = await claimDeliveries(store);
        expect(second).toMatchObject({ messageId: id, notice: 'exit status 4' });
        expect(second?.webhookId).toMatch(/^msg_[0-9a-f]{32}_failed_5000$/);
      });

      test('a notice says the same at each attempt, also when its message is discarded in between', async () => {
        const { id } = await deadTurn('a', { replyTo });
        const [first] = await claimDeliveries(store);
        if (first === undefined) throw new Error('There is no notice.');
        await at(3_500, store).failDelivery(first, failure('HTTP 503', 500));
        expect(await at(5_000, store).discardMessage(id)).toMatchObject({ message: { state: 'cancelled' } });
        const again = await claimDeliveries(store, { now: 6_000, leaseUntil: 16_000 });
        expect(again).toEqual([{ ...first, attempt: 2, epoch: expect.any(Number) }]);
      });

      test.each(['waits for its next attempt', 'is being posted', 'has not been posted'])(
        'that are discarded have no more than one attempt made to tell of them: the notice %s',
        async (condition) => {
          const { id } = await deadTurn('a', { replyTo });
          const behind = await answerOne(store, 'a');
          const [notice] = condition === 'has not been posted' ? [] : await claimDeliveries(store);
          const waits = condition.startsWith('waits');
          if (waits && notice !== undefined)
            await at(4_000, store).failDelivery(notice, failure('503', 86_000));
          expect(await at(5_000, store).discardMessage(id)).toMatchObject({ outcome: 'done' });
          const now = { now: 5_000, leaseUntil: 15_000 };
          const [last] = condition === 'is being posted' ? [notice] : await claimDeliveries(store, now);
          expect(last).toMatchObject({ messageId: id, attempt: waits ? 2 : 1 });
          if (last !== undefined) await at(6_000, store).failDelivery(last, failure('503', 84_000));
          expect(await store.message(id)).toMatchObject({
            state: 'cancelled',
            error: 'exit status 3',
            delivery: { kind: 'notice', lastError: '503', nextAttemptAt: null },
          });
          expect(await claimDeliveries(store, now)).toMatchObject([{ messageId: behind.id }]);
          expect(await store.counts()).toMatchObject({ cancelled: 1, replied: 1, undelivered: 1 });
        },
      );

      test('a notice that has not gone out is withdrawn when the message is tried again', async () => {
        const { id } = await deadTurn('a', { replyTo });
        await at(5_000, store).retryDead(id);
        expect(await claimDeliveries(store)).toEqual([]);
        expect(await store.counts()).toMatchObject({ undelivered: 0 });
        await at(6_000, store).completeTurn(await claimOne(store), { text: 'at last', metadata: {} });
        const [delivery] = await claimDeliveries(store);
        expect(delivery).toMatchObject({ notice: null, replyText: 'at last' });
        expect(delivery?.webhookId).not.toContain('failed');
      });
    });

    describe('discarding a reply that waits to be posted', () => {
      async function failed(session: string) {
        const message = await answerOne(store, session);
        const [delivery] = await claimDeliveries(store);
        if (delivery === undefined) throw new Error('Expected a delivery.');
        await at(4_000, store).failDelivery(delivery, failure('HTTP 503', 86_000));
        return message;
      }

      test('gives it up and keeps it, and the session goes on with the next one at once', async () => {
        const { id } = await failed('a');
        const next = await answerOne(store, 'a');
        expect(await claimDeliveries(store, { now: 5_000 })).toEqual([]);
        const first = await at(5_000, store).discardMessage(id);
        expect(first).toMatchObject({
          outcome: 'done',
          message: {
            state: 'cancelled',
            error: 'Discarded before its reply was delivered: HTTP 503',
            changedAt: 5_000,
            reply: { text: 'reply to a message to a' },
            delivery: { attempts: 1, lastError: 'HTTP 503', nextAttemptAt: null, deliveredAt: null },
          },
        });
        expect(await claimDeliveries(store, { now: 5_000 })).toMatchObject([{ messageId: next.id }]);
        expect(await at(6_000, store).discardMessage(id)).toEqual(first);
        expect(await at(6_000, store).retryDead(id)).toMatchObject({ outcome: 'not-dead' });
        expect(await store.counts()).toMatchObject({ replied: 1, dead: 0, cancelled: 1, undelivered: 1 });
      });

      test('is the same for one that waits behind another', async () => {
        const waiting = await failed('a');
        const [second, third] = [await answerOne(store, 'a'), await answerOne(store, 'a')];
        expect(await at(5_000, store).discardMessage(second.id)).toMatchObject({
          outcome: 'done',
          message: { state: 'cancelled', error: 'Discarded before its reply was delivered.' },
        });
        const seen: string[] = [];
        for (;;) {
          const [delivery] = await claimDeliveries(store, { now: 90_000, leaseUntil: 99_000 });
          if (delivery === undefined) break;
          seen.push(delivery.messageId);
          await at(91_000, store).completeDelivery(delivery);
        }
        expect(seen).toEqual([waiting.id, third.id]);
        expect(await store.counts()).toMatchObject({ delivered: 2, cancelled: 1, undelivered: 0 });
      });

      test.each(['delivered', 'failed', 'put back'])(
        'is refused while it is being posted, and judged anew when that has ended: %s',
        async (end) => {
          const { id } = await answerOne(store, 'a');
          const [delivery] = await claimDeliveries(store);
          if (delivery === undefined) throw new Error('Expected a delivery.');
          expect(await at(5_000, store).discardMessage(id)).toMatchObject({
            outcome: 'busy',
            message: { state: 'replied' },
          });
          if (end === 'delivered') expect(await at(6_000, store).completeDelivery(delivery)).toBe(true);
          if (end === 'failed')
            expect(await at(6_000, store).failDelivery(delivery, failure('503', 84_000))).toBe(true);
          if (end === 'put back') expect(await at(6_000, store).putBackDeliveries([delivery])).toBe(1);
          expect(await at(7_000, store).discardMessage(id)).toMatchObject(
            end === 'delivered'
              ? { outcome: 'not-dead', message: { state: 'delivered' } }
              : { outcome: 'done', message: { state: 'cancelled' } },
          );
          expect(await store.counts()).toMatchObject({ undelivered: 0 });
        },
      );

      test('needs one that waits', async () => {
        const { id } = await acceptOne(store, 'a');
        await at(3_000, store).completeTurn(await claimOne(store), { text: 'for nobody', metadata: {} });
        expect(await at(5_000, store).discardMessage(id)).toMatchObject({
          outcome: 'not-dead',
          message: { state: 'replied' },
        });
      });
    });
  });
}
