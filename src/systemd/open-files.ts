import { readdirSync, readFileSync } from 'node:fs';

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
