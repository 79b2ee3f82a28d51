import { expect, test } from 'vitest';
import { violationsOf } from '../invariants.js';
import type { Record } from '../record.js';

/** The record has no violation, and each change of it has the one that is named. */
export function findsOnly(good: Record, changes: readonly [string, Partial<Record>, RegExp][]): void {
  test('in which all went well has no violation', () => {
    expect(violationsOf(good)).toEqual([]);
  });

  test.each(changes)('with %s has a violation', (_what, change, wanted) => {
    expect(violationsOf({ ...good, ...change }).join('\n')).toMatch(wanted);
  });
}
