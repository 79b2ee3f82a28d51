import { StoreError } from '../../store-error.js';

type List = 'sessions' | 'messages' | 'dead' | 'records';

/** Cursors are opaque outside: base64url of what they list and the last key seen. */
export function encodeCursor(of: List, key: string): string {
  return Buffer.from(`${of}:${key}`).toString('base64url');
}

/** The key after which a page begins; throws a StoreError when the cursor is not one that `encodeCursor` made. */
export function decodeCursor(of: List, cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString();
  if (!text.startsWith(`${of}:`) || encodeCursor(of, text.slice(of.length + 1)) !== cursor) {
    throw new StoreError(
      'bad-cursor',
      `"${cursor}" is not a cursor of this list: use the one of its last page.`,
    );
  }
  return text.slice(of.length + 1);
}
