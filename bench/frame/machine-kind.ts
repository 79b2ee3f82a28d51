import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

export interface MachineKind {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly fileSystem: string;
  /** Load average of the last minute, from before the run: others’ work. */
  readonly load: number;
}

/** Facts that the figures depend on; none of them names the machine. */
export function machineKind(): MachineKind {
  const fileSystem = execFileSync('stat', ['--file-system', '--format=%T', '.'], { encoding: 'utf8' }).trim();
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    kernel: release().replace(/-.*/, ''),
    node: process.versions.node,
    // ext4 has the magic number of its forerunners.
    fileSystem: fileSystem === 'ext2/ext3' ? 'ext4' : fileSystem,
    load: Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]),
  };
}
