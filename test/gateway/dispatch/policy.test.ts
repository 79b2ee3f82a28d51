import { describe, expect, test } from 'vitest';
import {
  claimStands,
  mostPutBacks,
  retryAfterSeconds,
  retryDelay,
} from '../../../src/gateway/dispatch/policy.js';

const settings = { max_attempts: 4, retry_delay: 1_000 };

describe('retryDelay', () => {
  test.each([
    { attempt: 1, retry: true, delay: 1_000 },
    { attempt: 2, retry: true, delay: 2_000 },
    { attempt: 3, retry: true, delay: 4_000 },
    { attempt: 4, retry: true, delay: null },
    { attempt: 5, retry: true, delay: null },
    { attempt: 1, retry: false, delay: null },
  ])('attempt $attempt, retry $retry: $delay', ({ attempt, retry, delay }) => {
    expect(retryDelay({ attempt, retry }, settings)).toBe(delay);
  });

  test('waits a day at the longest', () => {
    const many = { max_attempts: 1_000, retry_delay: 1_000 };
    expect(retryDelay({ attempt: 900, retry: true }, many)).toBe(86_400_000);
  });
});

test.each([
  [1, 3],
  [2, 3],
  [3, 3],
  [4, 4],
])('with dispatch.max_attempts = %i a turn is put back until stop %i cuts it off', (max_attempts, most) => {
  expect(mostPutBacks({ max_attempts })).toBe(most);
});

test.each([
  ['session', null, 8, 5],
  ['session', 2_100, 8, 3],
  ['session', 10, 8, 1],
  ['total', 80_000, 8, 10],
  ['session', 86_400_000, 8, 300],
] as const)(
  'a full queue (%s), turns of %s ms, %i at a time: try again in %i s',
  (limit, time, concurrency, room) => {
    expect(retryAfterSeconds(limit, time, concurrency)).toBe(room);
  },
);

test.each([
  { record: null, stands: false },
  { record: { state: 'running', attempts: 2 }, stands: true },
  { record: { state: 'running', attempts: 3 }, stands: false },
  { record: { state: 'queued', attempts: 2 }, stands: false },
  { record: { state: 'replied', attempts: 2 }, stands: false },
])('a claim of attempt 2 against the record $record stands: $stands', ({ record, stands }) => {
  expect(claimStands({ attempt: 2 }, record)).toBe(stands);
});
