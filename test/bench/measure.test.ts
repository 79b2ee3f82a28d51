import { expect, it } from 'vitest';
import { judge, run, summarize } from '../../bench/frame/measure.js';

it.for([
  [[3], { median: 3, min: 3, max: 3 }],
  [[5, 1, 3], { median: 3, min: 1, max: 5 }],
  [[10, 9, 100, 2], { median: 9.5, min: 2, max: 100 }],
] as const)('summarizes %j', ([values, expected]) => {
  expect(summarize(values)).toEqual(expected);
});

it('compares round by round, not median by median', () => {
  const target = { figure: 'time', against: 'limit', atMost: 1.5 };
  const own = [{ time: 10 }, { time: 30 }, { time: 2 }];
  const other = [{ time: 10 }, { time: 15 }, { time: 1 }];
  expect(judge(target, own, other)).toEqual({
    ...target,
    ratio: { median: 2, min: 1, max: 2 },
    reached: false,
  });
  expect(judge({ ...target, atMost: 2 }, own, other).reached).toBe(true);
  expect(judge({ figure: 'time', against: 'limit', atLeast: 3 }, own, other).reached).toBe(false);
});

it.for([
  [[10, 30], [20, 15], true],
  [[21, 30], [20, 15], false],
  [[21, 22], [20, 21], true],
  [[20.5, 21], [20, 20.2], true],
] as const)('takes %j for no more than %j, or for no other: %j', ([own, other, reached]) => {
  const target = { figure: 'time', against: 'none', atMost: 1.05, orOverlap: true as const };
  const figures = (times: readonly number[]) => times.map((time) => ({ time }));
  expect(judge(target, figures(own), figures(other)).reached).toBe(reached);
});

it('compares by difference, round by round', () => {
  const target = { figure: 'time', against: 'pipe', atMostMore: 2 };
  const own = [{ time: 3 }, { time: 30 }, { time: 2 }];
  const other = [{ time: 1 }, { time: 10 }, { time: 1 }];
  const judged = judge(target, own, other);
  expect(judged.difference).toEqual({ median: 2, min: 1, max: 20 });
  expect(judged.reached).toBe(true);
  expect(judge({ ...target, atMostMore: 1.9 }, own, other).reached).toBe(false);
});

it('measures the contenders in turn, and closes what was opened when one fails', async () => {
  const order: string[] = [];
  const contender = (name: string, fails = false) => ({
    name,
    measure: () => {
      order.push(name);
      return fails ? Promise.reject(new Error('wrong output')) : Promise.resolve({ time: 1 });
    },
  });
  const benchmark = (fails: boolean) => ({
    name: 'sample',
    group: 'group',
    title: 'Sample',
    figures: [{ name: 'time', unit: 'µs', better: 'lower' as const }],
    targets: [{ figure: 'time', against: 'b', atMost: 1 }],
    open: () =>
      Promise.resolve({
        contenders: [contender('a'), contender('b', fails)],
        close: () => {
          order.push('closed');
          return Promise.resolve();
        },
      }),
  });
  const result = await run(benchmark(false), { smoke: false }, 2);
  expect(order).toEqual(['a', 'b', 'a', 'b', 'closed']);
  expect(result.targets[0]?.reached).toBe(true);
  await expect(run(benchmark(true), { smoke: false }, 2)).rejects.toThrow('wrong output');
  expect(order.at(-1)).toBe('closed');
});
