import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { native } from './native.js';
import { controlGroupMount, parseControlGroup, readProc } from './process.js';

/**
 * The name of the group that the gateway moves itself to below a delegated one: a group with processes can't limit the
 * groups below it.
 */
export const leafName = 'gateway';

/** The directory of this process's control group; null if it has none of version 2, or can't see it. */
export function ownControlGroup(): string | null {
  const directory = parseControlGroup(readProc('/proc/self/cgroup') ?? '');
  if (directory === null) return null;
  const pids = readProc(join(directory, 'cgroup.procs'))?.split('\n');
  return pids?.includes(String(process.pid)) ? directory : null;
}

/**
 * True if the service manager has handed the control group over to its processes (`Delegate=`), or if it is the root of a
 * container. systemd marks it, and gives it to the user of a unit of the system.
 */
export function isDelegated(directory: string): boolean {
  // Only the root of a namespace has this file, not that of the machine.
  if (directory === controlGroupMount) return existsSync(join(directory, 'cgroup.type'));
  if (native().getxattr(directory, 'user.delegate') === '1') return true;
  // Before the mark was for all to read. A user's own manager owns all groups below it, so there this tells nothing.
  const [own, above] = [directory, dirname(directory)].map((path) => statSync(path).uid);
  return own !== 0 && own === process.getuid?.() && above === 0;
}

/** True if this process may make groups below it: neither the sandbox nor the mode of the directory forbids it. */
export function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    accessSync(join(directory, 'cgroup.procs'), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Times that something of the group met the end of memory (`memory.events`). */
export interface MemoryEvents {
  /** The group's own limit was reached, and nothing could be freed. */
  readonly limitMet: number;
  /** Processes that the kernel has killed, for whatever limit. */
  readonly killed: number;
}

/** Reads the text of `memory.events`. */
export function parseMemoryEvents(text: string): MemoryEvents {
  const count = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  return { limitMet: count('oom'), killed: count('oom_kill') };
}

/** A control group of version 2, by its directory. A group that is gone has no processes. */
export class ControlGroup {
  constructor(readonly directory: string) {}

  /** Makes a group below this one. Throws the errors of mkdir(2). */
  make(name: string): ControlGroup {
    const directory = join(this.directory, name);
    mkdirSync(directory);
    return new ControlGroup(directory);
  }

  /** Throws the errors of mkdir(2). */
  makeIfMissing(name: string): ControlGroup {
    try {
      return this.make(name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      return new ControlGroup(join(this.directory, name));
    }
  }

  /** The groups below, whose names begin so. */
  below(prefix = ''): readonly ControlGroup[] {
    try {
      return readdirSync(this.directory, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && entry.name.startsWith(prefix))
        .map(({ name }) => new ControlGroup(join(this.directory, name)));
    } catch (error) {
      return gone(error, []);
    }
  }

  /** Throws the errors of the file. */
  write(file: string, value: string | number): void {
    writeFileSync(join(this.directory, file), String(value));
  }

  /** Null: the group has no such file, or is gone. */
  read(file: string): string | null {
    return readProc(join(this.directory, file));
  }

  /** Controllers that groups below this one can be given. */
  controllers(): readonly string[] {
    return (this.read('cgroup.controllers') ?? '').trim().split(' ');
  }

  /** The PIDs of the processes in it and in the groups below it. */
  pids(): readonly number[] {
    const own = (this.read('cgroup.procs') ?? '').split('\n').filter((line) => line !== '');
    return [...own.map(Number), ...this.below().flatMap((group) => group.pids())];
  }

  memoryEvents(): MemoryEvents {
    return parseMemoryEvents(this.read('memory.events') ?? '');
  }

  /** Kills all processes in it and below it at once; before Linux 5.14 one after the other. Throws the errors of kill(2). */
  kill(): void {
    try {
      this.write('cgroup.kill', 1);
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENODEV') return;
      // A kernel without that file refuses to make it.
      if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'EPERM') throw error;
    }
    for (const pid of this.pids()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  }

  /** Removes it with the groups below it; false while it has processes. Throws the errors of rmdir(2). */
  remove(): boolean {
    if (!this.below().every((group) => group.remove())) return false;
    try {
      rmdirSync(this.directory);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EBUSY') return false;
      return gone(error, true);
    }
  }
}

function gone<Value>(error: unknown, value: Value): Value {
  if (['ENOENT', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '')) return value;
  throw error;
}
