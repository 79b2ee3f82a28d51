import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { webhookTarget } from '../../../src/store/messages.js';
import type { Store } from '../../../src/store/store.js';
import type { Turn } from '../../../src/store/turns.js';
import {
  acceptOne,
  answerOne,
  at,
  claimDeliveries,
  claimOne,
  claimTurns,
  dueAt,
  failure,
  newMessage,
  noLimits,
  renewLeases,
} from '../samples.js';

/** An empty store of the kind under test. */
export interface StoreFactory {
  open(options: { readonly maxAttempts: number }): Promise<Store>;
  /** Closes what is open. */
  close(): Promise<void>;
  /** Closes what is open and removes what it kept. */
  remove(): Promise<void>;
}

/** Duties of every store, whichever database keeps it. */
export function storeContract(name: string, createFactory: () => StoreFactory): void {
  describe(`${name} keeps the contract of a store`, () => {
    let factory: StoreFactory;
    let store: Store;

    beforeEach(async () => {
      factory = createFactory();
      store = await factory.open({ maxAttempts: 3 });
    });
    afterEach(() => factory.remove());

    describe('accept', () => {
      test('gives a session the numbers 1, 2, 3, … and what was sent back', async () => {
        const sent = newMessage('a', {
          text: 'grüße \u0000 🦀',
          metadata: { list: [1, null, { deep: 'x' }], flag: true },
          replyTo: webhookTarget('https://receiver.example/'),
          channel: 'telegram',
        });
        const first = await at(1_234, store).accept(sent, noLimits);
        expect(first).toEqual({
          outcome: 'accepted',
          interrupted: [],
          turn: null,
          message: {
            id: sent.id,
            session: 'a',
            seq: 1,
            state: 'queued',
            text: sent.text,
            metadata: sent.metadata,
            replyTo: sent.replyTo,
            sender: null,
            channel: 'telegram',
            acceptedAt: 1_234,
            attempts: 0,
            reply: null,
            delivery: null,
            error: null,
            changedAt: 1_234,
            generation: 1,
            waitingFor: null,
            collectedIn: null,
          },
        });
        expect((await acceptOne(store, 'a')).seq).toBe(2);
        expect((await acceptOne(store, 'b')).seq).toBe(1);
        expect(await store.message(sent.id)).toEqual(first.outcome === 'accepted' ? first.message : null);
      });

      describe('with a claim', () => {
        const arrival = { owner: 'one', leaseMs: 8_000 };

        test('runs what nothing waits before', async () => {
          const sent = newMessage('a', {
            text: 'now',
            metadata: { n: 1 },
            replyTo: webhookTarget('https://r.example/'),
          });
          const outcome = await store.accept(sent, noLimits, arrival);
          if (outcome.outcome !== 'accepted' || outcome.turn === null) throw new Error('it was not claimed');
          expect(outcome.message).toMatchObject({ state: 'running', attempts: 1 });
          expect(await store.message(sent.id)).toEqual(outcome.message);
          expect(await store.counts()).toMatchObject({ queued: 0, running: 1 });
          // As it is claimed again once its lease has run out.
          const [again] = await claimTurns(store, { owner: 'two', now: 9_000, leaseUntil: 9_999 });
          expect(again).toEqual({ ...outcome.turn, owner: 'two', attempt: 2, epoch: expect.any(Number) });
        });

        test('holds the session, and is ended as any other', async () => {
          const outcome = await store.accept(newMessage('a'), noLimits, arrival);
          if (outcome.outcome !== 'accepted' || outcome.turn === null) throw new Error('it was not claimed');
          const next = await store.accept(newMessage('a'), noLimits, arrival);
          expect(next).toMatchObject({ outcome: 'accepted', turn: null, message: { state: 'queued' } });
          expect(await claimTurns(store)).toEqual([]);
          expect(await at(2_000, store).completeTurn(outcome.turn, { text: 'r', metadata: {} })).toBe(true);
          expect(await claimOne(store)).toMatchObject({ session: 'a', seq: 2 });
        });

        test('waits behind what waits in other sessions', async () => {
          await acceptOne(store, 'a');
          const outcome = await store.accept(newMessage('b'), noLimits, arrival);
          expect(outcome).toMatchObject({ outcome: 'accepted', turn: null });
          expect(await store.counts()).toMatchObject({ queued: 2, running: 0 });
          const order = await claimTurns(store, { limit: 2 });
          expect(order.map(({ session }) => session)).toEqual(['a', 'b']);
        });

        test('a sender’s next session comes behind those of others all the same', async () => {
          const of = (session: string, sender: string) => newMessage(session, { sender });
          expect(await store.accept(of('a1', 'a'), noLimits, arrival)).toMatchObject({ turn: { seq: 1 } });
          for (const session of ['a2', 'a3']) await store.accept(of(session, 'a'), noLimits);
          await store.accept(of('b1', 'b'), noLimits);
          const order = await claimTurns(store, { limit: 3 });
          expect(order.map(({ session }) => session)).toEqual(['a2', 'b1', 'a3']);
        });

        test('a repeated one is not claimed again', async () => {
          const sent = newMessage('a', { idempotencyKey: 'k' });
          await store.accept(sent, noLimits, arrival);
          const again = await store.accept({ ...sent, id: newMessage('a').id }, noLimits, arrival);
          expect(again).toMatchObject({ outcome: 'repeated', message: { id: sent.id, attempts: 1 } });
        });
      });

      test('answers a repeated key with the first message, also when the queue is full', async () => {
        const sent = newMessage('a', { idempotencyKey: 'k', fingerprint: new Uint8Array(32).fill(7) });
        await at(1_000, store).accept(sent, noLimits);
        await claimTurns(store);
        await acceptOne(store, 'a');
        const again = await at(9_999, store).accept(
          { ...sent, id: newMessage('a').id },
          { session: 1, total: 1 },
        );
        expect(again).toMatchObject({
          outcome: 'repeated',
          message: { id: sent.id, seq: 1, state: 'running', acceptedAt: 1_000 },
        });
        expect((await store.counts()).queued).toBe(1);
      });

      test('refuses a key that stands for another body, in the same session only', async () => {
        const sent = newMessage('a', { idempotencyKey: 'k' });
        await store.accept(sent, noLimits);
        const other = { idempotencyKey: 'k', fingerprint: new Uint8Array(32).fill(1) };
        expect(await store.accept(newMessage('a', other), noLimits)).toEqual({
          outcome: 'conflict',
          messageId: sent.id,
        });
        expect(await store.accept(newMessage('b', other), noLimits)).toMatchObject({ outcome: 'accepted' });
      });

      test('concurrent posts of one key make one message', async () => {
        const outcomes = await Promise.all(
          Array.from({ length: 20 }, () =>
            store.accept(newMessage('a', { idempotencyKey: 'same' }), noLimits),
          ),
        );
        expect(outcomes.filter(({ outcome }) => outcome === 'accepted')).toHaveLength(1);
        expect(outcomes.filter(({ outcome }) => outcome === 'repeated')).toHaveLength(19);
        expect((await store.counts()).queued).toBe(1);
      });

      test('counts what waits against the limits, not what runs', async () => {
        const limits = { session: 2, total: 1_000_000 };
        await acceptOne(store, 'a');
        await claimOne(store);
        await acceptOne(store, 'a');
        await acceptOne(store, 'a');
        expect(await store.accept(newMessage('a'), limits)).toEqual({
          outcome: 'full',
          limit: 'session',
          waiting: 2,
        });
        expect((await store.counts()).queued).toBe(2);
      });

      test('the limit of a session is exact, however many come together', async () => {
        const limits = { session: 3, total: 1_000_000 };
        const outcomes = await Promise.all(
          Array.from({ length: 50 }, () => store.accept(newMessage('a'), limits)),
        );
        expect(outcomes.filter(({ outcome }) => outcome === 'accepted')).toHaveLength(3);
        expect(await store.session('a')).toMatchObject({ waiting: 3, lastSeq: 3 });
      });

      test('that of all may be passed by 1,000 messages, so that no store needs one row for all of them', async () => {
        const limits = { session: 1_000_000, total: 3 };
        const post = (count: number) =>
          Promise.all(
            Array.from({ length: count }, (_, at) => store.accept(newMessage(`session ${at}`), limits)),
          );
        expect((await post(3)).every(({ outcome }) => outcome === 'accepted')).toBe(true);
        const outcomes = await post(1_500);
        const refused = outcomes.filter(({ outcome }) => outcome === 'full');
        expect(refused.length).toBeGreaterThanOrEqual(500);
        expect(refused[0]).toMatchObject({ limit: 'total' });
        expect((await store.counts()).queued).toBe(3 + 1_500 - refused.length);
      });

      test('a message that fails on its own leaves those beside it alone', async () => {
        const taken = await acceptOne(store, 'a');
        const results = await Promise.allSettled([
          store.accept(newMessage('new'), noLimits),
          store.accept(newMessage('broken', { id: taken.id }), noLimits),
          store.accept(newMessage('broken', { id: 'no UUID' }), noLimits),
          store.accept(newMessage('new'), noLimits),
        ]);
        expect(results.map(({ status }) => status)).toEqual([
          'fulfilled',
          'rejected',
          'rejected',
          'fulfilled',
        ]);
        expect(await store.counts()).toMatchObject({ sessions: 2, queued: 3 });
        expect(await store.sessionMessages('broken', { limit: 1, after: null })).toBeNull();
      });
    });

    describe('turns', () => {
      test('run one at a time in a session, in order', async () => {
        const first = await acceptOne(store, 'a', { text: 'one', metadata: { n: 1 } });
        const second = await acceptOne(store, 'a', { text: 'two' });
        const turn = await claimOne(store);
        expect(turn).toMatchObject({
          messageId: first.id,
          session: 'a',
          seq: 1,
          text: 'one',
          metadata: { n: 1 },
          replyTo: null,
          acceptedAt: 1_000,
          attempt: 1,
          owner: 'first',
        });
        expect(await store.message(first.id)).toMatchObject({
          state: 'running',
          attempts: 1,
          changedAt: 2_000,
        });
        expect(await claimTurns(store)).toEqual([]);
        expect(await at(3_000, store).completeTurn(turn, { text: 'reply', metadata: { ok: true } })).toBe(
          true,
        );
        expect(await store.message(first.id)).toMatchObject({
          state: 'replied',
          changedAt: 3_000,
          reply: { text: 'reply', metadata: { ok: true }, at: 3_000 },
          delivery: null,
        });
        expect((await claimOne(store)).messageId).toBe(second.id);
      });

      test('a flood in one session starves no other', async () => {
        for (let count = 0; count < 5; count += 1) await acceptOne(store, 'flood');
        await acceptOne(store, 'quiet');
        await acceptOne(store, 'late');
        const served: string[] = [];
        for (let round = 0; round < 4; round += 1) {
          const turn = await claimOne(store);
          served.push(turn.session);
          await at(3_000, store).completeTurn(turn, { text: '', metadata: {} });
        }
        expect(served).toEqual(['flood', 'quiet', 'late', 'flood']);
      });

      test('are claimed up to the limit, one of each session', async () => {
        for (const session of ['a', 'a', 'b', 'c']) await acceptOne(store, session);
        expect((await claimTurns(store, { limit: 2 })).map((turn) => turn.session)).toEqual(['a', 'b']);
        expect((await claimTurns(store, { limit: 2 })).map((turn) => turn.session)).toEqual(['c']);
        expect(await claimTurns(store, { limit: 0 })).toEqual([]);
      });

      test('a failed one is tried again when it is due, before its successors, under the same id', async () => {
        const message = await acceptOne(store, 'a');
        await acceptOne(store, 'a');
        const turn = await claimOne(store);
        expect(await at(3_000, store).failTurn(turn, 'exit status 3', 2_000)).toBe(true);
        expect(await store.message(message.id)).toMatchObject({
          state: 'queued',
          error: 'exit status 3',
          attempts: 1,
        });
        expect(await dueAt(store, 'first')).toBe(5_000);
        expect(await claimTurns(store, { now: 4_999 })).toEqual([]);
        const again = await claimOne(store, { now: 5_000 });
        expect(again).toMatchObject({ messageId: message.id, turnId: turn.turnId, attempt: 2 });
        await at(6_000, store).completeTurn(again, { text: 'at last', metadata: {} });
        expect(await store.message(message.id)).toMatchObject({ state: 'replied', error: null, attempts: 2 });
      });

      test('one that is given up is dead, and the next goes on', async () => {
        const message = await acceptOne(store, 'a');
        const next = await acceptOne(store, 'a');
        await at(3_000, store).failTurn(await claimOne(store), 'no such program', null);
        expect(await store.message(message.id)).toMatchObject({ state: 'dead', error: 'no such program' });
        expect((await claimOne(store)).messageId).toBe(next.id);
      });

      test('one that is put back keeps its place, and its attempt does not count', async () => {
        const sessions = ['a', 'b', 'c'];
        for (const session of [...sessions, 'a', 'z']) await acceptOne(store, session);
        const turns = await claimTurns(store, { limit: 3 });
        expect(await at(3_000, store).putBackTurns(turns)).toBe(3);
        expect(await at(3_000, store).putBackTurns(turns)).toBe(0);
        const again = await claimTurns(store, { limit: 3 });
        // The same but for the claims, which are later ones.
        expect(again).toEqual(turns.map((turn) => ({ ...turn, epoch: expect.any(Number) })));
        expect(await store.counts()).toMatchObject({ queued: 2, running: 3 });
      });

      test('one that a stop cut off knows how often, until somebody has it tried again', async () => {
        const { id } = await acceptOne(store, 'a');
        await at(3_000, store).putBackTurns([await claimOne(store)]);
        for (const putBacks of [0, 1]) {
          const turn = await claimOne(store);
          expect(turn).toMatchObject({ attempt: 1, putBacks });
          expect(await at(3_000, store).putBackTurns([{ ...turn, cutOff: true }])).toBe(1);
        }
        const failed = await claimOne(store);
        await at(3_000, store).failTurn(failed, 'exit status 3', 1_000);
        const last = await claimOne(store, { now: 4_000 });
        expect([failed, last]).toMatchObject([
          { attempt: 1, putBacks: 2 },
          { attempt: 2, putBacks: 2 },
        ]);
        await at(4_000, store).failTurn(last, 'exit status 3', null);
        await at(5_000, store).retryDead(id);
        expect(await claimOne(store)).toMatchObject({ messageId: id, attempt: 1, putBacks: 0 });
      });

      test('a claim that was lost changes nothing', async () => {
        const message = await acceptOne(store, 'a');
        const lost = await claimOne(store, { leaseUntil: 3_000 });
        const taken = await claimOne(store, { owner: 'second', now: 3_000 });
        expect(taken).toMatchObject({ messageId: message.id, turnId: lost.turnId, attempt: 2 });
        const reply = { text: 'late', metadata: {} };
        expect(await at(4_000, store).completeTurn(lost, reply)).toBe(false);
        expect(await at(4_000, store).failTurn(lost, 'late', null)).toBe(false);
        expect(await at(4_000, store).putBackTurns([lost])).toBe(0);
        expect(await at(4_000, store).completeTurn({ ...lost, owner: 'second' }, reply)).toBe(false);
        expect(await store.message(message.id)).toMatchObject({ state: 'running', reply: null });
        expect(await at(4_000, store).completeTurn(taken, reply)).toBe(true);
        expect(await at(4_000, store).completeTurn(taken, reply)).toBe(false);
      });

      test('each claim on a session is told from those before, also where the owner is the same', async () => {
        await acceptOne(store, 'a');
        await acceptOne(store, 'a');
        const first = await claimOne(store);
        await at(3_000, store).putBackTurns([first]);
        const second = await claimOne(store);
        expect(second).toMatchObject({
          messageId: first.messageId,
          owner: first.owner,
          attempt: first.attempt,
        });
        expect(second.epoch).toBeGreaterThan(first.epoch);
        // The end of the first claim's attempt comes too late.
        const reply = { text: 'late', metadata: {} };
        expect(await at(3_000, store).completeTurn(first, reply)).toBe(false);
        expect(await at(3_000, store).failTurn(first, 'late', null)).toBe(false);
        expect(await at(3_000, store).putBackTurns([first])).toBe(0);
        expect(await at(3_000, store).completeTurn(second, reply)).toBe(true);
        const next = await claimOne(store);
        expect(next.epoch).toBeGreaterThan(second.epoch);
      });

      test('leases that are renewed are not taken, and nobody takes his own', async () => {
        await acceptOne(store, 'a');
        await claimOne(store, { leaseUntil: 3_000 });
        expect(await dueAt(store, 'first')).toBeNull();
        expect(await dueAt(store, 'second')).toBe(3_000);
        expect(await renewLeases(store, 'second', 9_000)).toEqual({ turns: 0, deliveries: 0 });
        expect(await renewLeases(store, 'first', 5_000)).toEqual({ turns: 1, deliveries: 0 });
        expect(await claimTurns(store, { owner: 'second', now: 4_999 })).toEqual([]);
        expect(await claimTurns(store, { owner: 'first', now: 5_000 })).toEqual([]);
        expect(await claimTurns(store, { owner: 'second', now: 5_000 })).toHaveLength(1);
      });

      test('one that outlived its owners as often as may be is set aside', async () => {
        const poison = await acceptOne(store, 'a');
        const next = await acceptOne(store, 'a');
        await claimOne(store, { owner: 'one', now: 10, leaseUntil: 20 });
        await claimOne(store, { owner: 'two', now: 20, leaseUntil: 30 });
        await claimOne(store, { owner: 'three', now: 30, leaseUntil: 40 });
        const turn = await claimOne(store, { owner: 'four', now: 40, leaseUntil: 50 });
        expect(turn.messageId).toBe(next.id);
        expect(await store.message(poison.id)).toMatchObject({
          state: 'dead',
          attempts: 3,
          error: expect.stringContaining('dispatch.max_attempts is 3'),
        });
      });
    });

    describe('turns that the gateway may go down with', () => {
      const by = (owner: string, now: number) => claimTurns(store, { owner, now, leaseUntil: now + 10 });
      const attemptsOf = (turns: readonly Turn[]) => turns.map(({ session, attempt }) => [session, attempt]);

      /** The agent fails at an attempt of each, which are due again at once. */
      async function fail(turns: readonly Turn[], now: number): Promise<void> {
        for (const turn of turns) expect(await at(now, store).failTurn(turn, 'exit status 3', 0)).toBe(true);
      }

      /** Both are under way at three crashes: each claim is of an owner that is gone by the next. */
      async function crashThrice(...sessions: string[]): Promise<void> {
        for (const session of sessions) await acceptOne(store, session);
        for (const now of [10, 20, 30]) {
          const turns = await claimTurns(store, { owner: `at ${now}`, now, leaseUntil: now + 10 });
          expect(turns.map(({ session }) => session)).toEqual(sessions);
        }
      }

      test('are run one by one, and only the one is set aside that it goes down with then', async () => {
        await crashThrice('poison', 'innocent');
        await acceptOne(store, 'other');
        const sessions = (turns: readonly { readonly session: string }[]) =>
          turns.map(({ session }) => session);
        expect(sessions(await by('four', 40))).toEqual(['poison']);
        // Nothing begins beside it, nor with a message that comes.
        expect(await by('four', 41)).toEqual([]);
        const arrival = { owner: 'four', leaseMs: 9 };
        expect(await store.accept(newMessage('new'), noLimits, arrival)).toMatchObject({ turn: null });
        // It goes down with the gateway again.
        const [innocent] = await by('five', 50);
        expect(innocent).toMatchObject({ session: 'innocent', attempt: 4 });
        expect(await store.counts()).toMatchObject({ dead: 1, running: 1 });
        expect(await by('five', 51)).toEqual([]);
        if (innocent === undefined) return;
        expect(await at(52, store).completeTurn(innocent, { text: 'r', metadata: {} })).toBe(true);
        expect(sessions(await by('five', 53))).toEqual(['other', 'new']);
      });

      test('wait until those that run have ended', async () => {
        await crashThrice('one', 'two');
        const first = await claimOne(store, { owner: 'four', now: 40, leaseUntil: 900 });
        await acceptOne(store, 'three');
        expect(await at(41, store).failTurn(first, 'failed', 4)).toBe(true);
        const second = await claimOne(store, { owner: 'four', now: 42, leaseUntil: 900 });
        expect(second.session).toBe('two');
        await at(43, store).completeTurn(second, { text: 'r', metadata: {} });
        const third = await claimOne(store, { owner: 'four', now: 44, leaseUntil: 900 });
        expect(third.session).toBe('three');
        // The first is due again, and waits for the third.
        expect(await claimTurns(store, { owner: 'four', now: 46, leaseUntil: 900 })).toEqual([]);
        await at(47, store).completeTurn(third, { text: 'r', metadata: {} });
        expect(await claimOne(store, { owner: 'four', now: 48, leaseUntil: 900 })).toMatchObject({
          session: 'one',
          attempt: 5,
        });
      });

      test('are not those whose agent failed: after one crash these run side by side', async () => {
        for (const session of ['one', 'two']) await acceptOne(store, session);
        for (const now of [10, 11]) await fail(await by('first', now), now);
        expect(attemptsOf(await by('first', 12))).toEqual([
          ['one', 3],
          ['two', 3],
        ]);
        const again = await by('second', 22);
        expect(attemptsOf(again)).toEqual([
          ['one', 4],
          ['two', 4],
        ]);
        const [one] = again;
        if (one !== undefined) await at(23, store).completeTurn(one, { text: 'r', metadata: {} });
        // Nor does one keep a message that comes from being run beside it.
        const arrival = { owner: 'second', leaseMs: 9 };
        expect(await store.accept(newMessage('new'), noLimits, arrival)).toMatchObject({
          turn: { attempt: 1 },
        });
      });

      test('are not set aside for a crash in the last attempt, where the agent failed at those before', async () => {
        await acceptOne(store, 'only');
        for (const now of [10, 11]) await fail(await by('first', now), now);
        expect(attemptsOf(await by('first', 12))).toEqual([['only', 3]]);
        expect(attemptsOf(await by('second', 22))).toEqual([['only', 4]]);
        expect(await store.counts()).toMatchObject({ dead: 0, running: 1 });
      });

      test('are set aside at the third crash, whatever came between', async () => {
        const poison = await acceptOne(store, 'poison');
        await by('one', 10);
        await fail(await by('two', 20), 20);
        await by('two', 21);
        expect(await at(32, store).putBackTurns(await by('three', 31))).toBe(1);
        expect(attemptsOf(await by('three', 33))).toEqual([['poison', 4]]);
        expect(await by('four', 43)).toEqual([]);
        expect(await store.message(poison.id)).toMatchObject({
          state: 'dead',
          attempts: 4,
          error: expect.stringMatching(/attempt 4: .* crash 3 .* dispatch\.max_attempts is 3/),
        });
      });

      test('have their crashes counted anew when a person has them tried again', async () => {
        const { id } = await acceptOne(store, 'dead');
        for (const [owner, now] of [
          ['one', 10],
          ['two', 20],
          ['three', 30],
        ] as const)
          await by(owner, now);
        expect(await by('four', 40)).toEqual([]);
        expect(await at(41, store).retryDead(id)).toMatchObject({ outcome: 'done' });
        await acceptOne(store, 'other');
        for (const now of [50, 60, 70]) {
          expect((await by(`at ${now}`, now)).map(({ session }) => session)).toEqual(['dead', 'other']);
        }
        expect(attemptsOf(await by('last', 80))).toEqual([['dead', 4]]);
      });
    });

    describe('deliveries', () => {
      test('carry the message, its reply and one webhook id over all attempts', async () => {
        const message = await answerOne(store, 'a');
        const [delivery] = await claimDeliveries(store);
        expect(delivery).toMatchObject({
          messageId: message.id,
          session: 'a',
          seq: 1,
          target: webhookTarget('https://receiver.example/'),
          parts: [],
          text: message.text,
          replyText: `reply to ${message.text}`,
          repliedAt: 3_000,
          attempt: 1,
          owner: 'first',
        });
        if (delivery === undefined) return;
        expect(await claimDeliveries(store)).toEqual([]);
        expect(await at(4_000, store).failDelivery(delivery, failure('503', 3_000))).toBe(true);
        expect(await dueAt(store, 'first')).toBe(7_000);
        expect((await store.message(message.id))?.delivery).toEqual({
          kind: 'reply',
          webhookId: delivery.webhookId,
          attempts: 1,
          unknown: 0,
          nextAttemptAt: 7_000,
          deliveredAt: null,
          lastError: '503',
        });
        expect(await claimDeliveries(store, { now: 6_999 })).toEqual([]);
        const [again] = await claimDeliveries(store, { now: 7_000 });
        expect(again).toEqual({ ...delivery, attempt: 2, epoch: expect.any(Number) });
        expect(await at(8_000, store).completeDelivery(delivery)).toBe(false);
        if (again === undefined) return;
        expect(await at(8_000, store).completeDelivery(again)).toBe(true);
        expect(await store.message(message.id)).toMatchObject({
          state: 'delivered',
          changedAt: 8_000,
          delivery: { attempts: 2, deliveredAt: 8_000, nextAttemptAt: null, lastError: null },
        });
        expect(await store.counts()).toMatchObject({ replied: 0, delivered: 1, undelivered: 0 });
      });

      test('keep the order of their session; a dead one lets the next go', async () => {
        const first = await answerOne(store, 'a');
        const second = await answerOne(store, 'a');
        await answerOne(store, 'b');
        const claimed = await claimDeliveries(store);
        expect(claimed.map(({ session, seq }) => `${session}${seq}`)).toEqual(['a1', 'b1']);
        const [head] = claimed;
        if (head === undefined) return;
        await at(4_000, store).failDelivery(head, failure('500', 5_000));
        expect(await claimDeliveries(store, { now: 5_000 })).toEqual([]);
        const [again] = await claimDeliveries(store, { now: 9_000 });
        if (again === undefined) throw new Error('Expected the retry.');
        await at(9_500, store).failDelivery(again, failure('410 Gone', null));
        expect(await store.message(first.id)).toMatchObject({
          state: 'dead',
          error: expect.stringContaining('410 Gone'),
          reply: { at: 3_000 },
          delivery: { lastError: '410 Gone', deliveredAt: null },
        });
        const [next] = await claimDeliveries(store);
        expect(next?.messageId).toBe(second.id);
      });

      test('that are put back do not count; those of an owner that is gone do', async () => {
        await answerOne(store, 'a');
        const [delivery] = await claimDeliveries(store, { leaseUntil: 3_000 });
        if (delivery === undefined) throw new Error('Expected a delivery.');
        expect(await at(2_500, store).putBackDeliveries([delivery])).toBe(1);
        expect(await at(2_500, store).putBackDeliveries([delivery])).toBe(0);
        const [again] = await claimDeliveries(store, { leaseUntil: 3_000 });
        expect(again).toEqual({ ...delivery, epoch: expect.any(Number) });
        expect(await renewLeases(store, 'first', 3_500)).toEqual({ turns: 0, deliveries: 1 });
        const [taken] = await claimDeliveries(store, { owner: 'second', now: 3_500 });
        expect(taken).toEqual({ ...delivery, attempt: 2, owner: 'second', epoch: expect.any(Number) });
        expect(await at(4_000, store).completeDelivery(delivery)).toBe(false);
        expect(await at(4_000, store).putBackDeliveries([delivery])).toBe(0);
      });
    });

    describe('a lease', () => {
      const claimed = (owner: string) => at(1_000, store).claimLease('channel', 'bot', owner, 500);

      test('is one owner’s until it is over, and each claim has a higher epoch', async () => {
        const first = await claimed('one');
        expect(await claimed('two')).toBeNull();
        expect(await at(1_000, store).claimLease('channel', 'other', 'two', 500)).not.toBeNull();
        expect(await at(1_000, store).claimLease('schedule', 'bot', 'two', 500)).not.toBeNull();
        const second = await at(1_500, store).claimLease('channel', 'bot', 'two', 500);
        expect(second).toBeGreaterThan(first ?? Number.NaN);
        const lost = { kind: 'channel', name: 'bot', owner: 'one', epoch: first ?? 0 };
        expect(await store.renewLease(lost, 500)).toBe(false);
        expect(await store.releaseLease(lost)).toBe(false);
        expect(await claimed('one')).toBeNull();
      });

      test('is renewed, also where it is over and nobody has taken it', async () => {
        const epoch = (await claimed('one')) ?? 0;
        const lease = { kind: 'channel', name: 'bot', owner: 'one', epoch };
        expect(await at(9_000, store).renewLease(lease, 500)).toBe(true);
        expect(await at(9_499, store).claimLease('channel', 'bot', 'two', 500)).toBeNull();
        expect(await at(9_500, store).claimLease('channel', 'bot', 'two', 500)).toBeGreaterThan(epoch);
      });

      test('that is released is free at once, and its owner’s next claim is another one', async () => {
        const epoch = (await claimed('one')) ?? 0;
        const lease = { kind: 'channel', name: 'bot', owner: 'one', epoch };
        expect(await store.releaseLease(lease)).toBe(true);
        expect(await store.releaseLease(lease)).toBe(false);
        const second = await claimed('two');
        expect(second).toBeGreaterThan(epoch);
        // Its own owner needs not wait.
        const third = await claimed('two');
        expect(third).toBeGreaterThan(second ?? Number.NaN);
        expect(await store.renewLease({ ...lease, owner: 'two', epoch: second ?? 0 }, 500)).toBe(false);
      });
    });

    describe('reading', () => {
      test('gives sessions and messages in pages that meet without gap or overlap', async () => {
        for (const session of ['c', 'a', 'b', 'a', 'a']) await acceptOne(store, session);
        await claimOne(store);
        const names: string[] = [];
        let after: string | null = null;
        do {
          const page: Awaited<ReturnType<Store['sessions']>> = await store.sessions({ limit: 2, after });
          names.push(...page.items.map((item) => item.session));
          after = page.next;
        } while (after !== null);
        expect(names).toEqual(['a', 'b', 'c']);

        const { items } = await store.sessions({ limit: 3, after: null });
        const plain = { agent: null, generation: 1 };
        expect(items).toEqual([
          {
            session: 'a',
            lastSeq: 3,
            waiting: 3,
            running: false,
            lastAcceptedAt: 1_000,
            policy: null,
            ...plain,
          },
          {
            session: 'b',
            lastSeq: 1,
            waiting: 1,
            running: false,
            lastAcceptedAt: 1_000,
            policy: null,
            ...plain,
          },
          {
            session: 'c',
            lastSeq: 1,
            waiting: 0,
            running: true,
            lastAcceptedAt: 1_000,
            policy: null,
            ...plain,
          },
        ]);
        const first = await store.sessionMessages('a', { limit: 2, after: null });
        const second = await store.sessionMessages('a', { limit: 2, after: first?.next ?? null });
        expect([first, second].map((page) => page?.items.map(({ seq }) => seq))).toEqual([[1, 2], [3]]);
        expect(second?.next).toBeNull();
      });

      test('knows no message or session that was never sent', async () => {
        expect(await store.message(newMessage('a').id)).toBeNull();
        expect(await store.message("' OR 1=1 --")).toBeNull();
        expect(await store.sessionMessages('nobody', { limit: 1, after: null })).toBeNull();
        expect(await store.sessions({ limit: 1, after: null })).toEqual({ items: [], next: null });
        expect(await dueAt(store, 'first')).toBeNull();
      });

      test.each(['', 'x', '%', 'bWVzc2FnZXM6MQ', 'c2Vzc2lvbnM6YQ=='])(
        'refuses %j, a cursor that it has not given',
        async (after) => {
          await expect(store.sessions({ limit: 1, after })).rejects.toMatchObject({ reason: 'bad-cursor' });
        },
      );

      test.each([0, -1, 1.5, Number.NaN, 1e9])('refuses a page of %d items', async (limit) => {
        await expect(store.sessions({ limit, after: null })).rejects.toMatchObject({ name: 'StoreError' });
      });

      test('counts messages by their states', async () => {
        await answerOne(store, 'a');
        await answerOne(store, 'b');
        await acceptOne(store, 'c');
        await acceptOne(store, 'c');
        const [delivery] = await claimDeliveries(store, { limit: 1 });
        if (delivery === undefined) throw new Error('Expected a delivery.');
        await at(4_000, store).completeDelivery(delivery);
        await claimOne(store);
        expect(await store.counts()).toEqual({
          sessions: 3,
          queued: 1,
          running: 1,
          replied: 1,
          delivered: 1,
          dead: 0,
          cancelled: 0,
          collected: 0,
          undelivered: 1,
        });
      });
    });

    describe('closing', () => {
      test('finishes what was asked for before and refuses what comes after', async () => {
        const pending = Promise.all(Array.from({ length: 10 }, () => acceptOne(store, 'a')));
        const closing = store.close();
        await expect(store.probe()).rejects.toMatchObject({ reason: 'closed' });
        expect(await pending).toHaveLength(10);
        await closing;
        await store.close();
        await expect(store.accept(newMessage('a'), noLimits)).rejects.toMatchObject({ reason: 'closed' });
      });

      test('a probe that resolves has reached the database', async () => {
        await expect(store.probe()).resolves.toBeUndefined();
      });
    });
  });
}
