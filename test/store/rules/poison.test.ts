import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isPoisonSuspect, mayBegin, poisonSuspectRuns } from '../../../src/store/rules/poison.js';

const limit = 3;
const crashes = fc.array(fc.nat({ max: 5 }), { maxLength: 10 });

test('a suspect begins alone or not at all, and what is ready before it is not held up', () => {
  fc.assert(
    fc.property(crashes, fc.boolean(), (ready, anyHeld) => {
      const count = mayBegin(ready, anyHeld, limit);
      const begins = ready.slice(0, count);
      const suspects = begins.filter((each) => isPoisonSuspect(each, limit));
      if (suspects.length > 0)
        expect({ begins: begins.length, anyHeld }).toEqual({ begins: 1, anyHeld: false });
      const next = ready[count];
      if (next === undefined || (suspects.length > 0 && count === 1)) return;
      expect(isPoisonSuspect(next, limit)).toBe(true);
      expect(anyHeld || count > 0).toBe(true);
    }),
  );
});

test.each([
  [{ running: 1, mostCrashes: 3 }, true],
  [{ running: 1, mostCrashes: 2 }, false],
  // It was cancelled, and has not ended.
  [{ running: 0, mostCrashes: 3 }, true],
  [{ running: 0, mostCrashes: 0 }, false],
  // Two run: they began before one of them was suspect.
  [{ running: 2, mostCrashes: 3 }, false],
])('beside %j no other begins: %s', (held, expected) => {
  expect(poisonSuspectRuns(held, limit)).toBe(expected);
});
