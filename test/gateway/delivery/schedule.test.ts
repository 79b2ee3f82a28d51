import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backoff, longestRetryAfterMs, nextAttemptAt } from '../../../src/gateway/delivery/schedule.js';
import { parseRetryAfter } from '../../../src/gateway/delivery/webhook/retry-after.js';

const settings = fc.record({
  max_attempts: fc.integer({ min: 1, max: 1_000 }),
  retry_delay: fc.integer({ min: 1, max: 86_400_000 }),
  retry_delay_limit: fc.integer({ min: 1, max: 86_400_000 }),
});
const attempt = fc.integer({ min: 1, max: 1_000 });
const drawn = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('backoff', () => {
  test('is drawn from nothing up to the doubled delay, and never beyond the limit', () => {
    fc.assert(
      fc.property(attempt, settings, drawn, (attempt, settings, value) => {
        const delay = backoff(attempt, settings, () => value);
        expect(Number.isSafeInteger(delay)).toBe(true);
        expect(delay).toBeGreaterThanOrEqual(0);
        expect(delay).toBeLessThan(Math.max(settings.retry_delay_limit, 1));
        expect(delay).toBeLessThan(Math.max(settings.retry_delay * 2 ** (attempt - 1), 1));
      }),
    );
  });

  test.each([
    [1, 500],
    [2, 1_000],
    [3, 2_000],
    [4, 4_000],
    [5, 5_000],
    [1_000, 5_000],
  ])('after attempt %i half of the dice give %i ms', (attempt, expected) => {
    expect(backoff(attempt, { retry_delay: 1_000, retry_delay_limit: 10_000 }, () => 0.5)).toBe(expected);
  });

  test('spreads over the whole span', () => {
    const limits = { retry_delay: 1_000, retry_delay_limit: 1_000 };
    expect(backoff(1, limits, () => 0)).toBe(0);
    expect(backoff(1, limits, () => 0.999999)).toBe(999);
  });
});

describe('the next attempt', () => {
  test('there is one until max_attempts were made', () => {
    fc.assert(
      fc.property(attempt, settings, drawn, (attempt, settings, value) => {
        const next = nextAttemptAt(attempt, null, 1_000, settings, () => value);
        expect(next === null).toBe(attempt >= settings.max_attempts);
      }),
    );
  });

  test('waits at least as long as the receiver asks for, at most a day longer than the backoff', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 ** 13 }), settings, drawn, (asked, settings, value) => {
        const limits = { ...settings, max_attempts: 2 };
        const next = nextAttemptAt(1, asked, 5_000, limits, () => value) ?? Number.NaN;
        expect(next).toBeGreaterThanOrEqual(5_000 + Math.min(asked, longestRetryAfterMs));
        expect(next).toBeLessThanOrEqual(5_000 + longestRetryAfterMs + limits.retry_delay_limit);
      }),
    );
  });
});

describe('Retry-After', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  test.each([
    ['120', 120_000],
    [' 5 ', 5_000],
    ['0', 0],
    ['Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
    ['Thursday, 01-Jan-26 00:01:00 GMT', 60_000],
    ['Thu Jan  1 00:01:00 2026 GMT', 60_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['-5', null],
    ['1.5', null],
    ['soon', null],
    ['99999999999', null],
    ['', null],
    [undefined, null],
  ])('%j is %j ms', (value, expected) => {
    expect(parseRetryAfter(value, now)).toBe(expected);
  });
});
