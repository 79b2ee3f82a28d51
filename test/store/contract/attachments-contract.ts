import { createHash, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Attachment, webhookTarget } from '../../../src/store/messages.js';
import type { Store } from '../../../src/store/store.js';
import { acceptOne, at, claimDeliveries, claimOne, newMessage, noLimits } from '../samples.js';
import type { StoreFactory } from './store-contract.js';

/** Puts a file into the store, for a message to name it. */
export async function putFile(store: Store, name: string, content: Uint8Array): Promise<Attachment> {
  const blob = await store.putBlob([content], content.length);
  if (blob === null) throw new Error('It is as long as it may be.');
  return { ...blob, name, mediaType: 'text/plain' };
}

/** All of a file; null: there is none. */
export async function readFile(store: Store, { id }: Pick<Attachment, 'id'>): Promise<Buffer | null> {
  const content = await store.openBlob(id);
  if (content === null) return null;
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Duties of every store for the files of messages and replies. */
export function attachmentsContract(name: string, createFactory: () => StoreFactory): void {
  describe(`${name} keeps the contract of attachments`, () => {
    let factory: StoreFactory;
    let store: Store;

    beforeEach(async () => {
      factory = createFactory();
      store = await factory.open({ maxAttempts: 3 });
    });
    afterEach(() => factory.remove());

    test.each([0, 1, 262_143, 262_144, 262_145, 600_000])(
      'a file of %i bytes is kept as it is',
      async (size) => {
        const content = randomBytes(size);
        const pieces = [content.subarray(0, 1_000), content.subarray(1_000)];
        const blob = await store.putBlob(pieces, size);
        expect(blob).toMatchObject({
          sizeBytes: size,
          sha256: createHash('sha256').update(content).digest('hex'),
        });
        // To compare them member by member takes seconds.
        expect((await readFile(store, blob ?? { id: '' }))?.equals(content)).toBe(true);
      },
    );

    test('of a file that is too long, or that can’t be read to its end, nothing stays', async () => {
      expect(await store.putBlob([Buffer.alloc(300_000)], 299_999)).toBeNull();
      async function* broken() {
        yield Buffer.alloc(300_000);
        throw new Error('the client has gone');
      }
      await expect(store.putBlob(broken(), 1_000_000)).rejects.toThrow('the client has gone');
      expect(await store.openBlob('no such file')).toBeNull();
    });

    test('a message has its files, and so have its turn and its reply; they are still there after a restart', async () => {
      const question = await putFile(store, 'question.txt', Buffer.from('why?'));
      const message = await acceptOne(store, 'a', {
        attachments: [question],
        replyTo: webhookTarget('https://receiver.example/'),
      });
      expect(message.attachments).toEqual([question]);
      const turn = await claimOne(store);
      expect(turn.attachments).toEqual([question]);
      const answer = await putFile(store, 'answer.txt', Buffer.from('because'));
      await store.completeTurn(turn, { text: 'r', metadata: {}, attachments: [answer] });
      const [delivery] = await claimDeliveries(store, { now: 3_000, leaseUntil: 4_000 });
      expect(delivery?.replyAttachments).toEqual([answer]);
      expect(await store.message(message.id)).toMatchObject({
        attachments: [question],
        reply: { attachments: [answer] },
      });
      await factory.close();
      store = await factory.open({ maxAttempts: 3 });
      expect(String(await readFile(store, question))).toBe('why?');
      expect(String(await readFile(store, answer))).toBe('because');
    });

    test('a message that begins at once, and those that are collected, have theirs', async () => {
      const files = [];
      for (const text of ['one', 'two', 'three']) files.push(await putFile(store, text, Buffer.from(text)));
      const [one, two, three] = files as [Attachment, Attachment, Attachment];
      const arrival = { owner: 'first', leaseMs: 10_000 };
      const first = await store.accept(newMessage('a', { attachments: [one] }), noLimits, arrival);
      expect(first).toMatchObject({ turn: { attachments: [one] } });
      await store.setPolicy('a', 'collect');
      await acceptOne(store, 'a', { attachments: [two] });
      await acceptOne(store, 'a', { attachments: [three] });
      if (first.outcome === 'accepted' && first.turn !== null) {
        await store.completeTurn(first.turn, { text: 'r', metadata: {} });
      }
      expect(await claimOne(store, { collectLimit: 9 })).toMatchObject({
        collected: [{ attachments: [two] }],
        attachments: [three],
      });
    });

    test('a file belongs to one message, and a message is taken with all of its files or not at all', async () => {
      const file = await putFile(store, 'a', Buffer.from('a'));
      await acceptOne(store, 'a', { attachments: [file] });
      await expect(acceptOne(store, 'b', { attachments: [file] })).rejects.toThrow(/belongs to another/);
      const other = await putFile(store, 'b', Buffer.from('b'));
      const wrong = { ...other, sizeBytes: 2 };
      await expect(acceptOne(store, 'b', { attachments: [wrong] })).rejects.toThrow(/not in the store whole/);
      expect(await store.session('b')).toBeNull();
      expect((await acceptOne(store, 'b', { attachments: [other] })).seq).toBe(1);
    });

    test('what belongs to nothing can be removed; what belongs to a message can’t', async () => {
      const free = await putFile(store, 'free', Buffer.from('f'));
      await store.removeBlob(free.id);
      await store.removeBlob(free.id);
      expect(await store.openBlob(free.id)).toBeNull();
      const taken = await putFile(store, 'taken', Buffer.from('t'));
      await acceptOne(store, 'a', { attachments: [taken] });
      await store.removeBlob(taken.id);
      expect(String(await readFile(store, taken))).toBe('t');
    });

    test('a reply under a claim that was lost leaves its files to nothing', async () => {
      await acceptOne(store, 'a');
      const turn = await claimOne(store);
      await store.putBackTurns([turn]);
      const file = await putFile(store, 'late', Buffer.from('late'));
      const reply = { text: 'late', metadata: {}, attachments: [file] };
      expect(await at(3_000, store).completeTurn(turn, reply)).toBe(false);
      await store.removeBlob(file.id);
      expect(await store.openBlob(file.id)).toBeNull();
    });
  });
}
