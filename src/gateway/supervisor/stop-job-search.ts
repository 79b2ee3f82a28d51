import {
  explainStopJob,
  mayBeDrawnAlong,
  type StopJob,
  type StopRequest,
} from '../../lifecycle/stop-cause.js';
import type { Supervision } from '../../lifecycle/supervision.js';
import { type JobsQuestion, listJobs, readStopDependencies } from '../../manager/service-manager.js';

/** Longest time of each systemctl beside the drain, in milliseconds. */
const systemctlTimeoutMs = 5_000;

/**
 * Asks the service manager which of its jobs stops the gateway, while the stop goes on. It asks by systemctl, as nothing
 * of the bus may reach this process. If the answer is late or missing, the record has no job: the stop is what counts.
 */
export class StopJobSearch {
  readonly #unit: string | null;
  readonly #question: JobsQuestion;
  readonly #abort = new AbortController();
  #answered: Promise<void> | null = null;
  #job: StopJob | null = null;

  /** `environment` is systemctl's. */
  constructor({ manager, origin, unit }: Supervision, environment: JobsQuestion['environment']) {
    // Only a unit of our own has a job, and a manager that we know of.
    const own = (manager === 'system' || manager === 'user') && (origin === 'unit' || origin === 'wrapper');
    this.#unit = own ? unit : null;
    this.#question = {
      scope: manager === 'user' ? 'user' : 'system',
      environment,
      timeoutMs: systemctlTimeoutMs,
      signal: this.#abort.signal,
    };
  }

  /** The job that stops the unit; null until there is an answer. */
  get job(): StopJob | null {
    return this.#job;
  }

  /** Asks. False where there is nothing to ask: only a planned stop by our manager has a job. */
  begin({ cause, sender }: StopRequest): boolean {
    const unit = this.#unit;
    if (unit === null || cause !== 'planned-stop' || sender?.isSupervisor !== true) return false;
    // A crash on the way closes nothing: systemctl must not outlive it.
    process.once('exit', () => this.close());
    // Without an answer nothing is to be told or done, whatever the reason.
    this.#answered = this.#find(unit).catch(() => undefined);
    return true;
  }

  /** Resolves when there is an answer or none to come, after `timeoutMs` at the latest; at once if nobody was asked. */
  async settled(timeoutMs: number): Promise<void> {
    if (this.#answered === null) return;
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([this.#answered, over]);
    clearTimeout(timer);
  }

  /** Asks no more. */
  close(): void {
    this.#abort.abort();
  }

  async #find(unit: string): Promise<void> {
    const jobs = await listJobs(this.#question);
    this.#job = explainStopJob(unit, jobs, {});
    if (this.#job === null || !mayBeDrawnAlong(unit, jobs)) return;
    this.#job = explainStopJob(unit, jobs, await readStopDependencies(this.#question, unit));
  }
}
