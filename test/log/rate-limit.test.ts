import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kindOf, RateLimit } from '../../src/log/rate-limit.js';

describe('the limit on records of one kind', () => {
  it.each([
    [
      'Attempt 3 to deliver a reply failed, tried again in 1.5 s: HTTP 500',
      'Attempt # to deliver a reply failed, tried again in # s',
    ],
    ['agent: whatever it says', 'agent'],
    ['Message 0190d1a0-0000-7000-8000-000000000001 is dead', 'Message # is dead'],
    ['', ''],
  ])('takes %j as one of %j', (message, kind) => {
    expect(kindOf(message)).toBe(kind);
  });

  it('begins anew with each interval', () => {
    const limit = new RateLimit({ interval: 100, burst: 1 });
    expect([0, 50, 100, 150].map((now) => limit.admit('a', now))).toEqual([true, false, true, false]);
    expect(limit.nextEnd()).toBe(200);
    expect(limit.takeEnded(100)).toEqual([{ kind: 'a', count: 1 }]);
    expect(limit.takeEnded(200)).toEqual([{ kind: 'a', count: 1 }]);
    expect(limit.takeEnded(200)).toEqual([]);
    expect(limit.nextEnd()).toBeNull();
  });

  it('loses count of nothing, however many kinds there are', () => {
    const record = fc.record({ kind: fc.nat(600), after: fc.nat(30) });
    fc.assert(
      fc.property(
        fc.array(record, { maxLength: 2_000 }),
        fc.integer({ min: 1, max: 3 }),
        (records, burst) => {
          const limit = new RateLimit({ interval: 100, burst });
          let now = 0;
          let admitted = 0;
          let counted = 0;
          for (const { kind, after } of records) {
            now += after;
            if (limit.admit(`kind ${kind}`, now)) admitted += 1;
          }
          for (const { count } of limit.takeEnded(Number.POSITIVE_INFINITY)) counted += count;
          expect(admitted + counted).toBe(records.length);
        },
      ),
    );
  });
});
