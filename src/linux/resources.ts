import { openSync, readdirSync, readFileSync, readSync } from 'node:fs';

/** The limit of open descriptors (RLIMIT_NOFILE of getrlimit(2)) and their number now; null if it can't be seen. */
export interface OpenFiles {
  /** The soft limit, which Node.js raises to the hard one as it starts. Infinity: there is none. */
  readonly limit: number | null;
  readonly open: number | null;
}

/** The soft "Max open files" of /proc/PID/limits (proc(5)); null where there is no such line. */
export function parseOpenFilesLimit(text: string): number | null {
  const soft = /^Max open files +(\d+|unlimited) /m.exec(text)?.[1];
  if (soft === undefined) return null;
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

export function openFiles(): OpenFiles {
  return {
    limit: orNull(() => parseOpenFilesLimit(readFileSync('/proc/self/limits', 'utf8'))),
    // Without the one that reads the directory.
    open: orNull(() => readdirSync('/proc/self/fd').length - 1),
  };
}

/** Neither is worth a failure: there may be no /proc at all. */
function orNull<Value>(read: () => Value): Value | null {
  try {
    return read();
  } catch {
    return null;
  }
}

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
