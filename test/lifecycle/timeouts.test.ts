import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isTooLate,
  longestStop,
  startExtension,
  stopExtension,
  watchdogDecision,
  watchdogInterval,
} from '../../src/lifecycle/timeouts.js';

describe('the watchdog', () => {
  it('is fed at under half of its time, and at least every millisecond', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 10n ** 12n }), (microseconds) => {
        const interval = watchdogInterval(microseconds);
        expect(interval).toBeGreaterThanOrEqual(1);
        if (microseconds > 2_000n) expect(interval * 2_000).toBeLessThan(Number(microseconds));
      }),
    );
  });

  it.each([
    [5_000, false],
    [5_001, true],
  ])('takes a delay of %i ms of 10 s for too long: %s', (delay, expected) => {
    expect(isTooLate(delay, 10_000_000n)).toBe(expected);
  });

  it.each([
    [[], true, []],
    [[{ name: 'store', pendingSince: null }], true, []],
    [[{ name: 'store', pendingSince: 9_000 }], true, []],
    [[{ name: 'store', pendingSince: 4_999 }], false, ['store']],
    [
      [
        { name: 'store', pendingSince: 0 },
        { name: 'dispatcher', pendingSince: null },
        { name: 'deliverer', pendingSince: 1 },
      ],
      false,
      ['store', 'deliverer'],
    ],
  ])('is fed only while every part gets on (%#)', (parts, feed, stalled) => {
    expect(watchdogDecision(parts, 10_000, 10_000_000n)).toEqual({ feed, stalled });
  });
});

describe('timeout extensions', () => {
  const times = {
    drainTimeoutMs: 30_000,
    killDelayMs: 600_000,
    storeWait: { key: 'store.busy_timeout', waitMs: 60_000 },
  };

  it('last for several intervals, so that a late one does no harm', () => {
    for (const plan of [startExtension, stopExtension(longestStop(times))]) {
      expect(Number(plan.extensionMicroseconds)).toBeGreaterThanOrEqual(plan.interval * 1_000 * 3);
    }
  });

  it('cover the drain and what follows it', () => {
    expect(longestStop(times)).toBeGreaterThan(30_000 + 600_000 + 60_000);
    expect(stopExtension(longestStop(times)).limit).toBeGreaterThan(longestStop(times));
  });
});
