import { expect, it } from 'vitest';
import { LastingTroubles, withLeftOut } from '../../src/log/lasting-troubles.js';

const minute = 60_000;

it('tells of what comes each second at its begin, and then at growing distances', () => {
  const troubles = new LastingTroubles();
  const told: [at: number, leftOut: number][] = [];
  for (let now = 0; now <= 24 * 60 * minute; now += 1_000) {
    const leftOut = troubles.admit('full', now);
    if (leftOut !== null) told.push([now / minute, leftOut]);
  }
  expect(told).toEqual([
    [0, 0],
    [1, 59],
    [11, 599],
    [71, 3_599],
    [431, 21_599],
    [791, 21_599],
    [1_151, 21_599],
  ]);
});

it('tells anew of what has not come for as long as the distance', () => {
  const troubles = new LastingTroubles();
  expect(troubles.admit('full', 0)).toBe(0);
  expect(troubles.admit('full', 30_000)).toBeNull();
  expect(troubles.admit('full', 89_000)).toBe(1);
  expect(troubles.admit('full', 689_000)).toBe(0);
  expect(troubles.admit('full', 690_000)).toBeNull();
});

it('tells kinds apart, and bounds how many', () => {
  const troubles = new LastingTroubles();
  const admitted = Array.from({ length: 100 }, (_, index) => troubles.admit(`kind ${index}`, 0));
  expect(admitted.filter((leftOut) => leftOut !== null)).toHaveLength(51);
});

it('names the number that were left out', () => {
  expect(withLeftOut('no', 0)).toBe('no');
  expect(withLeftOut('no', 3)).toBe('no (3 more since the last record)');
});
