import { expect, test } from 'vitest';
import {
  codeHash,
  decideOffer,
  keptWaiting,
  mostWaiting,
  storedWaiting,
  type Waiting,
  waitingFor,
} from '../../../src/channels/conversation/pairing.js';

const waiting: Waiting = { codeHash: codeHash('tg', 'AAAAAAAA'), name: 'Eve', askedAt: 1_000, toldAt: 1_000 };

test.each([
  ['who was not here', null, 0, 1_000, 'new'],
  ['who is the last that may wait', null, mostWaiting - 1, 1_000, 'new'],
  ['who is one too many', null, mostWaiting, 1_000, 'full'],
  ['who has one since a moment', waiting, 1, 60_999, 'silent'],
  ['who asks again', waiting, 1, 61_000, 'again'],
  ['who asks again while as many wait as may', waiting, mostWaiting, 61_000, 'again'],
])('a stranger %s: %j, %i wait, at %i ms: %s', (_who, own, count, now, offer) => {
  expect(decideOffer('eve', own, { waiting: count, now })).toBe(offer);
});

test('an id that no record could be found by gets none', () => {
  expect(decideOffer('e'.repeat(256), null, { waiting: 0, now: 0 })).toBe('full');
});

test('a code is found in its channel alone', () => {
  const all = [{ value: waiting }, { value: { ...waiting, codeHash: codeHash('tg', 'BBBBBBBB') } }];
  expect(waitingFor(all, 'tg', 'BBBBBBBB')).toBe(all[1]);
  expect(waitingFor(all, 'tg', 'CCCCCCCC')).toBeNull();
  expect(waitingFor(all, 'irc', 'AAAAAAAA')).toBeNull();
  expect(waitingFor([{ value: { ...waiting, codeHash: 'x' } }], 'tg', 'AAAAAAAA')).toBeNull();
});

test('a record is read as it was written, and one of another form is none', () => {
  expect(keptWaiting(storedWaiting(waiting))).toEqual(waiting);
  expect(JSON.stringify(storedWaiting(waiting))).not.toContain('AAAAAAAA');
  for (const value of [null, [], 'x', {}, { code_hash: 1, asked_at: 1, told_at: 1 }]) {
    expect(keptWaiting(value)).toBeNull();
  }
});
