import { readdirSync, readFileSync } from 'node:fs';

/** The PIDs of all that was started with that HOME and runs. */
export function processesOf(home: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && environmentOf(name).includes(`HOME=${home}`))
    .map(Number);
}

/** None of a zombie, and of a process that has ended. */
function environmentOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** Their memory in MiB: what they share counts once (proc_pid_smaps_rollup(5), Pss). */
export function memoryOf(pids: readonly number[]): number {
  const kibibytes = pids.map((pid) => {
    try {
      return Number(/^Pss: +(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);
    } catch {
      // It has ended meanwhile.
      return 0;
    }
  });
  return Math.round(kibibytes.reduce((sum, each) => sum + each, 0) / 1024);
}
