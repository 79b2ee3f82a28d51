import { openSync, readSync } from 'node:fs';

/** `VmRSS` of /proc/PID/status (proc(5)) in bytes; null where there is none. */
export function parseResidentMemory(text: string): number | null {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1];
  return kibibytes === undefined ? null : Number(kibibytes) * 1_024;
}

/**
 * The memory of this process that is in use. Its file is opened once: `process.memoryUsage` opens one at each call, and
 * throws when descriptors have run out, or the process may no longer see its own files.
 */
export class ResidentMemory {
  readonly #descriptor: number;
  readonly #buffer = Buffer.alloc(4_096);

  private constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** Gives null if there is no /proc. */
  static open(): ResidentMemory | null {
    try {
      const memory = new ResidentMemory(openSync('/proc/self/status', 'r'));
      memory.bytes();
      return memory;
    } catch {
      return null;
    }
  }

  bytes(): number {
    const length = readSync(this.#descriptor, this.#buffer, 0, this.#buffer.length, 0);
    const bytes = parseResidentMemory(this.#buffer.toString('latin1', 0, length));
    if (bytes === null) throw new Error('/proc/self/status has no VmRSS');
    return bytes;
  }
}
