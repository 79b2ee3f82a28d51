import { type Clock, systemClock } from '../../lifecycle/effects/clock.js';
import type { Log } from '../../log/log.js';
import { errorMessage } from '../../text/failure-text.js';

/**
 * Runs what stands beside the gateway's work: housekeeping, facts, loading ahead. An exception there ends nothing. The
 * log tells when it begins to fail and when it works again.
 */
export class SideWork {
  readonly #log: Pick<Log, 'warning' | 'notice'>;
  readonly #failing = new Set<string>();

  constructor(log: Pick<Log, 'warning' | 'notice'>) {
    this.#log = log;
  }

  /** `what`: the subject of "… failed", such as "Loading the HTTP client of replies". The work may go on after it has returned. */
  run(what: string, work: () => unknown): void {
    try {
      const result = work();
      if (!(result instanceof Promise)) this.#worked(what);
      else
        result.then(
          () => this.#worked(what),
          (error: unknown) => this.#failed(what, error),
        );
    } catch (error) {
      this.#failed(what, error);
    }
  }

  /** A clock whose callbacks are such work. */
  clock(what: string): Clock {
    return {
      now: systemClock.now,
      after: (milliseconds, callback) => systemClock.after(milliseconds, () => this.run(what, callback)),
    };
  }

  #failed(what: string, error: unknown): void {
    if (this.#failing.has(what)) return;
    this.#failing.add(what);
    const reason = errorMessage(error);
    this.#log.warning(`${what} failed: ${reason}. The gateway goes on without it; said once until it works.`);
  }

  #worked(what: string): void {
    if (this.#failing.delete(what)) this.#log.notice(`${what} works again.`);
  }
}
