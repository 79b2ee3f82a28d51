import { constants } from 'node:os';
import { SystemCallError } from './failure.js';
import { native } from './native.js';

/** Parameters of mallopt(3), as glibc's malloc.h has them. */
const trimThreshold = -1;
const mapThreshold = -3;

/** A block of this size has a mapping of its own, in bytes. The C library would begin with 128 KiB. */
const largestBlock = 4 * 1024 ** 2;

/**
 * Hands back to the system what the C library holds of freed memory (malloc_trim(3)): in the arenas of all threads,
 * but for what is free at the end of an arena that is not the main one. Does nothing where the C library has no such
 * call (musl). Throws `SystemCallError`.
 */
export function trimHeap(): void {
  const result = native().malloc_trim(0);
  if (result < 0 && result !== -constants.errno.ENOSYS) {
    throw new SystemCallError('Could not hand back freed memory', result);
  }
}

/**
 * Has the C library hand back what is free at the end of an arena when it is more than so many bytes and something is
 * freed there (mallopt(3)). By itself it adjusts this number, up to 64 MiB for the arena of each thread. A small one
 * costs time under load. Does nothing with musl. Throws `RangeError` for a size that the C library refuses.
 */
export function limitFreeMemory(bytes: number): void {
  // The size of blocks with mappings of their own is no longer adjusted once the other is set.
  for (const [parameter, value] of [
    [mapThreshold, largestBlock],
    [trimThreshold, bytes],
  ] as const) {
    if (native().mallopt(parameter, value) === 0) {
      throw new RangeError(`The C library refuses ${value} bytes as its threshold (mallopt ${parameter})`);
    }
  }
}
