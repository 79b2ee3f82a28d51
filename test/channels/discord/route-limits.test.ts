import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RouteLimits } from '../../../src/channels/discord/route-limits.js';

const post = (channelId: string) => ({ name: 'POST messages', channelId });
const headers = (limit: number, remaining: number, resetAfter: number, bucket = 'abc') => ({
  'x-ratelimit-limit': String(limit),
  'x-ratelimit-remaining': String(remaining),
  'x-ratelimit-reset-after': String(resetAfter),
  'x-ratelimit-bucket': bucket,
});

describe('limits', () => {
  it('let as many go in a window as Discord says, for each channel', () => {
    const limits = new RouteLimits();
    expect(limits.reserve(post('1'), 1_000)).toBe(1_000);
    limits.learn(post('1'), headers(2, 1, 5), 1_000);
    expect([1, 2, 3, 4].map(() => limits.reserve(post('1'), 1_100))).toEqual([1_100, 6_000, 6_000, 11_000]);
    expect(limits.reserve(post('2'), 1_100)).toBe(1_100);
  });

  it('are shared by routes of one bucket', () => {
    const limits = new RouteLimits();
    const other = { name: 'PATCH message', channelId: '1' };
    limits.learn(post('1'), headers(1, 0, 5), 1_000);
    limits.learn(other, headers(1, 0, 5), 1_000);
    limits.reserve(post('1'), 7_000);
    expect(limits.readyAt(other, 7_000)).toBeGreaterThan(7_000);
  });

  it('hold a channel, or all, for the time that Discord asks for', () => {
    const limits = new RouteLimits();
    limits.hold(post('1'), 60_000, false, 0);
    expect([limits.readyAt(post('1'), 1), limits.readyAt(post('2'), 1)]).toEqual([60_000, 1]);
    expect(limits.heldUntil(post('1'), 1)).toBe(60_000);
    limits.hold(post('1'), 30_000, true, 0);
    expect(limits.readyAt(post('2'), 1)).toBe(30_000);
    expect(limits.heldUntil(post('2'), 30_000)).toBeNull();
    limits.hold(post('3'), 1e12, false, 0);
    expect(limits.heldUntil(post('3'), 1)).toBe(86_400_000);
  });

  it.each([
    [
      'no numbers',
      { 'x-ratelimit-limit': 'x', 'x-ratelimit-remaining': '-1', 'x-ratelimit-reset-after': '1e9' },
    ],
    ['none', {}],
    ['a limit of 0', headers(0, 0, 5)],
  ])('stay as they are if headers have %s', (_name, given) => {
    const limits = new RouteLimits();
    limits.learn(post('1'), given, 0);
    expect(limits.readyAt(post('1'), 0)).toBe(0);
  });

  it('give later calls of a channel later places', () => {
    const step = fc.record({
      channel: fc.nat(3),
      waitMs: fc.nat(2_000),
      limit: fc.integer({ min: 1, max: 60 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const limits = new RouteLimits();
        const last = new Map<number, number>();
        let now = 0;
        for (const { channel, waitMs, limit } of steps) {
          now += waitMs;
          const at = limits.reserve(post(String(channel)), now);
          expect(at).toBeGreaterThanOrEqual(Math.max(now, last.get(channel) ?? 0));
          if (at === now) limits.learn(post(String(channel)), headers(limit, limit - 1, 5), now);
          last.set(channel, at);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('let no more than 45 go in a second over all channels', () => {
    const limits = new RouteLimits();
    const times = Array.from({ length: 100 }, () => limits.reserveAmongAll(0));
    expect(times.map((at) => Math.floor(at / 1_000))).toEqual(
      times.map((_at, index) => Math.floor(index / 45)),
    );
  });
});
