import {
  explainStopJob,
  mayBeDrawnAlong,
  type StopJob,
  type StopRequest,
} from '../../lifecycle/stop-cause.js';
import type { Supervision } from '../../lifecycle/supervision.js';
import { messageIds } from '../../log/fields.js';
import type { Log } from '../../log/log.js';
import { type JobsQuestion, listJobs, readStopDependencies } from '../../manager/service-manager.js';
import { logStopping } from './lifecycle-log.js';
import type { StopSummary } from './run-history.js';

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

/** Longest wait of the record “Stopping” for the manager's job. The drain goes on meanwhile. */
const stoppingRecordTimeoutMs = 1_000;
/** Longest time by which a missing job delays a stop. */
const jobTimeoutMs = 100;

/** Follows a stop from its request to the moment before the store is closed, and logs it. */
export class StopLog {
  readonly #log: Log;
  readonly #job: StopJobSearch;
  #logStopping: () => void = () => undefined;
  /** Milliseconds since the Unix epoch; null until a stop is asked for. */
  #requestedAt: number | null = null;
  #drainMicroseconds: number | null = null;
  #finishedTurns = 0;
  #putBackTurns = 0;

  constructor(log: Log, job: StopJobSearch) {
    this.#log = log;
    this.#job = job;
  }

  /** Turns that the drain has put back. */
  get putBackTurns(): number {
    return this.#putBackTurns;
  }

  begin(stop: StopRequest): void {
    this.#requestedAt = Date.now();
    const asked = this.#job.begin(stop);
    let logged = false;
    this.#logStopping = () => {
      if (logged) return;
      logged = true;
      logStopping(this.#log, stop, this.#job.job);
    };
    // The job is part of this record if it is known by then. The record of the whole stop may have it later.
    if (asked) void this.#job.settled(stoppingRecordTimeoutMs).then(this.#logStopping);
    else this.#logStopping();
  }

  /** Logs “Stopping” now, if it was not logged yet. */
  logStopping(): void {
    this.#logStopping();
  }

  drained(durationMs: number, turns: { readonly finished: number; readonly putBack: number }): void {
    this.logStopping();
    const microseconds = Math.round(durationMs * 1_000);
    this.#drainMicroseconds = microseconds;
    this.#finishedTurns = turns.finished;
    this.#putBackTurns = turns.putBack;
    this.#log.notice(
      `Drained in ${Math.round(microseconds / 1_000)} ms: ${turns.finished} ended, ${turns.putBack} put back for the next start`,
      {
        MESSAGE_ID: turns.putBack > 0 ? messageIds.putBack : messageIds.drainFinished,
        SD_GATEWAY_DRAIN_USEC: microseconds,
        SD_GATEWAY_PUT_BACK: turns.putBack,
      },
    );
  }

  /** Waits a moment for the manager's job, and sums the stop up. `error`: why the start failed, if it did. */
  async end(stop: StopRequest, error: string | null): Promise<StopSummary> {
    await this.#job.settled(jobTimeoutMs);
    this.logStopping();
    const { job } = this.#job;
    this.#job.close();
    return {
      stop,
      requestedAt: this.#requestedAt ?? Date.now(),
      job,
      drainMicroseconds: this.#drainMicroseconds,
      finishedTurns: this.#finishedTurns,
      putBackTurns: this.#putBackTurns,
      error,
    };
  }
}
