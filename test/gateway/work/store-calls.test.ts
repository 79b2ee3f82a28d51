import { expect, test } from 'vitest';
import { dueDelayMs, renewalIntervalMs, storeRetryDelayMs } from '../../../src/gateway/work/store-calls.js';

test.each([
  [1, 100],
  [2, 200],
  [3, 400],
  [7, 5_000],
  [2_000, 5_000],
])('after failure %i of the store in a row: %i ms', (failures, delay) => {
  expect(storeRetryDelayMs(failures)).toBe(delay);
});

test.each([
  { due: null, pause: 30_000, why: 'nothing waits: once a lease' },
  { due: 5_000, pause: 5_000, why: 'until it is due' },
  { due: 1, pause: 250, why: 'what is due is not for the dispatcher: no busy loop' },
  { due: 0, pause: 250, why: 'overdue and not for the dispatcher: no busy loop' },
  { due: 899_000, pause: 30_000, why: 'once a lease at the latest' },
])('dueDelayMs: $why', ({ due, pause }) => {
  expect(dueDelayMs(due, 30_000)).toBe(pause);
});

test('a lease is renewed three times before it runs out', () => {
  expect(renewalIntervalMs(30_000)).toBe(10_000);
  expect(renewalIntervalMs(1_000)).toBe(333);
});
