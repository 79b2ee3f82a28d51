import { getHeapStatistics } from 'node:v8';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  collectGarbageAtRest,
  idleHeapIntervalMs,
  isWorthCollecting,
} from '../../../src/lifecycle/effects/idle-heap.js';

const mebibyte = 1024 ** 2;

describe('a look at a thread’s heap', () => {
  it.each([
    ['after a start', { committedBytes: 24 * mebibyte, collectedBytes: 0 }, true],
    ['after a load', { committedBytes: 80 * mebibyte, collectedBytes: 15 * mebibyte }, true],
    ['when it is just enough', { committedBytes: 19 * mebibyte, collectedBytes: 15 * mebibyte }, true],
    ['when it is little', { committedBytes: 19 * mebibyte - 1, collectedBytes: 15 * mebibyte }, false],
    ['when V8 has shrunk it', { committedBytes: 12 * mebibyte, collectedBytes: 15 * mebibyte }, false],
  ])('%s', (_, heap, worthwhile) => {
    expect(isWorthCollecting({ utilization: 0.001, ...heap })).toBe(worthwhile);
    // A thread at work is not held up.
    expect(isWorthCollecting({ utilization: 0.2, ...heap })).toBe(false);
  });
});

describe('a thread at rest', () => {
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  function atRest() {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    vi.spyOn(performance, 'eventLoopUtilization').mockReturnValue({
      idle: 60_000,
      active: 0,
      utilization: 0,
    });
    const failures: unknown[] = [];
    const timer = collectGarbageAtRest((error) => failures.push(error));
    return { failures, end: () => clearInterval(timer) };
  }

  it('hands back what a load has left', () => {
    const { failures, end } = atRest();
    const underLoad = loadedHeapBytes();
    vi.advanceTimersByTime(idleHeapIntervalMs);
    expect(getHeapStatistics().total_heap_size).toBeLessThan(underLoad - 32 * mebibyte);
    end();
    expect(failures).toEqual([]);
  });

  it('goes on without a collector, and tells it once', () => {
    const builtin = process.getBuiltinModule;
    vi.spyOn(process, 'getBuiltinModule').mockImplementation((name: string) =>
      name === 'node:vm' ? { runInNewContext: () => undefined } : builtin(name),
    );
    const { failures } = atRest();
    vi.advanceTimersByTime(3 * idleHeapIntervalMs);
    expect(failures.map(String)).toEqual([
      'Error: this Node.js hands out no collector of garbage (--expose-gc)',
    ]);
  });
});

/** The committed size while so much is in use; all of it is garbage afterwards. */
function loadedHeapBytes(): number {
  const objects = Array.from({ length: 1_000_000 }, (_, index) => ({ index, half: index / 2 }));
  const bytes = getHeapStatistics().total_heap_size;
  expect(objects.length).toBe(1_000_000);
  return bytes;
}
