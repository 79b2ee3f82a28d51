import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { webhookTarget } from '../../../src/store/messages.js';
import type { Store } from '../../../src/store/store.js';
import { acceptOne, at, claimDeliveries, claimOne, claimTurns, newMessage, noLimits } from '../samples.js';
import type { StoreFactory } from './store-contract.js';

const replyTo = webhookTarget('https://receiver.example/');

/** Duties of every store by the policies of sessions, and among senders. */
export function policiesContract(name: string, createFactory: () => StoreFactory): void {
  describe(`${name} keeps the contract of policies and senders`, () => {
    let factory: StoreFactory;
    let store: Store;

    beforeEach(async () => {
      factory = createFactory();
      store = await factory.open({ maxAttempts: 3 });
    });
    afterEach(() => factory.remove());

    describe('a policy', () => {
      test('is kept, taken back, and may come before the first message', async () => {
        expect(await store.session('a')).toBeNull();
        const made = await at(1_500, store).setPolicy('a', 'collect');
        expect(made).toEqual({
          session: 'a',
          lastSeq: 0,
          waiting: 0,
          running: false,
          lastAcceptedAt: 1_500,
          policy: 'collect',
          agent: null,
          generation: 1,
        });
        expect((await store.counts()).sessions).toBe(1);
        expect((await acceptOne(store, 'a')).seq).toBe(1);
        expect(await at(2_000, store).setPolicy('a', null)).toMatchObject({
          lastSeq: 1,
          waiting: 1,
          policy: null,
        });
        expect(await store.session('a')).toMatchObject({ policy: null });
        expect((await store.counts()).sessions).toBe(1);
      });
    });

    describe('interrupt', () => {
      test('cancels what waits and what runs, whose session goes on with the new one', async () => {
        await at(1_000, store).setPolicy('a', 'interrupt');
        const running = await acceptOne(store, 'a', { replyTo });
        const turn = await claimOne(store);
        const outcome = await at(3_000, store).accept(newMessage('a'), noLimits);
        expect(outcome).toMatchObject({
          outcome: 'accepted',
          interrupted: [{ id: running.id, seq: 1, running: true }],
        });
        const last = await at(4_000, store).accept(newMessage('a'), noLimits);
        expect(last).toMatchObject({ interrupted: [{ seq: 2, running: false }] });
        expect(await store.message(running.id)).toMatchObject({
          state: 'cancelled',
          error: expect.stringMatching(/^Interrupted by the message /),
          changedAt: 3_000,
        });
        // Not beside the turn that still has to end.
        expect(await claimTurns(store, { now: 5_000 })).toEqual([]);
        expect(await store.releaseTurn(turn)).toBe(true);
        expect((await claimOne(store)).seq).toBe(3);
        expect(await store.counts()).toMatchObject({ cancelled: 2, running: 1, queued: 0, undelivered: 0 });
      });

      test('by the default, in a full session too, but not for a message that is refused or repeated', async () => {
        const limits = { session: 1, total: 1, policy: 'interrupt' as const };
        const sent = newMessage('a', { idempotencyKey: 'k', fingerprint: new Uint8Array(32) });
        await store.accept(sent, limits);
        expect(await store.accept(sent, limits)).toMatchObject({ outcome: 'repeated' });
        expect(await store.accept(newMessage('a'), limits)).toMatchObject({
          outcome: 'full',
          limit: 'total',
        });
        expect(await store.message(sent.id)).toMatchObject({ state: 'queued' });
        expect(await store.accept(newMessage('a'), { ...limits, total: 9 })).toMatchObject({
          interrupted: [{ id: sent.id }],
        });
      });
    });

    describe('collect', () => {
      const collecting = { policy: 'collect' as const, collectLimit: 10 };

      test('makes one turn of what came while another ran', async () => {
        const first = await acceptOne(store, 'a', { text: 'one', replyTo });
        const turn = await claimOne(store, collecting);
        expect(turn).toMatchObject({ text: 'one', collected: [] });
        const second = await acceptOne(store, 'a', {
          text: 'two',
          replyTo,
          sender: 'ada',
          metadata: { n: 2 },
        });
        const third = await acceptOne(store, 'a', { text: 'three', replyTo, metadata: { n: 3 } });
        await at(3_000, store).completeTurn(turn, { text: 'reply', metadata: {} });

        const joined = await claimOne(store, collecting);
        expect(joined).toMatchObject({
          messageId: third.id,
          seq: 3,
          attempt: 1,
          text: 'two\n\nthree',
          metadata: { n: 3 },
          collected: [{ messageId: second.id, seq: 2, text: 'two', metadata: { n: 2 }, sender: 'ada' }],
        });
        expect(await store.message(second.id)).toMatchObject({
          state: 'collected',
          collectedIn: { id: third.id, state: 'running' },
          reply: null,
        });
        expect(await store.session('a')).toMatchObject({ waiting: 0, running: true });
        await at(4_000, store).completeTurn(joined, { text: 'to both', metadata: {} });
        expect(await store.message(second.id)).toMatchObject({
          state: 'collected',
          collectedIn: { state: 'replied' },
          reply: { text: 'to both' },
          delivery: null,
        });
        const deliveries = await claimDeliveries(store, { now: 5_000 });
        expect(deliveries).toMatchObject([{ messageId: first.id, collected: [] }]);
        for (const delivery of deliveries) await at(5_000, store).completeDelivery(delivery);
        expect(await claimDeliveries(store, { now: 5_000 })).toMatchObject([
          { messageId: third.id, text: 'three', collected: [{ messageId: second.id, seq: 2 }] },
        ]);
        expect(await store.counts()).toMatchObject({
          queued: 0,
          running: 0,
          replied: 1,
          delivered: 1,
          collected: 1,
        });
      });

      test.each(['put back', 'retry', 'dead, then retried'])(
        'a turn that has begun is made of the same for ever: %s',
        async (how) => {
          const [one, two] = [await acceptOne(store, 'a'), await acceptOne(store, 'a')];
          const turn = await claimOne(store, collecting);
          expect(turn.messageId).toBe(two.id);
          if (how === 'put back') await at(3_000, store).putBackTurns([turn]);
          else await at(3_000, store).failTurn(turn, 'failed', how === 'retry' ? 0 : null);
          if (how.startsWith('dead')) await at(3_500, store).retryDead(two.id);
          await acceptOne(store, 'a');
          const again = await claimOne(store, { ...collecting, now: 4_000 });
          expect(again).toMatchObject({ turnId: turn.turnId, text: turn.text });
          expect(again.collected.map(({ messageId }) => messageId)).toEqual([one.id]);
        },
      );

      test('puts together only what is answered to the same place, up to the limit, and no retried one', async () => {
        const seqs = async () => {
          const turn = await claimOne(store, { ...collecting, collectLimit: 2, now: 9_000 });
          await at(9_000, store).completeTurn(turn, { text: 'ok', metadata: {} });
          return [...turn.collected.map(({ seq }) => seq), turn.seq];
        };
        for (const url of [replyTo, null, null, null]) await acceptOne(store, 'a', { replyTo: url });
        expect([await seqs(), await seqs(), await seqs()]).toEqual([[1], [2, 3], [4]]);
        await acceptOne(store, 'a');
        await at(2_000, store).failTurn(await claimOne(store, collecting), 'failed', 1_000);
        await acceptOne(store, 'a');
        expect([await seqs(), await seqs()]).toEqual([[5], [6]]);
        for (const replyUnknown of [null, 'drop', 'drop'] as const)
          await acceptOne(store, 'a', { replyTo, replyIdempotent: false, replyUnknown });
        expect([await seqs(), await seqs()]).toEqual([[7], [8, 9]]);
      });

      test('what is part of a turn can’t be cancelled alone, and is no dead letter', async () => {
        const [one, two] = [await acceptOne(store, 'a'), await acceptOne(store, 'a')];
        const turn = await claimOne(store, collecting);
        expect(await at(3_000, store).cancelMessage(one.id)).toMatchObject({ outcome: 'settled' });
        expect(await at(3_000, store).discardMessage(one.id)).toMatchObject({ outcome: 'not-dead' });
        expect(await at(3_000, store).cancelSession('a')).toMatchObject({ messages: [{ id: two.id }] });
        expect(await store.releaseTurn(turn)).toBe(true);
        expect(await store.message(one.id)).toMatchObject({ collectedIn: { state: 'cancelled' } });
      });
    });

    describe('senders', () => {
      /** Claims turns, and lists who has been served in which order. */
      async function served(count: number): Promise<readonly string[]> {
        const order: string[] = [];
        for (let index = 0; index < count; index += 1) {
          const turn = await claimOne(store);
          order.push(turn.sender ?? turn.session);
          await at(3_000, store).completeTurn(turn, { text: 'ok', metadata: {} });
        }
        return order;
      }

      test('with many sessions get no more turns than one with a single session', async () => {
        for (let index = 0; index < 20; index += 1)
          await acceptOne(store, `flood ${index}`, { sender: 'flood' });
        for (const sender of ['ada', 'bob']) {
          for (let index = 0; index < 3; index += 1) await acceptOne(store, sender, { sender });
        }
        const order = await served(9);
        for (const sender of ['flood', 'ada', 'bob']) {
          expect(order.filter((each) => each === sender)).toHaveLength(3);
        }
        // And nobody with many messages in one session either.
        expect(new Set(order.slice(0, 3))).toEqual(new Set(['flood', 'ada', 'bob']));
        expect(await served(17)).toEqual(Array.from({ length: 17 }, () => 'flood'));
      });

      test('come in between, also when the flood came long before them, and across a restart', async () => {
        for (let index = 0; index < 20; index += 1)
          await acceptOne(store, `flood ${index}`, { sender: 'flood' });
        expect(await served(5)).toEqual(Array.from({ length: 5 }, () => 'flood'));
        await acceptOne(store, 'late', { sender: 'ada' });
        await acceptOne(store, 'nobody');
        await factory.close();
        store = await factory.open({ maxAttempts: 3 });
        expect((await served(3)).toSorted()).toEqual(['ada', 'flood', 'nobody']);
      });

      test('that are not known: each session counts for itself, first come, first served', async () => {
        for (const session of ['c', 'a', 'b', 'a']) await acceptOne(store, session);
        expect(await served(4)).toEqual(['c', 'a', 'b', 'a']);
      });
    });
  });
}
