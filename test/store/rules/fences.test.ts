import { expect, test } from 'vitest';
import { leaseStands, mayClaimLease } from '../../../src/store/rules/fences.js';

const held = { owner: 'one', epoch: 4, leaseUntil: 5_000 };
const released = { owner: null, epoch: 4, leaseUntil: null };

test.each([
  [null, 'two', 0, true],
  [released, 'two', 0, true],
  [held, 'one', 0, true],
  [held, 'two', 4_999, false],
  [held, 'two', 5_000, true],
])('%j may be claimed by %s at %i: %s', (lease, owner, now, expected) => {
  expect(mayClaimLease(lease, owner, now)).toBe(expected);
});

test('a claim stands until there is a later one, or it was released', () => {
  expect(leaseStands(held, { owner: 'one', epoch: 4 })).toBe(true);
  expect(leaseStands(held, { owner: 'one', epoch: 3 })).toBe(false);
  expect(leaseStands(held, { owner: 'two', epoch: 4 })).toBe(false);
  expect(leaseStands(released, { owner: 'one', epoch: 4 })).toBe(false);
  expect(leaseStands(null, { owner: 'one', epoch: 4 })).toBe(false);
});
