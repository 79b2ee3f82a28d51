import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Machine } from './machine.js';
import type { GatewayUnit } from './unit.js';

/** A limit of a unit's memory, over which the kernel's OOM killer ends a process of it. */
export interface MemoryLimit {
  /**
   * @param pid the unit's main process
   * @param bytes what the unit may take besides what it has
   */
  set(pid: number, bytes: number): Promise<void>;
  /** Number of processes that were ended since it was set. */
  kills(): number;
  /** To be called once the process of `set` has ended. */
  lift(): Promise<void>;
}

/** Returns null if no control group limits memory. */
export function memoryLimit(machine: Machine, unit: GatewayUnit): MemoryLimit | null {
  const controllers = `/proc/${machine.pid}/root/sys/fs/cgroup/cgroup.controllers`;
  if (readFileSync(controllers, 'utf8').trim().split(' ').includes('memory')) {
    return new UnitLimit(machine, unit);
  }
  const legacy = /^\S+ (\S+) cgroup \S*\bmemory\b/m.exec(readFileSync('/proc/mounts', 'utf8'))?.[1];
  return legacy === undefined ? null : new LegacyLimit(`${legacy}/sd-gateway-${machine.pid}-${unit.name}`);
}

function killsIn(file: string): number {
  return Number(/^oom_kill (\d+)$/m.exec(readFileSync(file, 'utf8'))?.[1] ?? 0);
}

/** `MemoryMax=` of the unit (systemd.resource-control(5)). */
class UnitLimit implements MemoryLimit {
  #before = 0;

  constructor(
    private readonly machine: Machine,
    private readonly unit: GatewayUnit,
  ) {}

  async set(_pid: number, bytes: number): Promise<void> {
    this.#before = killsIn(`${this.unit.controlGroup}/memory.events`);
    const current = Number(readFileSync(`${this.unit.controlGroup}/memory.current`, 'utf8'));
    await this.#write(`MemoryMax=${current + bytes}`, 'MemorySwapMax=0');
  }

  kills(): number {
    return killsIn(`${this.unit.controlGroup}/memory.events`) - this.#before;
  }

  lift(): Promise<void> {
    return this.#write('MemoryMax=infinity', 'MemorySwapMax=infinity');
  }

  async #write(...properties: readonly string[]): Promise<void> {
    await this.machine.check([
      'systemctl',
      'set-property',
      '--runtime',
      `${this.unit.name}.service`,
      ...properties,
    ]);
  }
}

/**
 * A control group of the legacy hierarchy, where the memory controller belongs to that. systemd, which has the unified
 * one, does not see it. What the process had before is not counted in it, and the unit's next process is not in it.
 */
class LegacyLimit implements MemoryLimit {
  constructor(private readonly group: string) {}

  async set(pid: number, bytes: number): Promise<void> {
    mkdirSync(this.group);
    writeFileSync(`${this.group}/memory.limit_in_bytes`, String(bytes));
    try {
      writeFileSync(`${this.group}/cgroup.procs`, String(pid));
    } catch (error) {
      // It has ended meanwhile.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  kills(): number {
    return killsIn(`${this.group}/memory.oom_control`);
  }

  async lift(): Promise<void> {
    if (!existsSync(this.group)) return;
    // Agents were in it too; systemd ends them after the gateway.
    while (readFileSync(`${this.group}/cgroup.procs`, 'utf8') !== '') await pause(10);
    rmdirSync(this.group);
  }
}
