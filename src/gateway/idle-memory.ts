import type { Log } from '../log/log.js';
import type { Clock } from './dispatch-clock.js';

/** How long nothing may have happened before memory is handed back, in milliseconds. */
export const idleAfter = 10_000;

/** Less than this is not worth the milliseconds that a release takes, in bytes. */
export const worthwhile = 8 * 1024 ** 2;

export interface MemoryFacts {
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  readonly lastWorkAt: number;
  /** Resident set of the process, in bytes. */
  readonly resident: number;
  /** What was resident when memory was last handed back, in bytes; null: it never was. */
  readonly residentAtRest: number | null;
}

export type MemoryVerdict =
  | { readonly action: 'release' }
  /** There is work, or there was a moment ago: to be looked at again after so many milliseconds. */
  | { readonly action: 'wait'; readonly milliseconds: number }
  /** There is too little to hand back: to be looked at again after the next work. */
  | { readonly action: 'keep' };

/** Whether memory is handed back now. A gateway that works, if only now and then, is to be left alone. */
export function judgeMemory({ now, lastWorkAt, resident, residentAtRest }: MemoryFacts): MemoryVerdict {
  const restFor = now - lastWorkAt;
  if (restFor < idleAfter) return { action: 'wait', milliseconds: idleAfter - restFor };
  return resident - (residentAtRest ?? 0) < worthwhile ? { action: 'keep' } : { action: 'release' };
}

export interface IdleMemoryOptions {
  readonly clock: Clock;
  readonly log: Pick<Log, 'debug' | 'info'>;
  /** Resident set of the process, in bytes. */
  readonly resident: () => number;
  /** Hands back what no part of the process needs. */
  readonly release: () => Promise<void>;
}

/**
 * Hands back what a load has left behind, once the gateway has come to rest: V8 keeps the room that its heaps have
 * grown to, SQLite its cache, and the C library what it was given back.
 */
export class IdleMemory {
  readonly #options: IdleMemoryOptions;
  #lastWorkAt = 0;
  #residentAtRest: number | null = null;
  #cancel: (() => void) | null = null;
  #releasing = false;
  #closed = false;

  constructor(options: IdleMemoryOptions) {
    this.#options = options;
  }

  /** Something has been done. Called for each message, so it does no more than look at the clock. */
  worked(): void {
    this.#lastWorkAt = this.#options.clock.now();
    if (this.#cancel === null && !this.#releasing) this.#lookAfter(idleAfter);
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
    this.#cancel = null;
  }

  #lookAfter(milliseconds: number): void {
    if (this.#closed) return;
    this.#cancel = this.#options.clock.after(milliseconds, () => {
      this.#cancel = null;
      return this.#look();
    });
  }

  async #look(): Promise<void> {
    const { clock, log, resident, release } = this.#options;
    const before = resident();
    const verdict = judgeMemory({
      now: clock.now(),
      lastWorkAt: this.#lastWorkAt,
      resident: before,
      residentAtRest: this.#residentAtRest,
    });
    if (verdict.action === 'wait') this.#lookAfter(verdict.milliseconds);
    if (verdict.action !== 'release') return;
    const beganAt = clock.now();
    this.#releasing = true;
    try {
      await release();
    } catch (error) {
      // The store closes meanwhile: a stop has begun.
      if (this.#closed) return;
      // The gateway works as well with what it has; the same would happen at each further rest.
      this.close();
      const reason = error instanceof Error ? error.message : String(error);
      log.info(`Memory that is not needed can't be handed back: ${reason}`);
      return;
    } finally {
      this.#releasing = false;
    }
    const after = resident();
    this.#residentAtRest = after;
    log.debug(`At rest: handed back memory, ${mebibytes(before)} before, ${mebibytes(after)} now.`);
    // Work that has come meanwhile has made no timer.
    if (this.#lastWorkAt >= beganAt) this.#lookAfter(idleAfter);
  }
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`;
}
