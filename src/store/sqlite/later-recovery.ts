export interface LaterRecoveryOptions {
  /** Takes some turns back; says whether there are more. */
  step(): boolean;
  onStep(): void;
  /** Whether what a step has thrown will pass. */
  passes(error: unknown): boolean;
  /** Told of each failure; of one that will pass the step is tried again. */
  onFailure(error: unknown): void;
}

/** From a step that failed to the next try, at first and at most, in milliseconds. */
const firstPause = 1_000;
const longestPause = 60_000;

/**
 * Takes back what a start has left of the last run's turns, in steps between which calls are answered. What fails for
 * good is thrown where nobody catches it: a gateway whose sessions stand still must not go on.
 */
export class LaterRecovery {
  readonly #options: LaterRecoveryOptions;
  #next: NodeJS.Immediate | undefined;
  #again: NodeJS.Timeout | undefined;
  #pause = firstPause;

  constructor(options: LaterRecoveryOptions) {
    this.#options = options;
    this.#soon();
  }

  stop(): void {
    clearImmediate(this.#next);
    clearTimeout(this.#again);
  }

  #soon(): void {
    this.#next = setImmediate(() => this.#step());
  }

  #step(): void {
    const { step, onStep, passes, onFailure } = this.#options;
    try {
      const more = step();
      this.#pause = firstPause;
      if (more) this.#soon();
    } catch (error) {
      onFailure(error);
      if (!passes(error)) throw error;
      this.#again = setTimeout(() => this.#step(), this.#pause);
      this.#pause = Math.min(2 * this.#pause, longestPause);
      return;
    }
    onStep();
  }
}
