import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decideForgetting, type OldMessage } from '../../../src/store/rules/forgetting.js';

const round = { before: 5_000, now: 9_000, all: false };
const old: OldMessage = {
  state: 'delivered',
  acceptedAt: 1_000,
  changedAt: 4_999,
  isPart: false,
  isUnderWay: false,
  isToBeDelivered: false,
};

const messages = fc.record<OldMessage>({
  state: fc.constantFrom('queued', 'running', 'replied', 'delivered', 'dead', 'cancelled', 'collected'),
  acceptedAt: fc.nat({ max: 12_000 }),
  changedAt: fc.nat({ max: 12_000 }),
  isPart: fc.boolean(),
  isUnderWay: fc.boolean(),
  isToBeDelivered: fc.boolean(),
});

test('nothing is forgotten that is young, goes on, or is part of another', () => {
  fc.assert(
    fc.property(messages, fc.boolean(), (message, all) => {
      if (decideForgetting(message, { ...round, all }) !== 'forget') return;
      expect(message.changedAt).toBeLessThan(round.before);
      expect([message.isPart, message.isUnderWay, message.isToBeDelivered]).toEqual([false, false, false]);
      expect(['queued', 'running']).not.toContain(message.state);
    }),
  );
});

test('what has ended long ago is forgotten', () => {
  expect(decideForgetting(old, round)).toBe('forget');
  expect(decideForgetting({ ...old, changedAt: 5_000 }, round)).toBe('pass');
});

test.each([
  [4_999, false, 'forget'],
  [5_000, false, 'end'],
  [9_000, false, 'end'],
  // A time of a clock that was ahead.
  [9_001, false, 'forget'],
  [5_000, true, 'forget'],
])('a round that comes to one accepted at %i, all: %s', (acceptedAt, all, expected) => {
  expect(decideForgetting({ ...old, acceptedAt }, { ...round, all })).toBe(expected);
});
