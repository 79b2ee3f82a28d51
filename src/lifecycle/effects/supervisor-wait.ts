import { supervisorSignalTimeoutMs } from '../timeouts.js';

/**
 * The wait of a stop that a kill has begun: for the supervisor, whose stop it may be. `ExecStop=/bin/kill` kills first,
 * and systemd sends its own signal behind it. An `ExecStop=` that waits for the end has systemd send none.
 */
export class SupervisorWait {
  /** Resolves when the cause of the stop is final. */
  readonly over: Promise<void>;
  #isOver = false;
  #resolve: () => void = () => undefined;

  /**
   * Without an answer of the manager the supervisor's signal is waited for a moment.
   *
   * @param isStoppedByManager see `SuperviseOptions`
   * @param planned called when the manager says that it stops the unit
   */
  constructor(isStoppedByManager: (() => Promise<boolean | null>) | undefined, planned: () => void) {
    this.over = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    void this.#ask(isStoppedByManager, planned);
  }

  /** The supervisor's signal has come. */
  end(): void {
    this.#isOver = true;
    this.#resolve();
  }

  async #ask(ask: (() => Promise<boolean | null>) | undefined, planned: () => void): Promise<void> {
    const moment = new Promise((resolve) => setTimeout(resolve, supervisorSignalTimeoutMs));
    const isStopped = (await ask?.()) ?? null;
    if (isStopped === null) await moment;
    // A signal that has come with the answer is read before it.
    else await new Promise(setImmediate);
    if (isStopped === true && !this.#isOver) planned();
    this.end();
  }
}
