import type { Clock } from '../../lifecycle/effects/clock.js';

/** Calls back once a turn has run for its longest time. While the turn waits for a person, that time stands still. */
export class TurnTimer {
  readonly #clock: Clock;
  readonly #onEnd: () => void;
  #leftMs: number;
  #since = 0;
  #cancel: (() => void) | null = null;

  constructor(clock: Clock, timeoutMs: number, onEnd: () => void) {
    this.#clock = clock;
    this.#onEnd = onEnd;
    this.#leftMs = timeoutMs;
    this.goOn();
  }

  pause(): void {
    if (this.#cancel === null) return;
    this.cancel();
    this.#leftMs = Math.max(0, this.#leftMs - (this.#clock.now() - this.#since));
  }

  goOn(): void {
    if (this.#cancel !== null) return;
    this.#since = this.#clock.now();
    this.#cancel = this.#clock.after(this.#leftMs, this.#onEnd);
  }

  /** It never calls back. */
  cancel(): void {
    this.#cancel?.();
    this.#cancel = null;
  }
}
