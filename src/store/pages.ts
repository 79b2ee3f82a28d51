import type { Page } from './messages.js';
import { StoreError } from './store-error.js';

export type PagedList = 'sessions' | 'messages' | 'dead' | 'records';

/** The most items of a page, which is read while every other caller waits. */
const largestPage = 10_000;

/** Throws a StoreError for a limit that no page may have. */
export function checkLimit(limit: number): number {
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > largestPage) {
    throw new StoreError('internal', `The limit of a page must be from 1 to ${largestPage}, not ${limit}.`);
  }
  return limit;
}

/** Cursors are opaque outside: base64url of the list and the last key seen. */
export function encodeCursor(of: PagedList, key: string): string {
  return Buffer.from(`${of}:${key}`).toString('base64url');
}

/** The key after which a page begins. Throws a StoreError when the cursor is not one that `encodeCursor` made. */
export function decodeCursor(of: PagedList, cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString();
  if (!text.startsWith(`${of}:`) || encodeCursor(of, text.slice(of.length + 1)) !== cursor) {
    throw new StoreError(
      'bad-cursor',
      `"${cursor}" is not a cursor of this list: use the one of its last page.`,
    );
  }
  return text.slice(of.length + 1);
}

/** The number after which a page begins; 0: from the beginning. */
export function decodeNumber(of: PagedList, cursor: string | null): number {
  const number = cursor === null ? 0 : Number(decodeCursor(of, cursor));
  if (!Number.isSafeInteger(number)) throw new StoreError('bad-cursor', `"${cursor}" is not a cursor.`);
  return number;
}

/** A page of the items, of which there is one more than `limit` if there is another page. */
export function pageOf<Item>(
  of: PagedList,
  items: readonly Item[],
  limit: number,
  keyOf: (item: Item) => string,
): Page<Item> {
  const shown = items.slice(0, limit);
  const last = shown.at(-1);
  const more = items.length > limit && last !== undefined;
  return { items: shown, next: more ? encodeCursor(of, keyOf(last)) : null };
}

/** Reads a list to its end, page by page. Null: there is no such list. */
export async function* itemsOfPages<Item>(
  read: (after: string | null) => Promise<Page<Item> | null>,
): AsyncGenerator<Item> {
  let after: string | null = null;
  do {
    const page: Page<Item> | null = await read(after);
    yield* page?.items ?? [];
    after = page?.next ?? null;
  } while (after !== null);
}
