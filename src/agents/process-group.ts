import { hasOnlyZombies } from '../linux/process.js';

/** Time between two looks at a process group that was told to end, in milliseconds: nothing tells of its end. */
const interval = 20;

/**
 * The time from a sweep to the first look for zombies, which reads all of /proc; doubled for each further one. A parent that
 * reaps does it sooner. PID 1 of a container may never do it.
 */
const firstZombieLookMs = 100;

/** Sends a signal to all processes of a group (kill(2)). False when the group has no process left. */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ESRCH') return false;
    // Processes that took another user's rights are out of reach, yet there.
    if (code === 'EPERM') return true;
    throw error;
  }
}

/** The groups of this process that may still run. */
const alive = new Set<number>();

/**
 * When the gateway ends without having ended them (a crash, a person who insists), they end with it: the next start
 * runs their turns again, and must not find them at it. Below a unit systemd sees to it; in the foreground nobody would.
 */
function endWithTheProcess(): void {
  for (const group of alive) signalGroup(group, 'SIGKILL');
}

/**
 * Ends a process group: SIGTERM now, SIGKILL after `killDelay` milliseconds to what is left by then. It calls back
 * once nothing of the group runs any more. `ProcessTree` ends what left the group by setsid(2).
 */
export class ProcessGroup {
  #timer: NodeJS.Timeout | undefined;
  #killAt = 0;
  #ending = false;
  #zombieLookAt = 0;
  #zombieLookMs = firstZombieLookMs;

  constructor(
    readonly id: number,
    private readonly killDelay: number,
  ) {
    if (!process.listeners('exit').includes(endWithTheProcess)) process.on('exit', endWithTheProcess);
    alive.add(id);
  }

  /** Asks the group to end, once; a further call does nothing. */
  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#killAt = performance.now() + this.killDelay;
    if (!signalGroup(this.id, 'SIGTERM')) return;
    this.#timer = setTimeout(() => signalGroup(this.id, 'SIGKILL'), this.killDelay);
  }

  /**
   * Ends what the leader left behind and calls `gone` when there is nothing of it. To be called after the leader
   * was reaped: as long as the group is not empty its number can't be another's (the kernel keeps it).
   */
  sweep(gone: () => void): void {
    clearTimeout(this.#timer);
    if (!this.#ending) {
      this.#ending = true;
      this.#killAt = performance.now() + this.killDelay;
      // Mostly the leader was all there was: then this says so, and it need not be asked again.
      if (!signalGroup(this.id, 'SIGTERM')) {
        this.#finish(gone);
        return;
      }
    }
    this.#zombieLookAt = performance.now() + this.#zombieLookMs;
    this.#await(gone);
  }

  #hasEnded(): boolean {
    const now = performance.now();
    if (now < this.#zombieLookAt) return false;
    this.#zombieLookMs *= 2;
    this.#zombieLookAt = now + this.#zombieLookMs;
    return hasOnlyZombies(this.id);
  }

  #finish(gone: () => void): void {
    alive.delete(this.id);
    gone();
  }

  #await(gone: () => void): void {
    if (!signalGroup(this.id, 0)) {
      this.#finish(gone);
      return;
    }
    if (this.#hasEnded()) {
      this.#finish(gone);
      return;
    }
    const left = this.#killAt - performance.now();
    if (left <= 0) {
      // Nothing of the group runs a further instruction after this; what may be left are zombies of a dead parent.
      signalGroup(this.id, 'SIGKILL');
      this.#finish(gone);
      return;
    }
    this.#timer = setTimeout(() => this.#await(gone), Math.min(interval, left));
  }
}
