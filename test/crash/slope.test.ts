import { expect, test } from 'vitest';
import { Random } from './inside/random.mjs';
import { meansOf, slopeOf } from './slope.js';

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

test('of what rises and falls slowly the means take noise for a growth far less often than the samples do', () => {
  // Each value is near the one before.
  const slow = (seed: number, growth: number) => {
    const random = new Random(seed);
    let noise = 0;
    return Array.from({ length: 540 }, (_, at) => {
      noise = 0.95 * noise + random.next() - 0.5;
      return { at, value: noise + growth * at };
    });
  };
  const seeds = Array.from({ length: 200 }, (_, seed) => seed);
  const alarms = (growth: number, parts: number | null) =>
    seeds.filter((seed) => {
      const samples = slow(seed, growth);
      const { perSecond, error } = slopeOf(parts === null ? samples : meansOf(samples, parts));
      return perSecond > 2 * error;
    }).length;
  expect(alarms(0, null)).toBeGreaterThan(60);
  expect(alarms(0, 9)).toBeLessThan(20);
  expect(alarms(0.01, 9)).toBeGreaterThan(190);
});
