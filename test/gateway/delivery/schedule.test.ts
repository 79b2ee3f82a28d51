import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  backoff,
  longestRetryAfterMs,
  nextAttemptAt,
  parseRetryAfter,
  Refusals,
  webhookSchedule,
} from '../../../src/gateway/delivery/schedule.js';

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
        const next = nextAttemptAt(attempt, null, 1_000, settings, [], () => value);
        expect(next === null).toBe(attempt >= settings.max_attempts);
      }),
    );
  });

  test('waits at least as long as the receiver asks for, at most a day longer than the backoff', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 ** 13 }), settings, drawn, (asked, settings, value) => {
        const limits = { ...settings, max_attempts: 2 };
        const next = nextAttemptAt(1, asked, 5_000, limits, [], () => value) ?? Number.NaN;
        expect(next).toBeGreaterThanOrEqual(5_000 + Math.min(asked, longestRetryAfterMs));
        expect(next).toBeLessThanOrEqual(5_000 + longestRetryAfterMs + limits.retry_delay_limit);
      }),
    );
  });
});

describe('the schedule of webhooks', () => {
  const unset = { max_attempts: null, retry_delay: null, retry_delay_limit: null };
  const waitAfter = (attempt: number, asked: number | null = null, random = 0, settings = {}) =>
    nextAttemptAt(attempt, asked, 0, { ...unset, ...settings }, webhookSchedule, () => random);

  test('is that of Standard Webhooks, and its last wait repeats', () => {
    const hours = (count: number) => count * 3_600_000;
    const waits = [5_000, 300_000, 1_800_000, hours(2), hours(5), hours(10), hours(14), hours(20), hours(24)];
    expect([1, 2, 3, 4, 5, 6, 7, 8, 9].map((attempt) => waitAfter(attempt))).toEqual(waits);
    expect(waitAfter(10)).toBe(hours(24));
    expect(waitAfter(1_000)).toBe(hours(24));
  });

  test.each([
    ['its wait is longer by a tenth at most', 2, null, 0.999999, {}, 329_999],
    ['a longer Retry-After stands in its place', 1, 60_000, 0, {}, 60_000],
    ['a shorter one does not', 2, 60_000, 0, {}, 300_000],
    ['max_attempts ends it', 3, null, 0, { max_attempts: 3 }, null],
    ['retry_delay has a backoff in its place', 3, null, 0.5, { retry_delay: 1_000 }, 2_000],
    ['so has its limit', 30, null, 0.5, { retry_delay_limit: 10_000 }, 5_000],
  ])('%s', (_what, attempt, asked, random, settings, expected) => {
    expect(waitAfter(attempt, asked, random, settings)).toBe(expected);
  });
});

test('refusals count from the first in a row, and only so many are known', () => {
  const refusals = new Refusals();
  expect(refusals.note('a', 1)).toBe(1);
  expect(refusals.note('a', 5)).toBe(1);
  refusals.forget('a');
  expect(refusals.note('a', 9)).toBe(9);
  for (let index = 0; index < 10_000; index += 1) refusals.note(`other ${index}`, 10);
  expect(refusals.note('a', 11)).toBe(11);
  expect(refusals.note('other 9999', 11)).toBe(10);
});

describe('Retry-After', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  test.each([
    ['120', 120_000],
    [' 5 ', 5_000],
    ['0', 0],
    ['Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
    ['Thursday, 01-Jan-26 00:01:00 GMT', 60_000],
    ['Thu Jan  1 00:01:00 2026', 60_000],
    ['Thu Jan 01 00:01:00 2026', 60_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['-5', null],
    ['1.5', null],
    ['soon', null],
    ['99999999999', 86_400_000],
    ['9'.repeat(400), 86_400_000],
    ['Fri, 01 Jan 2106 00:00:00 GMT', 86_400_000],
    ['', null],
    [undefined, null],
  ])('%j is %j ms', (value, expected) => {
    expect(parseRetryAfter(value, now)).toBe(expected);
  });
});
