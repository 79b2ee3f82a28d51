import { expect, test } from 'vitest';
import { z } from 'zod';
import { boundedList } from '../../src/channels/bounded-list.js';

function looking(most?: number) {
  let looks = 0;
  const item = z.unknown().refine(() => {
    looks += 1;
    return false;
  });
  return { list: boundedList(item, most), looks: () => looks };
}

test('a list that is too long is one mistake, and nothing of it is looked at', () => {
  const { list, looks } = looking();
  const { error } = list.safeParse(Array(1_001).fill([]));
  expect(error?.issues).toMatchObject([{ message: 'must have at most 1000 items' }]);
  expect(looks()).toBe(0);
});

test('a list may have another bound, and each of its items is looked at', () => {
  const { list, looks } = looking(3);
  expect(list.safeParse([1, 2, 3]).error?.issues.map(({ path }) => path)).toEqual([[0], [1], [2]]);
  expect(list.safeParse([1, 2, 3, 4]).error?.issues).toHaveLength(1);
  expect(looks()).toBe(3);
});
