import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LaterRecovery } from '../../src/store/sqlite/later-recovery.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A recovery of so many steps; each of the failures comes in the place of one. */
function recovery(steps: number, ...failures: readonly Error[]) {
  const left = [...failures];
  const seen = { tried: 0, done: 0, failed: 0 };
  const later = new LaterRecovery({
    step() {
      seen.tried += 1;
      const failure = left.shift();
      if (failure !== undefined) throw failure;
      seen.done += 1;
      return seen.done < steps;
    },
    onStep() {},
    passes: (error) => (error as Error).message === 'full',
    onFailure() {
      seen.failed += 1;
    },
  });
  return { later, seen };
}

test('one step after another, each in a turn of the loop of its own, until there are no more', () => {
  const { seen } = recovery(3);
  expect(seen.done).toBe(0);
  vi.advanceTimersToNextTimer();
  expect(seen.done).toBe(1);
  vi.runAllTimers();
  expect(seen).toEqual({ tried: 3, done: 3, failed: 0 });
});

test('what fails and will pass is tried again, ever more seldom, and as soon as before once it has passed', () => {
  const { seen } = recovery(2, ...Array.from({ length: 8 }, () => new Error('full')));
  const pauses: number[] = [];
  vi.advanceTimersToNextTimer();
  while (seen.done === 0) {
    const began = Date.now();
    vi.advanceTimersToNextTimer();
    pauses.push(Date.now() - began);
  }
  expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  vi.advanceTimersToNextTimer();
  expect(seen).toEqual({ tried: 10, done: 2, failed: 8 });
});

test('what fails for good is thrown, and told of before', () => {
  const { seen } = recovery(2, new Error('damaged'));
  expect(() => vi.advanceTimersToNextTimer()).toThrow('damaged');
  vi.runAllTimers();
  expect(seen).toEqual({ tried: 1, done: 0, failed: 1 });
});

test('nothing is done after its end', () => {
  const running = recovery(3);
  vi.advanceTimersToNextTimer();
  running.later.stop();
  vi.runAllTimers();
  expect(running.seen.tried).toBe(1);
  const failing = recovery(3, new Error('full'));
  vi.advanceTimersToNextTimer();
  failing.later.stop();
  vi.runAllTimers();
  expect(failing.seen).toEqual({ tried: 1, done: 0, failed: 1 });
});
