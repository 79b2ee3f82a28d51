import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { steadyClock, steadyNow } from '../../../src/lifecycle/effects/clock.js';

describe('the steady clock', () => {
  test('of the process tells the time of day', () => {
    const before = Date.now();
    const now = steadyNow();
    // It may be ahead where the wall clock was set back.
    expect(now).toBeGreaterThanOrEqual(before - 1);
    expect(steadyNow()).toBeGreaterThanOrEqual(now);
  });

  test('follows the wall clock forward, and goes on where that is set back', () => {
    let wall = 1_000_000;
    let monotonic = 50;
    const now = steadyClock(
      () => wall,
      () => monotonic,
    );
    const pass = (span: number, jump = 0) => {
      monotonic += span;
      wall += span + jump;
      return now();
    };
    expect(now()).toBe(1_000_000);
    expect(pass(10)).toBe(1_000_010);
    expect(pass(10, -3_600_000)).toBe(1_000_020);
    expect(pass(5_000)).toBe(1_005_020);
    expect(pass(10, 3_700_000)).toBe(1_105_030);
  });

  test('never goes back, and spans are no shorter than they are', () => {
    const step = fc.record({
      span: fc.nat({ max: 10_000 }),
      jump: fc.integer({ min: -10_000_000, max: 10_000_000 }),
    });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        let wall = 1e9;
        let monotonic = 0;
        const now = steadyClock(
          () => wall,
          () => monotonic,
        );
        let before = now();
        for (const { span, jump } of steps) {
          monotonic += span;
          wall += span + jump;
          expect(now() - before).toBeGreaterThanOrEqual(span);
          before = now();
        }
      }),
    );
  });
});
