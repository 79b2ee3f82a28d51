import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { connectionBounds, reserveFor } from '../../../../src/channels/http/server/connection-bounds.js';

const work = { turns: 8, deliveries: 96 };

describe('the bound of connections', () => {
  it.each([
    ['the limit of a shell or an old unit', 1_024, 36, { total: 808, withoutToken: 101 }],
    ['that of a plain unit', 524_288, 36, { total: 10_000, withoutToken: 512 }],
    ['no limit', Number.POSITIVE_INFINITY, 36, { total: 10_000, withoutToken: 512 }],
    ['too few for all the work: half of what is free', 48, 36, { total: 6, withoutToken: 2 }],
    ['none left: whoever asks is answered all the same', 36, 36, { total: 4, withoutToken: 2 }],
    ['nothing known', null, null, { total: 796, withoutToken: 99 }],
  ])('with %s', (_what, limit, open, bounds) => {
    expect(connectionBounds({ limit, open, ...work })).toEqual(bounds);
  });

  test('leaves a reserve, and room on both sides of the token', () => {
    const needs = fc.record({
      limit: fc.integer({ min: 64, max: 1_000_000 }),
      open: fc.integer({ min: 30, max: 50 }),
      turns: fc.integer({ min: 1, max: 10_000 }),
      deliveries: fc.integer({ min: 1, max: 10_000 }),
    });
    fc.assert(
      fc.property(needs, (given) => {
        const { total, withoutToken } = connectionBounds(given);
        const free = given.limit - given.open;
        expect(free - total).toBeGreaterThanOrEqual(Math.min(reserveFor(given), Math.floor(free / 2)));
        expect(withoutToken).toBeGreaterThanOrEqual(2);
        expect(withoutToken).toBeLessThanOrEqual(Math.max(2, total / 8));
        expect(total - withoutToken).toBeGreaterThanOrEqual(2);
      }),
    );
  });
});
