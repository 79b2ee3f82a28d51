import { describe, expect, test } from 'vitest';
import {
  claimStands,
  mostStops,
  pauseUntilDue,
  renewalInterval,
  retryAt,
  roomIn,
  storeDelay,
} from '../../src/gateway/dispatch-policy.js';

const settings = { max_attempts: 4, retry_delay: 1_000 };

describe('retryAt', () => {
  test.each([
    { attempt: 1, retry: true, at: 10_000 + 1_000 },
    { attempt: 2, retry: true, at: 10_000 + 2_000 },
    { attempt: 3, retry: true, at: 10_000 + 4_000 },
    { attempt: 4, retry: true, at: null },
    { attempt: 5, retry: true, at: null },
    { attempt: 1, retry: false, at: null },
  ])('attempt $attempt, retry $retry: $at', ({ attempt, retry, at }) => {
    expect(retryAt({ attempt, retry, now: 10_000 }, settings)).toBe(at);
  });

  test('waits a day at the longest', () => {
    const many = { max_attempts: 1_000, retry_delay: 1_000 };
    expect(retryAt({ attempt: 900, retry: true, now: 0 }, many)).toBe(86_400_000);
  });
});

test.each([
  [1, 3],
  [2, 3],
  [3, 3],
  [4, 4],
])('with dispatch.max_attempts = %i a turn is put back until stop %i cuts it off', (max_attempts, most) => {
  expect(mostStops({ max_attempts })).toBe(most);
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
    expect(roomIn(limit, time, concurrency)).toBe(room);
  },
);

test.each([
  [1, 100],
  [2, 200],
  [3, 400],
  [7, 5_000],
  [2_000, 5_000],
])('after failure %i of the store in a row: %i ms', (failures, delay) => {
  expect(storeDelay(failures)).toBe(delay);
});

test.each([
  { due: null, pause: 30_000, why: 'nothing waits: once a lease' },
  { due: 105_000, pause: 5_000, why: 'until it is due' },
  { due: 100_001, pause: 250, why: 'what is due is not for the dispatcher: no busy loop' },
  { due: 50_000, pause: 250, why: 'overdue and not for the dispatcher: no busy loop' },
  { due: 999_000, pause: 30_000, why: 'once a lease at the latest' },
])('pauseUntilDue: $why', ({ due, pause }) => {
  expect(pauseUntilDue(due, 100_000, 30_000)).toBe(pause);
});

test('a lease is renewed three times before it runs out', () => {
  expect(renewalInterval(30_000)).toBe(10_000);
  expect(renewalInterval(1_000)).toBe(333);
});

test.each([
  { record: null, stands: false },
  { record: { state: 'running', attempts: 2 }, stands: true },
  { record: { state: 'running', attempts: 3 }, stands: false },
  { record: { state: 'queued', attempts: 2 }, stands: false },
  { record: { state: 'replied', attempts: 2 }, stands: false },
])('a claim of attempt 2 against the record $record stands: $stands', ({ record, stands }) => {
  expect(claimStands({ attempt: 2 }, record)).toBe(stands);
});
