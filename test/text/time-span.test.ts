import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatExactTimeSpan,
  formatTimeSpan,
  parseTimeSpan,
  parseTimeSpanProperty,
} from '../../src/text/time-span.js';

describe('a time span', () => {
  it.each([
    ['30', 30_000],
    ['0', 0],
    ['0.5', 500],
    ['500ms', 500],
    ['2500us', 3],
    ['1.5s', 1_500],
    ['1min 30s', 90_000],
    ['1min30s', 90_000],
    ['2h', 7_200_000],
    ['30d', 2_592_000_000],
    ['1 w', 604_800_000],
    ['2months', 5_259_600_000],
    ['1M', 2_629_800_000],
    ['1m', 60_000],
    ['1y', 31_557_600_000],
    ['', null],
    ['s', null],
    ['1 fortnight', null],
    ['1s x', null],
    ['-1s', null],
    ['1 constructor', null],
    ['infinity', null],
  ])('%j is %j ms', (text, milliseconds) => {
    expect(parseTimeSpan(text)).toBe(milliseconds);
  });

  it.each([
    ['1min 30s', 90_000],
    ['infinity', Number.POSITIVE_INFINITY],
    ['0', 0],
    ['soon', null],
    ['', null],
    [undefined, null],
  ])('%j of systemctl show is %j ms', (text, milliseconds) => {
    expect(parseTimeSpanProperty(text)).toBe(milliseconds);
  });

  it.each([
    [0, '0s'],
    [999, '0s'],
    [59_999, '59s'],
    [60_000, '1min'],
    [3_600_000 + 5_000, '1h'],
    [3_600_000 + 120_000, '1h 2min'],
    [86_400_000 * 2 + 3_600_000 * 3, '2d 3h'],
  ])('of %d ms is written %j', (milliseconds, text) => {
    expect(formatTimeSpan(milliseconds)).toBe(text);
  });

  it.each([
    [2.83, '3 ms'],
    [1_500, '1.5 s'],
    [2_000, '2 s'],
    [60_000, '1min'],
    [123_000, '2min 3s'],
    [Number.POSITIVE_INFINITY, 'infinity'],
  ])('of %d ms is written %j where fractions matter', (milliseconds, text) => {
    expect(formatExactTimeSpan(milliseconds)).toBe(text);
  });

  it('is read as it was written, but for what the two largest units leave out', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 ** 11 }), (milliseconds) => {
        const read = parseTimeSpan(formatTimeSpan(milliseconds)) ?? -1;
        expect(milliseconds - read).toBeGreaterThanOrEqual(0);
        expect(milliseconds - read).toBeLessThan(Math.max(1_000, read / 24));
      }),
    );
  });
});
