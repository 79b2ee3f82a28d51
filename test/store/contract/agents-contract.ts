import { setImmediate as nextRound } from 'node:timers/promises';
import { v7 } from 'uuid';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Store } from '../../../src/store/store.js';
import type { Turn } from '../../../src/store/turns.js';
import { acceptOne, at, claimOne, claimTurns, newMessage, noLimits } from '../samples.js';
import type { StoreFactory } from './store-contract.js';

const reply = { text: 'r', metadata: {} };

/** Duties of every store for agents: whose turn it is, what it waits for, and what is written of it meanwhile. */
export function agentsContract(name: string, createFactory: () => StoreFactory): void {
  describe(`${name} keeps the contract of agents`, () => {
    let factory: StoreFactory;
    let store: Store;

    beforeEach(async () => {
      factory = createFactory();
      store = await factory.open({ maxAttempts: 3 });
    });
    afterEach(() => factory.remove());

    async function run(session: string, changes = {}): Promise<Turn> {
      await acceptOne(store, session, changes);
      return claimOne(store);
    }

    describe('a session', () => {
      test('has the agent that its first message has chosen, until somebody chooses another', async () => {
        const arrival = { owner: 'first', leaseMs: 10_000 };
        const first = await store.accept(newMessage('a', { agent: 'writer' }), noLimits, arrival);
        expect(first).toMatchObject({ turn: { agent: 'writer', generation: 1 } });
        if (first.outcome !== 'accepted' || first.turn === null) return;
        await store.completeTurn(first.turn, reply);
        const second = await run('a', { agent: 'other' });
        expect(second.agent).toBe('writer');
        await store.completeTurn(second, reply);
        expect(await store.setAgent('a', 'coder')).toMatchObject({ agent: 'coder', lastSeq: 2 });
        expect((await run('a')).agent).toBe('coder');
        expect(await store.session('a')).toMatchObject({ agent: 'coder', generation: 1, policy: null });
      });

      test('is made by the choice of its agent, and needs none', async () => {
        expect(await store.setAgent('new', 'writer')).toMatchObject({ agent: 'writer', lastSeq: 0 });
        expect((await run('new', { agent: 'other' })).agent).toBe('writer');
        expect((await run('plain')).agent).toBeNull();
        expect((await store.counts()).sessions).toBe(2);
      });

      test('begins anew with the message after a reset; nothing is deleted', async () => {
        expect(await store.resetSession('a')).toBeNull();
        const before = await run('a');
        const waits = await acceptOne(store, 'a');
        await store.putRecord({ kind: 'agent-session', key: 'a/1/coder', value: 'x' });
        expect(await store.resetSession('a')).toMatchObject({ generation: 2, lastSeq: 2 });
        expect(await store.record('agent-session', 'a/1/coder')).toBeNull();
        const after = await acceptOne(store, 'a');
        expect([waits.generation, after.generation]).toEqual([1, 2]);
        // A message from before is of the generation before, also if it is run later.
        await store.completeTurn(before, reply);
        const turn = await claimOne(store);
        expect(turn).toMatchObject({ messageId: waits.id, generation: 1 });
        await store.completeTurn(turn, reply);
        expect(await claimOne(store)).toMatchObject({ messageId: after.id, generation: 2 });
        expect(await store.sessionMessages('a', { limit: 9, after: null })).toMatchObject({
          items: { length: 3 },
        });
      });

      test('makes no one turn of messages before and after a reset', async () => {
        await store.setPolicy('a', 'collect');
        for (const reset of [false, false, true]) {
          if (reset) await store.resetSession('a');
          await acceptOne(store, 'a');
        }
        const turn = await claimOne(store, { collectLimit: 9 });
        expect([turn.seq, turn.collected.length]).toEqual([2, 1]);
      });
    });

    describe('a deleted session', () => {
      const webhook = { channel: 'webhook', address: 'https://receiver.example/', options: {} };
      async function deleted(session: string): Promise<string | null> {
        for (;;) {
          const outcome = await store.deleteSession(session, 2);
          if (outcome !== 'more') return outcome;
        }
      }

      test('is gone with all it has, and leaves the others theirs', async () => {
        expect(await store.deleteSession('a', 9)).toBeNull();
        const counts = await store.counts();
        const ids: string[] = [];
        const remembered = { kind: 'agent-session', key: 'a/1/coder', value: 'x' };
        const file = await store.putBlob([Buffer.from('text')], 100);
        if (file === null) throw new Error('Expected a file.');
        const attachments = [{ ...file, name: 'a.txt', mediaType: 'text/plain' }];
        await store.setPolicy('a', 'collect');
        for (let count = 1; count <= 3; count += 1) {
          const turn = await run('a', { replyTo: webhook, ...(count === 1 && { attachments }) });
          ids.push(turn.messageId);
          if (count === 3) await store.failTurn(turn, 'failed', null);
          else await store.completeTurn(turn, reply);
        }
        for (let count = 4; count <= 7; count += 1) ids.push((await acceptOne(store, 'a')).id);
        const parts = await claimOne(store, { collectLimit: 2 });
        await store.putBackTurns([parts]);
        await store.putRecord(remembered);
        await store.putRecord({ ...remembered, key: 'ab/1/coder' });
        expect(await deleted('a')).toBe('deleted');
        for (const id of ids) expect(await store.message(id)).toBeNull();
        expect(await store.session('a')).toBeNull();
        expect(await store.openBlob(file.id)).toBeNull();
        expect(await store.record('agent-session', 'a/1/coder')).toBeNull();
        expect(await store.record('agent-session', 'ab/1/coder')).not.toBeNull();
        expect(await store.counts()).toEqual(counts);
        expect(await claimTurns(store)).toEqual([]);
        expect((await acceptOne(store, 'a')).seq).toBe(1);
      });

      test('is not deleted while its turn runs', async () => {
        const turn = await run('a');
        expect(await deleted('a')).toBe('busy');
        await store.cancelMessage(turn.messageId);
        expect(await deleted('a')).toBe('busy');
        await store.releaseTurn(turn);
        expect(await deleted('a')).toBe('deleted');
      });
    });

    describe('a claim with slots of agents', () => {
      const of = (turns: readonly Turn[]) => turns.map(({ session }) => session);

      test('passes over the sessions of those that have none, which keep their places', async () => {
        for (const [session, agent] of [
          ['a', 'slow'],
          ['b', null],
          ['c', 'slow'],
          ['d', 'fast'],
          ['e', null],
        ] as const) {
          await acceptOne(store, session, { agent });
        }
        const agentSlots = new Map([
          ['slow', 1],
          ['default', 0],
        ]);
        expect(of(await claimTurns(store, { limit: 3, agentSlots }))).toEqual(['a', 'd']);
        expect(of(await claimTurns(store, { limit: 3 }))).toEqual(['b', 'c', 'e']);
      });

      test('runs no message at once whose agent has none', async () => {
        const arrival = { owner: 'first', leaseMs: 10_000, agentSlots: new Map([['slow', 0]]) };
        const accept = (session: string, agent: string) =>
          store.accept(newMessage(session, { agent }), noLimits, arrival);
        expect(await accept('a', 'fast')).toMatchObject({ turn: { agent: 'fast' } });
        expect(await accept('b', 'slow')).toMatchObject({ turn: null });
        expect(of(await claimTurns(store))).toEqual(['b']);
      });
    });

    describe('history', () => {
      test('is of the present generation, what has a reply, the newest, in its order', async () => {
        const seqs = async (limit: number) => (await store.history('a', limit)).map(({ seq }) => seq);
        expect(await seqs(9)).toEqual([]);
        for (let count = 1; count <= 2; count += 1) await store.completeTurn(await run('a'), reply);
        await store.resetSession('a');
        expect(await seqs(9)).toEqual([]);
        for (let count = 3; count <= 6; count += 1) {
          const turn = await run('a');
          if (count === 4) await store.failTurn(turn, 'exit status 3', null);
          else await store.completeTurn(turn, reply);
        }
        await acceptOne(store, 'a');
        expect(await seqs(9)).toEqual([3, 5, 6]);
        expect(await seqs(2)).toEqual([5, 6]);
        expect((await store.history('a', 1))[0]).toMatchObject({ reply: { text: 'r' }, generation: 2 });
        // As a turn of a message from before the reset would see it.
        const seenFrom = async (bound: number, generation: number) =>
          (await store.history('a', 9, { generation, before: bound })).map(({ seq }) => seq);
        expect(await seenFrom(3, 1)).toEqual([1, 2]);
        expect(await seenFrom(2, 1)).toEqual([1]);
        expect(await seenFrom(6, 2)).toEqual([3, 5]);
      });

      test('begins with turns that were made elsewhere, if the message is its session’s first', async () => {
        const earlier = [
          { id: v7(), text: 'hello', reply: 'Good day.' },
          { id: v7(), text: 'how are you?', reply: '' },
        ];
        const first = await acceptOne(store, 'a', { earlier, sender: 'ada' });
        expect(first).toMatchObject({ seq: 3, state: 'queued' });
        const before = { generation: 1, before: first.seq };
        expect(await store.history('a', 9, before)).toMatchObject([
          { id: earlier[0]?.id, seq: 1, state: 'replied', text: 'hello', reply: { text: 'Good day.' } },
          { id: earlier[1]?.id, seq: 2, state: 'replied', sender: 'ada', reply: { text: '' } },
        ]);
        expect(await store.counts()).toMatchObject({ sessions: 1, queued: 1, replied: 2 });
        expect(await store.session('a')).toMatchObject({ lastSeq: 3, waiting: 1 });
        expect(await acceptOne(store, 'a', { earlier: [{ id: v7(), text: 'x', reply: 'y' }] })).toMatchObject(
          { seq: 4 },
        );
        for (const seq of [3, 4]) {
          const turn = await claimOne(store);
          expect(turn.seq).toBe(seq);
          await store.completeTurn(turn, reply);
        }
        expect((await store.history('a', 9)).map((message) => message.seq)).toEqual([1, 2, 3, 4]);
      });

      test('has the messages of which a turn was made', async () => {
        await store.setPolicy('a', 'collect');
        for (let count = 1; count <= 3; count += 1) await acceptOne(store, 'a');
        const turn = await claimOne(store, { collectLimit: 9 });
        expect(await store.history('a', 9)).toEqual([]);
        await store.completeTurn(turn, reply);
        const found = await store.history('a', 9);
        expect(found.map(({ seq, collectedIn }) => [seq, collectedIn?.id ?? null])).toEqual([
          [1, turn.messageId],
          [2, turn.messageId],
          [3, null],
        ]);
      });
    });

    describe('a turn that waits', () => {
      test('runs, holds its session, and says what it waits for until it goes on', async () => {
        const turn = await run('a');
        await acceptOne(store, 'a');
        expect(await store.setTurnWait(turn, 'question')).toBe(true);
        expect(await store.message(turn.messageId)).toMatchObject({
          state: 'running',
          waitingFor: 'question',
        });
        expect(await claimTurns(store)).toEqual([]);
        expect(await store.setTurnWait(turn, null)).toBe(true);
        expect(await store.message(turn.messageId)).toMatchObject({ state: 'running', waitingFor: null });
      });

      test.each(['reply', 'retry', 'dead', 'put back', 'cancel', 'owner gone'])(
        'no longer does: %s',
        async (how) => {
          const turn = await run('a');
          await store.setTurnWait(turn, 'callback');
          if (how === 'reply') await store.completeTurn(turn, reply);
          if (how === 'retry') await store.failTurn(turn, 'failed', 1_000);
          if (how === 'dead') await store.failTurn(turn, 'failed', null);
          if (how === 'put back') await store.putBackTurns([turn]);
          if (how === 'cancel') await store.cancelMessage(turn.messageId);
          if (how === 'owner gone')
            await claimTurns(store, { owner: 'second', now: 90_000, leaseUntil: 99_000 });
          expect((await store.message(turn.messageId))?.waitingFor).toBeNull();
          expect(await store.setTurnWait(turn, 'question')).toBe(false);
        },
      );
    });

    test('a reply keeps the tokens that it took', async () => {
      const usage = { inputTokens: 12, outputTokens: 3 };
      const turn = await run('a');
      await store.completeTurn(turn, { ...reply, usage });
      expect((await store.message(turn.messageId))?.reply?.usage).toEqual(usage);
      const plain = await run('a');
      await store.completeTurn(plain, reply);
      expect((await store.message(plain.messageId))?.reply).not.toHaveProperty('usage');
    });

    describe('what an agent writes', () => {
      const textOf = async ({ messageId }: Turn, after = 0) =>
        (await store.deltas(messageId, after, 100)).items.map(
          ({ position, attempt, text }) => `${position} ${attempt} ${text}`,
        );

      test('is numbered over all attempts, and gone once its turn has ended', async () => {
        const first = await run('a');
        expect(first.deltas).toBe(0);
        expect(await store.appendDeltas(first, ['one', 'two'])).toBe(2);
        expect(await store.appendDeltas(first, [])).toBe(2);
        await at(2_000, store).failTurn(first, 'failed', 0);
        const second = await claimOne(store);
        expect(second.deltas).toBe(2);
        expect(await store.appendDeltas(second, ['three'])).toBe(3);
        expect(await textOf(second)).toEqual(['1 1 one', '2 1 two', '3 2 three']);
        expect(await textOf(second, 2)).toEqual(['3 2 three']);
        await store.completeTurn(second, reply);
        expect(await textOf(second)).toEqual([]);
      });

      test('leaves the marks behind with which it began anew', async () => {
        const turn = await run('a');
        await store.appendDeltas(turn, ['one', '', 'two', '', 'three']);
        await store.completeTurn(turn, reply);
        expect(await textOf(turn)).toEqual(['2 1 ', '4 1 ']);
        expect(await textOf(turn, 2)).toEqual(['4 1 ']);
      });

      test('comes in pages, and of a message that is not there comes none', async () => {
        const turn = await run('a');
        await store.appendDeltas(turn, ['one', 'two', 'three']);
        expect(await store.deltas(turn.messageId, 0, 2)).toMatchObject({ items: { length: 2 }, more: true });
        expect(await store.deltas(turn.messageId, 2, 2)).toMatchObject({ items: { length: 1 }, more: false });
        expect(await store.deltas(newMessage('a').id, 0, 2)).toEqual({ items: [], more: false });
        expect(await store.deltas('no id', 0, 2)).toEqual({ items: [], more: false });
      });

      test('under a claim that was lost, or of a cancelled message, is not kept', async () => {
        const lost = await run('a');
        await store.appendDeltas(lost, ['one']);
        await store.putBackTurns([lost]);
        const turn = await claimOne(store);
        // The attempt does not count, but what it wrote is there.
        expect(turn).toMatchObject({ attempt: 1, putBacks: 0, deltas: 1 });
        expect(await store.appendDeltas(lost, ['late'])).toBeNull();
        expect(await store.appendDeltas(turn, ['two'])).toBe(2);
        await store.cancelMessage(turn.messageId);
        expect(await store.appendDeltas(turn, ['three'])).toBeNull();
        expect(await textOf(turn)).toEqual([]);
      });
    });

    describe('whoever watches a session', () => {
      test('is told of what changes it, once for what comes together, until it ends that', async () => {
        let told = 0;
        const end = store.watch('a', () => {
          told += 1;
        });
        const expectTold = async (what: string, change: () => Promise<unknown>) => {
          told = 0;
          await change();
          await vi.waitFor(() => expect(told, what).toBeGreaterThan(0));
        };
        await expectTold('accept', () => acceptOne(store, 'a'));
        let turn: Turn | undefined;
        await expectTold('claim', async () => {
          turn = await claimOne(store);
        });
        const running = turn as Turn;
        await expectTold('deltas', () => store.appendDeltas(running, ['one']));
        await expectTold('wait', () => store.setTurnWait(running, 'question'));
        await expectTold('end', () => store.completeTurn(running, reply));
        await expectTold('several', () =>
          store.acceptAll([newMessage('a'), newMessage('b')], noLimits, null),
        );
        await expectTold('cancel', () => store.cancelSession('a'));
        await expectTold('reset', () => store.resetSession('a'));

        told = 0;
        await acceptOne(store, 'b');
        await store.message(running.messageId);
        for (let round = 0; round < 5; round += 1) await nextRound();
        expect(told).toBe(0);

        await Promise.all(Array.from({ length: 9 }, () => acceptOne(store, 'a')));
        await vi.waitFor(() => expect(told).toBeGreaterThan(0));
        expect(told).toBeLessThan(9);
        end();
        end();
        told = 0;
        await acceptOne(store, 'a');
        for (let round = 0; round < 5; round += 1) await nextRound();
        expect(told).toBe(0);
      });
    });
  });
}
