import { expect, test } from 'vitest';
import { isAsExpected, unexpired } from '../../../src/store/rules/fences.js';

const record = { version: 4, expiresAt: 5_000 };

test('a record is there until its time is over', () => {
  expect(unexpired(record, 4_999)).toBe(record);
  expect(unexpired(record, 5_000)).toBeNull();
  expect(unexpired({ ...record, expiresAt: null }, 9_999)).not.toBeNull();
  expect(unexpired(null, 0)).toBeNull();
});

test.each([
  [record, 'any', true],
  [null, 'any', true],
  [record, 4, true],
  [record, 3, false],
  [null, 4, false],
  [record, null, false],
  [null, null, true],
] as const)('%j is as %j is expected: %s', (present, expected, outcome) => {
  expect(isAsExpected(present, expected)).toBe(outcome);
});
