import { expect, test } from 'vitest';
import { backoffMs } from '../../src/channels/backoff.js';

const backoff = { firstDelayMs: 100, delayLimitMs: 5_000 };

test.each([
  [0, 100],
  [1, 200],
  [5, 3_200],
  [6, 5_000],
  [2_000, 5_000],
])('after %i failures the wait is %i ms, or up to a fifth less', (failures, delayMs) => {
  expect(backoffMs(backoff, failures, () => 0)).toBe(delayMs);
  expect(backoffMs(backoff, failures, () => 0.5)).toBe(delayMs * 0.9);
});
