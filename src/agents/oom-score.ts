import { readFileSync, writeFileSync } from 'node:fs';

/** Added to the gateway's own: each of 1000 parts counts like that part of the memory there is (oom_score_adj, proc(5)). */
const added = 500;

let own: number | undefined;

/**
 * Has the kernel end this process, and what it starts from now on, rather than the gateway when memory runs out: the
 * turn fails then and is repeated, and the others go on. A process that has ended is left alone.
 *
 * @throws the error of a file in /proc that could not be read or written
 */
export function endBeforeGateway(pid: number): void {
  own ??= Number(readFileSync('/proc/self/oom_score_adj', 'utf8'));
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(Math.min(own + added, 1_000)));
  } catch (error) {
    if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
