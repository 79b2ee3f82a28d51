import { supervisorSignalTimeoutMs } from '../timeouts.js';

type Ask = (() => Promise<boolean | null>) | undefined;

/**
 * The wait of a stop that a kill has begun: for the supervisor, whose stop it may be. `ExecStop=/bin/kill` kills first,
 * and systemd sends its own signal behind it. An `ExecStop=` that waits for the end has systemd send none.
 */
export class SupervisorWait {
  /** Resolves when the cause of the stop is final. */
  readonly over: Promise<void>;
  readonly #isStoppedByManager: Ask;
  readonly #planned: () => void;
  #overAt: number | null = null;
  #resolve: () => void = () => undefined;

  /**
   * Without an answer of the manager the supervisor's signal is waited for a moment.
   *
   * @param isStoppedByManager see `SuperviseOptions`
   * @param planned called when the manager says that it stops the unit
   */
  constructor(isStoppedByManager: Ask, planned: () => void) {
    this.#isStoppedByManager = isStoppedByManager;
    this.#planned = planned;
    this.over = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    void this.#ask();
  }

  /** The supervisor's signal has come. */
  end(): void {
    this.#overAt = performance.now();
    this.#resolve();
  }

  /**
   * Asks the manager once more, at the end of a drain. To a unit that stops already it sends no signal for a stop that it is
   * asked for meanwhile.
   *
   * @param drainedAt end of the drain, by `performance.now()`: an answer that came later needs no other one
   */
  async lookAgain(drainedAt: number): Promise<void> {
    if (this.#overAt === null || this.#overAt >= drainedAt) return;
    if ((await this.#isStoppedByManager?.()) === true) this.#planned();
  }

  async #ask(): Promise<void> {
    const moment = new Promise((resolve) => setTimeout(resolve, supervisorSignalTimeoutMs));
    const isStopped = (await this.#isStoppedByManager?.()) ?? null;
    if (isStopped === null) await moment;
    // A signal that has come with the answer is read before it.
    else await new Promise(setImmediate);
    if (isStopped === true && this.#overAt === null) this.#planned();
    this.end();
  }
}
