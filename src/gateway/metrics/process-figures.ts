import { readFileSync, statSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { parseOpenFilesLimit } from '../../linux/process.js';

/** The process as a scrape finds it. Null: it can't be seen. */
export interface ProcessFigures {
  readonly cpuSeconds: number;
  /** Since the Unix epoch. */
  readonly startSeconds: number;
  readonly loopActiveSeconds: number;
  readonly heapUsedBytes: number;
  readonly residentBytes: number | null;
  readonly openDescriptors: number | null;
  readonly mostDescriptors: number | null;
}

export function processFigures(residentBytes: number | null): ProcessFigures {
  const { user, system } = process.cpuUsage();
  return {
    cpuSeconds: (user + system) / 1e6,
    startSeconds: performance.timeOrigin / 1_000,
    loopActiveSeconds: performance.eventLoopUtilization().active / 1_000,
    heapUsedBytes: getHeapStatistics().used_heap_size,
    residentBytes,
    openDescriptors: seen(openDescriptors),
    mostDescriptors: seen(mostDescriptors),
  };
}

/** Linux tells their number as the size of the directory since 6.2 (proc(5)); to list ten thousand would take too long. */
function openDescriptors(): number | null {
  const { size } = statSync('/proc/self/fd');
  return size === 0 ? null : size;
}

function mostDescriptors(): number | null {
  const limit = parseOpenFilesLimit(readFileSync('/proc/self/limits', 'utf8'));
  return limit === null || !Number.isFinite(limit) ? null : limit;
}

/** A sandbox may hide /proc, and descriptors may have run out: the other figures are there all the same. */
function seen(read: () => number | null): number | null {
  try {
    return read();
  } catch {
    return null;
  }
}
