import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Message, Page, Store } from '../../src/store/store.js';
import { acceptOne } from './samples.js';
import { SqliteFactory } from './sqlite-factory.js';

let factory: SqliteFactory;
let store: Store;
beforeEach(async () => {
  factory = new SqliteFactory();
  store = await factory.open();
});
afterEach(() => factory.remove());

const count = 12;
const seqs = (messages: readonly Message[]) => messages.map(({ seq }) => seq);
const all = Array.from({ length: count }, (_, index) => index + 1);

/** Follows the cursor to the end; gives the pages. */
async function pagesOf(read: (after: string | null) => Promise<Page<Message> | null>) {
  const pages: (readonly Message[])[] = [];
  for (let after: string | null = null; ; ) {
    const page = await read(after);
    if (page === null) throw new Error('The session is not known.');
    pages.push(page.items);
    if (page.next === null) return pages;
    after = page.next;
  }
}

test('pages of long texts are short, and nothing is left out between them', async () => {
  for (const _ of all) await acceptOne(store, 'a', { text: 'x'.repeat(1024 ** 2) });
  const queued = await pagesOf((after) => store.sessionMessages('a', { limit: 1_000, after }));
  expect(queued.map(({ length }) => length)).toEqual([8, 4]);
  expect(seqs(queued.flat())).toEqual(all);

  await store.cancelSession('a', Date.now());
  const first = await store.settledMessages('a', 0, 1_000);
  const second = await store.settledMessages('a', first.items.length, 1_000);
  expect([first.more, second.more]).toEqual([true, false]);
  expect([first.items.length, second.items.length]).toEqual([8, 4]);
  expect(seqs([...first.items, ...second.items])).toEqual(all);
});

test('a page holds one message at least', async () => {
  const text = 'x'.repeat(9 * 1024 ** 2);
  for (const _ of [1, 2]) await acceptOne(store, 'a', { text });
  const pages = await pagesOf((after) => store.sessionMessages('a', { limit: 1_000, after }));
  expect(pages.map(seqs)).toEqual([[1], [2]]);
});
