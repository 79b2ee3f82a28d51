import { expect, test } from 'vitest';
import { Random } from './random.js';
import { slopeOf } from './slope.js';

const series = (growth: number, noise: number) => {
  const random = new Random(7);
  return Array.from({ length: 500 }, (_, at) => ({
    at,
    value: 100 + growth * at + noise * (random.next() - 0.5),
  }));
};

test('a straight line has its slope, and no error', () => {
  const { perSecond, error } = slopeOf(series(0.25, 0));
  expect(perSecond).toBeCloseTo(0.25);
  expect(error).toBeCloseTo(0);
});

test('noise alone is no growth; growth is told from it', () => {
  const flat = slopeOf(series(0, 10));
  expect(Math.abs(flat.perSecond)).toBeLessThan(2 * flat.error);
  const growing = slopeOf(series(0.02, 10));
  expect(growing.perSecond).toBeGreaterThan(4 * growing.error);
});
