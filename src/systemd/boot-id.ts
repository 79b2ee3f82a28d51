import { readFileSync } from 'node:fs';

let known: string | null = null;

/**
 * The kernel's own id of this boot (random(4)); another one: the machine was started again since. Null where it can't be
 * seen (`ProcSubset=pid`). Read once: it stays the same, and later there may be no descriptor for it.
 */
export function bootId(): string | null {
  try {
    known ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    // Whoever asks does without it.
  }
  return known;
}
