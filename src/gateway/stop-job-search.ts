import type { StopRequest } from '../lifecycle/stop-cause.js';
import type { StopJob } from '../lifecycle/stop-job.js';
import type { Supervision } from '../lifecycle/supervision.js';
import type { Log } from '../log/log.js';
import { findStopJob } from '../manager/jobs.js';

/**
 * Asks the service manager, beside the stop and never in its way, which of its jobs it is that stops the gateway. An
 * answer that comes too late, or none, leaves the record without a job: the stop is what counts.
 */
export class StopJobSearch {
  /** Resolves when there is an answer, or none to come; never rejects. */
  readonly settled: Promise<void>;
  readonly #abort = new AbortController();
  #job: StopJob | null = null;

  private constructor(scope: 'system' | 'user', unit: string, log: Log) {
    this.settled = findStopJob(scope, unit, this.#abort.signal).then(
      (job) => {
        this.#job = job;
      },
      (error: unknown) => {
        if (this.#abort.signal.aborted) return;
        const reason = error instanceof Error ? error.message : String(error);
        log.info(`Which job stops ${unit} is not known, as the service manager can’t be asked: ${reason}`);
      },
    );
  }

  /** Null where no job can be at work: only a planned stop by the manager of our own unit has one. */
  static begin(stop: StopRequest, { manager, origin, unit }: Supervision, log: Log): StopJobSearch | null {
    if (stop.cause !== 'planned-stop' || stop.sender?.isSupervisor !== true) return null;
    if ((manager !== 'system' && manager !== 'user') || (origin !== 'unit' && origin !== 'wrapper'))
      return null;
    return unit === null ? null : new StopJobSearch(manager, unit, log);
  }

  /** Null as long as there is no answer. */
  get job(): StopJob | null {
    return this.#job;
  }

  abandon(): void {
    this.#abort.abort();
  }
}
