import { readFileSync, writeFileSync } from 'node:fs';
import { readProc } from '../linux/process.js';
import { parseScannedProcess } from '../linux/process-scan.js';

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
    const { code = '' } = error as NodeJS.ErrnoException;
    if (['ENOENT', 'ESRCH'].includes(code) || (code === 'EACCES' && hasEnded(pid))) return;
    throw error;
  }
}

/** The files in /proc of a process that has ended are root's, until it is waited for. */
function hasEnded(pid: number): boolean {
  const text = readProc(`/proc/${pid}/stat`);
  return text === null || parseScannedProcess(text)?.state === 'Z';
}
