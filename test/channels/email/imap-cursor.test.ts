import { expect, it } from 'vitest';
import { beginCursor, isAhead, readCursor } from '../../../src/channels/email/imap-cursor.js';

const kept = { uidValidity: '7', uid: 10, recountedUid: 0, unmarkedUid: null };

it('begins with the mails that come', () => {
  const cursor = beginCursor(null, { uidValidity: '7', uidNext: 11 });
  expect(cursor).toEqual(kept);
  expect(isAhead(cursor, { uid: 10, isSeen: false })).toBe(false);
  expect(isAhead(cursor, { uid: 11, isSeen: true })).toBe(true);
});

it('goes on where it was', () => {
  expect(beginCursor(kept, { uidValidity: '7', uidNext: 30 })).toBe(kept);
});

it('takes what is not read, if the mails are numbered anew', () => {
  const cursor = beginCursor(kept, { uidValidity: '8', uidNext: 5 });
  expect(cursor).toEqual({ uidValidity: '8', uid: 0, recountedUid: 4, unmarkedUid: null });
  expect(isAhead(cursor, { uid: 1, isSeen: true })).toBe(false);
  expect(isAhead(cursor, { uid: 1, isSeen: false })).toBe(true);
  // It came since.
  expect(isAhead(cursor, { uid: 5, isSeen: true })).toBe(true);
  // The gateway went down in the middle.
  expect(isAhead({ ...cursor, uid: 2 }, { uid: 3, isSeen: true })).toBe(false);
});

it.each([[null], ['text'], [{}], [{ uidValidity: 7, uid: 1 }], [[]]])('reads no position in %j', (value) => {
  expect(readCursor(value)).toBeNull();
});

it('reads its own', () => {
  const cursor = { uidValidity: '8', uid: 3, recountedUid: 4, unmarkedUid: 3 };
  expect(readCursor(JSON.parse(JSON.stringify(cursor)))).toEqual(cursor);
});
