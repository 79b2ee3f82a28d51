import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from '../../log/log.js';
import { errorMessage } from '../../text/failure-text.js';
import { formatTimeSpan } from '../../text/time-span.js';
import { mayPass } from './failed-start.js';

export interface StartWaitOptions {
  /** `start.wait`, in milliseconds; 0: a failure ends the start at once. */
  readonly limitMs: number;
  readonly log: Log;
  /** Told what the start waits for. */
  readonly step: (text: string) => void;
  /** Told before each attempt that the start gets on. */
  readonly progress: () => void;
  /** Aborted when the start is cancelled. */
  readonly signal: AbortSignal;
}

/** The time between two attempts, in milliseconds: doubled after each, up to the limit. */
const firstDelayMs = 250;
const delayLimitMs = 2_000;

/** An attempt that takes longer than this, in milliseconds, gets on, and its steps are told again. */
const quickAttemptMs = 1_000;

/**
 * Waits within the start for what the gateway needs, and somebody else has to bring back: an address, a port, room on a
 * disk. A process that ended instead would use up the unit's start limit, and stay failed once the cause has gone.
 */
export class StartWait {
  readonly #options: StartWaitOptions;
  /** When the first attempt failed, by `performance.now()`; null: none has. */
  #began: number | null = null;
  #attemptBegan = 0;
  /** Why the last attempt failed; null if it did not. */
  #reason: string | null = null;
  #ended = false;

  constructor(options: StartWaitOptions) {
    this.#options = options;
  }

  /** Since the first failure, in milliseconds; 0 if nothing was waited for. */
  get waitedMs(): number {
    return this.#began === null || this.#options.limitMs === 0 ? 0 : performance.now() - this.#began;
  }

  /** Tells a step of the start, unless it belongs to an attempt that may well fail as the one before. */
  step(text: string): void {
    if (this.#reason === null || performance.now() - this.#attemptBegan > quickAttemptMs) {
      this.#options.step(text);
    }
  }

  /** Another part of the start has failed for good: no further attempt follows. */
  end(): void {
    this.#ended = true;
  }

  /** Does the work again until it succeeds. Rejects with its error if that won't pass, or has not within the limit. */
  async until<Result>(work: () => Promise<Result>): Promise<Result> {
    const { signal, progress } = this.#options;
    for (let delayMs = firstDelayMs; ; delayMs = Math.min(2 * delayMs, delayLimitMs)) {
      progress();
      this.#attemptBegan = performance.now();
      try {
        const result = await work();
        this.#succeeded();
        return result;
      } catch (error) {
        signal.throwIfAborted();
        if (!mayPass(error)) throw error;
        const leftMs = this.#failed(errorMessage(error));
        if (leftMs <= 0) throw error;
        await pause(Math.min(delayMs, leftMs), undefined, { signal });
      }
    }
  }

  /** Gives the time that is left, in milliseconds. */
  #failed(reason: string): number {
    const { limitMs, log, step } = this.#options;
    this.#began ??= performance.now();
    if (this.#ended || limitMs === 0) return 0;
    if (reason !== this.#reason) {
      log.warning(`The start waits, ${formatTimeSpan(limitMs)} at most (start.wait): ${reason}`);
    }
    this.#reason = reason;
    step(`waiting up to ${formatTimeSpan(limitMs)}: ${reason}`);
    return limitMs - (performance.now() - this.#began);
  }

  #succeeded(): void {
    if (this.#reason === null) return;
    this.#reason = null;
    this.#options.log.notice(
      `The start goes on after ${formatTimeSpan(performance.now() - (this.#began ?? 0))}.`,
    );
  }
}
