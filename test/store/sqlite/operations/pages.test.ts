import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Message, Page } from '../../../../src/store/messages.js';
import type { Store } from '../../../../src/store/store.js';
import { acceptOne, at } from '../../samples.js';
import { SqliteFactory } from '../sqlite-factory.js';

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
  for (const _ of all) await acceptOne(store, 'a', { text: 'x'.repeat(128 * 1024) });
  const queued = await pagesOf((after) => store.sessionMessages('a', { limit: 1_000, after }));
  expect(queued.map(({ length }) => length)).toEqual([8, 4]);
  expect(seqs(queued.flat())).toEqual(all);

  await at(Date.now(), store).cancelSession('a');
  const settled: Message[] = [];
  for (let more = true; more; ) {
    const page = await store.settledMessages('a', settled.length, 1_000);
    // Pages of an event stream are shorter.
    expect(page.items.length).toBe(1);
    settled.push(...page.items);
    more = page.more;
  }
  expect(seqs(settled)).toEqual(all);
});

test('a page holds one message at least', async () => {
  const text = 'x'.repeat(2 * 1024 ** 2);
  for (const _ of [1, 2]) await acceptOne(store, 'a', { text });
  const pages = await pagesOf((after) => store.sessionMessages('a', { limit: 1_000, after }));
  expect(pages.map(seqs)).toEqual([[1], [2]]);
});
