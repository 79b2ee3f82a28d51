import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Store } from '../../src/store/store.js';
import { acceptOne, claim, claimOne, failure, replyTo } from './samples.js';
import type { StoreFactory } from './store-contract.js';

const replyUrl = 'https://receiver.example/';

/** What every store must do when people cancel messages and see to dead ones. */
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
          expect(await store.cancelMessage(id, 3_000)).toMatchObject({
            outcome: 'cancelled',
            running: false,
            message: { id, state: 'cancelled', changedAt: 3_000 },
          });
        }
        expect((await claimOne(store)).messageId).toBe(third.id);
        expect(await store.counts()).toMatchObject({ queued: 0, running: 1, cancelled: 2 });
      });

      test('one that runs: the session waits for the end of its turn, whose reply is dropped', async () => {
        const first = await acceptOne(store, 'a', { replyUrl });
        const second = await acceptOne(store, 'a');
        const turn = await claimOne(store);
        expect(await store.cancelMessage(first.id, 3_000)).toMatchObject({
          outcome: 'cancelled',
          running: true,
        });
        expect(await store.cancelMessage(first.id, 3_001)).toMatchObject({
          outcome: 'cancelled',
          running: true,
        });
        expect(await store.claimTurns(claim())).toEqual([]);
        expect(await store.completeTurn(turn, { text: 'late', metadata: {} }, 4_000)).toBe(false);
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
        await store.cancelMessage(first.id, 3_000);
        if (how === 'release') expect(await store.releaseTurn(turn)).toBe(true);
        if (how === 'fail') expect(await store.failTurn(turn, 'ended', 9_000, 4_000)).toBe(false);
        if (how === 'put back') expect(await store.putBackTurns([turn], 4_000)).toBe(0);
        const next = await claimOne(store, { owner: 'second', now: 5_000 });
        expect(next).toMatchObject({ messageId: second.id, attempt: 1 });
        expect(await store.message(first.id)).toMatchObject({ state: 'cancelled', attempts: 1 });
        expect(await store.releaseTurn(turn)).toBe(false);
      });

      test('one that waits for its next attempt', async () => {
        const message = await acceptOne(store, 'a');
        await store.failTurn(await claimOne(store), 'exit status 1', 9_000, 3_000);
        await store.cancelMessage(message.id, 4_000);
        expect(await store.claimTurns(claim({ now: 10_000 }))).toEqual([]);
        expect(await store.nextDueAt('first')).toBeNull();
        expect(await store.message(message.id)).toMatchObject({ state: 'cancelled', error: 'exit status 1' });
      });

      test('what has come to its end is left alone; what is not there is null', async () => {
        const message = await replyTo(store, 'a');
        expect(await store.cancelMessage(message.id, 4_000)).toMatchObject({
          outcome: 'settled',
          message: { state: 'replied' },
        });
        expect(await store.cancelMessage('0193a1b2-c3d4-7e8f-9a0b-1c2d3e4f5a6b', 4_000)).toBeNull();
        expect(await store.cancelMessage('no id', 4_000)).toBeNull();
        expect(await store.cancelSession('nowhere', 4_000)).toBeNull();
        expect(await store.cancelSession('a', 4_000)).toEqual({ messages: [] });
      });

      test('a session: all that waits and what runs, and no other session', async () => {
        const ids = [];
        for (let seq = 1; seq <= 3; seq += 1) ids.push((await acceptOne(store, 'a')).id);
        await acceptOne(store, 'b');
        const turn = await claimOne(store);
        expect(await store.cancelSession('a', 3_000)).toEqual({
          messages: ids.map((id, index) => ({ id, seq: index + 1, running: index === 0 })),
        });
        expect(await store.counts()).toMatchObject({ queued: 1, running: 0, cancelled: 3 });
        expect(await store.releaseTurn(turn)).toBe(true);
        const later = await acceptOne(store, 'a');
        const turns = await store.claimTurns(claim());
        expect(turns.map(({ session, seq }) => [session, seq])).toEqual([
          ['b', 1],
          ['a', later.seq],
        ]);
      });

      test('the same key still gives the message', async () => {
        const sent = { idempotencyKey: 'k' };
        const { id } = await acceptOne(store, 'a', sent);
        await store.cancelMessage(id, 3_000);
        await expect(acceptOne(store, 'a', sent)).rejects.toThrow('repeated');
      });
    });

    describe('dead messages', () => {
      async function deadTurn(session: string, changes = {}) {
        const message = await acceptOne(store, session, changes);
        await store.failTurn(await claimOne(store), 'exit status 3', null, 3_000);
        return message;
      }

      async function deadDelivery(session: string) {
        const message = await replyTo(store, session);
        const [delivery] = await store.claimDeliveries(claim({ limit: 1 }));
        if (delivery === undefined) throw new Error('Expected a delivery.');
        await store.failDelivery(delivery, failure('HTTP 410', null), 4_000);
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
        expect(await store.retryDead(dead.id, 5_000)).toMatchObject({
          outcome: 'done',
          message: { state: 'queued', attempts: 0, error: null },
        });
        await store.completeTurn(running, { text: 'second', metadata: {} }, 6_000);
        const again = await claimOne(store);
        expect(again).toMatchObject({ messageId: dead.id, attempt: 1 });
        await store.completeTurn(again, { text: 'at last', metadata: {} }, 7_000);
        expect((await claimOne(store)).messageId).toBe(later.id);
        expect(await store.counts()).toMatchObject({ queued: 0, running: 1, replied: 2, dead: 0 });
      });

      test('have their reply sent again under the same key, and it counts as new', async () => {
        const { message, delivery } = await deadDelivery('a');
        expect(await store.retryDead(message.id, 90_000_000)).toMatchObject({
          outcome: 'done',
          message: { state: 'replied' },
        });
        const [again] = await store.claimDeliveries(claim({ now: 90_000_001, leaseUntil: 90_100_000 }));
        expect(again).toMatchObject({
          webhookId: delivery.webhookId,
          repliedAt: delivery.repliedAt,
          dueSince: 90_000_000,
          attempt: 1,
        });
        if (again !== undefined) await store.completeDelivery(again, 90_000_002);
        expect(await store.message(message.id)).toMatchObject({ state: 'delivered', error: null });
        expect(await store.counts()).toMatchObject({ delivered: 1, dead: 0, undelivered: 0 });
      });

      test.each(['reply', 'notice'])(
        'that are run again have a %s whose age counts from when it is there',
        async (end) => {
          const { id } = await deadTurn('a', { replyUrl });
          await store.retryDead(id, 90_000_000);
          const later = claim({ now: 200_000_000, leaseUntil: 200_010_000 });
          const turn = await claimOne(store, later);
          if (end === 'reply') await store.completeTurn(turn, { text: 'at last', metadata: {} }, later.now);
          else await store.failTurn(turn, 'exit status 3', null, later.now);
          expect(await store.claimDeliveries(later)).toMatchObject([{ messageId: id, dueSince: later.now }]);
        },
      );

      test('are discarded, and keep their reason', async () => {
        const { id } = await deadTurn('a');
        expect(await store.discardMessage(id, 5_000)).toMatchObject({
          outcome: 'done',
          message: { state: 'cancelled', error: expect.stringContaining('exit status 3') },
        });
        expect(await store.deadMessages({ limit: 9, after: null })).toEqual({ items: [], next: null });
        expect(await store.counts()).toMatchObject({ dead: 0, cancelled: 1 });
      });

      test('twice is discarded as once, and what was cancelled stays so', async () => {
        const { id } = await deadTurn('a');
        const first = await store.discardMessage(id, 5_000);
        expect(await store.discardMessage(id, 6_000)).toEqual(first);
        const cancelled = await acceptOne(store, 'a');
        await store.cancelMessage(cancelled.id, 5_000);
        expect(await store.discardMessage(cancelled.id, 6_000)).toMatchObject({
          outcome: 'done',
          message: { state: 'cancelled', error: null, changedAt: 5_000 },
        });
        expect(await store.counts()).toMatchObject({ dead: 0, cancelled: 2 });
      });

      test('only they can be tried again or discarded', async () => {
        const { id } = await acceptOne(store, 'a');
        expect(await store.retryDead(id, 5_000)).toMatchObject({ outcome: 'not-dead', message: { id } });
        expect(await store.discardMessage(id, 5_000)).toMatchObject({ outcome: 'not-dead', message: { id } });
        expect(await store.retryDead('no id', 5_000)).toBeNull();
        expect(await store.discardMessage('no id', 5_000)).toBeNull();
      });

      test('tell their sender by a notice of its own key, and stay dead whatever becomes of it', async () => {
        const { id } = await deadTurn('a', { replyUrl });
        expect(await store.message(id)).toMatchObject({ state: 'dead', delivery: { kind: 'notice' } });
        const [notice] = await store.claimDeliveries(claim());
        expect(notice).toMatchObject({
          messageId: id,
          notice: 'exit status 3',
          url: replyUrl,
          webhookId: expect.stringMatching(/^msg_[0-9a-f]{32}_failed$/),
          repliedAt: 3_000,
        });
        if (notice === undefined) return;
        expect(await store.retryDead(id, 5_000)).toMatchObject({ outcome: 'busy' });
        await store.completeDelivery(notice, 5_000);
        expect(await store.message(id)).toMatchObject({ state: 'dead', delivery: { deliveredAt: 5_000 } });
        expect(await store.counts()).toMatchObject({ dead: 1, replied: 0, delivered: 0, undelivered: 0 });

        const failed = await deadTurn('b', { replyUrl });
        const [other] = await store.claimDeliveries(claim());
        if (other !== undefined) await store.failDelivery(other, failure('HTTP 410', null), 6_000);
        expect(await store.message(failed.id)).toMatchObject({
          state: 'dead',
          error: 'exit status 3',
          delivery: { lastError: 'HTTP 410' },
        });
        expect(await store.counts()).toMatchObject({ dead: 2, replied: 0, undelivered: 0 });
      });

      test('that are dead once more are told of by another notice', async () => {
        const { id } = await deadTurn('a', { replyUrl });
        const [first] = await store.claimDeliveries(claim());
        if (first === undefined) throw new Error('There is no notice.');
        await store.completeDelivery(first, 4_000);
        await store.retryDead(id, 5_000);
        await store.failTurn(await claimOne(store), 'exit status 4', null, 6_000);
        const [second] = await store.claimDeliveries(claim());
        expect(second).toMatchObject({ messageId: id, notice: 'exit status 4' });
        expect(second?.webhookId).toMatch(/^msg_[0-9a-f]{32}_failed_5000$/);
      });

      test('a notice says the same at each attempt, also when its message is discarded in between', async () => {
        const { id } = await deadTurn('a', { replyUrl });
        const [first] = await store.claimDeliveries(claim());
        if (first === undefined) throw new Error('There is no notice.');
        await store.failDelivery(first, failure('HTTP 503', 4_000), 3_500);
        expect(await store.discardMessage(id, 5_000)).toMatchObject({ message: { state: 'cancelled' } });
        const again = await store.claimDeliveries(claim({ now: 6_000, leaseUntil: 16_000 }));
        expect(again).toEqual([{ ...first, attempt: 2 }]);
      });

      test.each(['waits for its next attempt', 'is being posted', 'has not been posted'])(
        'that are discarded have no more than one attempt made to tell of them: the notice %s',
        async (condition) => {
          const { id } = await deadTurn('a', { replyUrl });
          const behind = await replyTo(store, 'a');
          const [notice] = condition === 'has not been posted' ? [] : await store.claimDeliveries(claim());
          const waits = condition.startsWith('waits');
          if (waits && notice !== undefined) await store.failDelivery(notice, failure('503', 90_000), 4_000);
          expect(await store.discardMessage(id, 5_000)).toMatchObject({ outcome: 'done' });
          const now = claim({ now: 5_000, leaseUntil: 15_000 });
          const [last] = condition === 'is being posted' ? [notice] : await store.claimDeliveries(now);
          expect(last).toMatchObject({ messageId: id, attempt: waits ? 2 : 1 });
          if (last !== undefined) await store.failDelivery(last, failure('503', 90_000), 6_000);
          expect(await store.message(id)).toMatchObject({
            state: 'cancelled',
            error: 'exit status 3',
            delivery: { kind: 'notice', lastError: '503', nextAttemptAt: null },
          });
          expect(await store.claimDeliveries(now)).toMatchObject([{ messageId: behind.id }]);
          expect(await store.counts()).toMatchObject({ cancelled: 1, replied: 1, undelivered: 1 });
        },
      );

      test('a notice that has not gone out is withdrawn when the message is tried again', async () => {
        const { id } = await deadTurn('a', { replyUrl });
        await store.retryDead(id, 5_000);
        expect(await store.claimDeliveries(claim())).toEqual([]);
        expect(await store.counts()).toMatchObject({ undelivered: 0 });
        await store.completeTurn(await claimOne(store), { text: 'at last', metadata: {} }, 6_000);
        const [delivery] = await store.claimDeliveries(claim());
        expect(delivery).toMatchObject({ notice: null, replyText: 'at last' });
        expect(delivery?.webhookId).not.toContain('failed');
      });
    });

    describe('discarding a reply that waits to be posted', () => {
      async function failed(session: string) {
        const message = await replyTo(store, session);
        const [delivery] = await store.claimDeliveries(claim());
        if (delivery === undefined) throw new Error('Expected a delivery.');
        await store.failDelivery(delivery, failure('HTTP 503', 90_000), 4_000);
        return message;
      }

      test('gives it up and keeps it, and the session goes on with the next one at once', async () => {
        const { id } = await failed('a');
        const next = await replyTo(store, 'a');
        expect(await store.claimDeliveries(claim({ now: 5_000 }))).toEqual([]);
        const first = await store.discardMessage(id, 5_000);
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
        expect(await store.claimDeliveries(claim({ now: 5_000 }))).toMatchObject([{ messageId: next.id }]);
        expect(await store.discardMessage(id, 6_000)).toEqual(first);
        expect(await store.retryDead(id, 6_000)).toMatchObject({ outcome: 'not-dead' });
        expect(await store.counts()).toMatchObject({ replied: 1, dead: 0, cancelled: 1, undelivered: 1 });
      });

      test('is the same for one that waits behind another', async () => {
        const waiting = await failed('a');
        const [second, third] = [await replyTo(store, 'a'), await replyTo(store, 'a')];
        expect(await store.discardMessage(second.id, 5_000)).toMatchObject({
          outcome: 'done',
          message: { state: 'cancelled', error: 'Discarded before its reply was delivered.' },
        });
        const seen: string[] = [];
        for (;;) {
          const [delivery] = await store.claimDeliveries(claim({ now: 90_000, leaseUntil: 99_000 }));
          if (delivery === undefined) break;
          seen.push(delivery.messageId);
          await store.completeDelivery(delivery, 91_000);
        }
        expect(seen).toEqual([waiting.id, third.id]);
        expect(await store.counts()).toMatchObject({ delivered: 2, cancelled: 1, undelivered: 0 });
      });

      test.each(['delivered', 'failed', 'put back'])(
        'is refused while it is being posted, and judged anew when that has ended: %s',
        async (end) => {
          const { id } = await replyTo(store, 'a');
          const [delivery] = await store.claimDeliveries(claim());
          if (delivery === undefined) throw new Error('Expected a delivery.');
          expect(await store.discardMessage(id, 5_000)).toMatchObject({
            outcome: 'busy',
            message: { state: 'replied' },
          });
          if (end === 'delivered') expect(await store.completeDelivery(delivery, 6_000)).toBe(true);
          if (end === 'failed')
            expect(await store.failDelivery(delivery, failure('503', 90_000), 6_000)).toBe(true);
          if (end === 'put back') expect(await store.putBackDeliveries([delivery], 6_000)).toBe(1);
          expect(await store.discardMessage(id, 7_000)).toMatchObject(
            end === 'delivered'
              ? { outcome: 'not-dead', message: { state: 'delivered' } }
              : { outcome: 'done', message: { state: 'cancelled' } },
          );
          expect(await store.counts()).toMatchObject({ undelivered: 0 });
        },
      );

      test('needs one that waits', async () => {
        const { id } = await acceptOne(store, 'a');
        await store.completeTurn(await claimOne(store), { text: 'for nobody', metadata: {} }, 3_000);
        expect(await store.discardMessage(id, 5_000)).toMatchObject({
          outcome: 'not-dead',
          message: { state: 'replied' },
        });
      });
    });
  });
}
