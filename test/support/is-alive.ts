import { existsSync, readFileSync } from 'node:fs';

/** True if the process runs. One that has ended may not have been reaped yet. */
export function isAlive(pid: number): boolean {
  const file = `/proc/${pid}/stat`;
  try {
    return existsSync(file) && !/\) Z /.test(readFileSync(file, 'utf8'));
  } catch {
    return false;
  }
}
