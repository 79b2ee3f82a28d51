import { expect, test } from 'vitest';
import { RecentNames } from '../../../src/gateway/dispatch/recent-names.js';

test('the oldest gives way; what comes again is new', () => {
  const names = new RecentNames(2);
  for (const name of ['a', 'b', 'a', 'c']) names.add(name);
  expect(['a', 'b', 'c'].map((name) => names.has(name))).toEqual([true, false, true]);
  expect(names.delete('a')).toBe(true);
  expect(names.delete('a')).toBe(false);
  names.clear();
  expect(names.has('c')).toBe(false);
});
