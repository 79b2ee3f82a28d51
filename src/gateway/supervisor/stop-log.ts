import type { StopRequest } from '../../lifecycle/stop-cause.js';
import { messageIds } from '../../log/fields.js';
import type { Log } from '../../log/log.js';
import { logStopping } from './lifecycle-log.js';
import type { StopSummary } from './run-history.js';
import type { StopJobSearch } from './stop-job-search.js';

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
