import {
  describeNoJob,
  describeSender,
  describeStop,
  describeStopJob,
  exitStatus,
  explainStopJob,
  isBeingStarted,
  isBeingStopped,
  isByManager,
  mayBecomePlanned,
  mayBeDrawnAlong,
  type Sender,
  type StopJob,
  type StopRequest,
} from '../../lifecycle/stop-cause.js';
import type { BlockedLoopEntry, ServiceReport } from '../../lifecycle/supervise-options.js';
import type { Supervision } from '../../lifecycle/supervision.js';
import { messageIds } from '../../log/fields.js';
import { identifier, type Log, type LogFields, priorities } from '../../log/log.js';
import {
  type JobsQuestion,
  listJobs,
  readStopDependencies,
  readStopState,
} from '../../manager/service-manager.js';
import type { DrainedWork } from '../work/work-loop.js';
import { deadWords, type StopSummary } from './run-history.js';

/** Logs what needs no more than the report itself. */
export function logReport(log: Log, report: ServiceReport): void {
  switch (report.type) {
    case 'reload-requested':
      log.notice(
        `Reload asked for${report.isSignal ? '' : ' through the control socket'} by ${describeSender(report.sender)}`,
        senderFields(report.sender),
      );
      break;
    case 'reload-refused':
      log.err(`The new configuration is refused, the old one stays in force: ${report.reason}`, {
        MESSAGE_ID: messageIds.reloadRefused,
      });
      break;
    case 'further-stop':
      log.notice(
        `Already stopping; a further stop changes nothing: ${describeStop(report.stop)}`,
        stopFields(report.stop),
      );
      break;
    case 'crashed':
      log.crit(`The gateway crashes: ${stackOf(report.error) ?? report.reason}`, {
        MESSAGE_ID: messageIds.crash,
      });
      break;
    case 'stalled':
      log.err(
        `No progress in: ${report.parts.join(', ')}. The watchdog is not fed any more; ${endBy(report.watchdogMicroseconds)}`,
        { MESSAGE_ID: messageIds.watchdogStall },
      );
      break;
    case 'loop-blocked':
      log.err(
        `The event loop was blocked for ${Math.round(report.lateMs)} ms and goes on. Had it lasted longer, systemd would have ended the gateway.`,
        { MESSAGE_ID: messageIds.watchdogStall },
      );
      break;
    case 'notify-failed':
      log.warning(
        `The service manager can't be notified: ${report.reason}. It won't see when the gateway is ready, stops or hangs; look at NOTIFY_SOCKET. Said once.`,
      );
      break;
    case 'extension-failed':
      log.warning(`The service manager can’t be asked for more time: ${report.reason}. Its timeouts hold.`);
      break;
    case 'barrier-timed-out':
      log.warning(
        `The service manager has not acknowledged the stop within ${report.timeoutMs} ms; the gateway exits all the same.`,
      );
      break;
    case 'barrier-failed':
      log.warning(`The service manager could not be asked to acknowledge the stop: ${report.reason}`);
      break;
  }
}

/** Logs the begin of a stop, with what the service manager says of it if that is known by then. */
export function logStopping(log: Log, stop: StopRequest, { job, words }: JobAnswer): void {
  const planned = stop.exitStatus === exitStatus.success || stop.exitStatus === exitStatus.restart;
  const fields: LogFields = {
    MESSAGE_ID: stop.cause === 'foreign-kill' ? messageIds.foreignKill : messageIds.stopRequested,
    SD_GATEWAY_JOB: job?.type,
    ...stopFields(stop),
  };
  const text = `Stopping: ${describeWithJob(stop, words)}`;
  if (planned) log.notice(text, fields);
  else log.err(text, fields);
}

function describeWithJob(stop: StopRequest, words: string | null): string {
  return words === null ? describeStop(stop) : `${describeStop(stop)}, ${words}`;
}

/** The record of a blocked event loop, which another thread writes. */
export const blockedLoopEntry: BlockedLoopEntry = (blocked, watchdogMicroseconds) => [
  ['MESSAGE', `No progress: ${blocked}. ${endBy(watchdogMicroseconds)}`],
  ['PRIORITY', String(priorities.err)],
  ['SYSLOG_IDENTIFIER', identifier],
  ['MESSAGE_ID', messageIds.watchdogStall],
];

function endBy(watchdogMicroseconds: bigint): string {
  return `systemd will end and restart the gateway ${Number(watchdogMicroseconds) / 1_000_000} s after the last sign of life.`;
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}

function stopFields(stop: StopRequest): LogFields {
  return {
    SD_GATEWAY_STOP_CAUSE: stop.cause,
    SD_GATEWAY_SIGNAL: stop.signal,
    ...senderFields(stop.sender),
  };
}

function senderFields(sender: Sender | null): LogFields {
  return {
    SD_GATEWAY_SENDER_PID: sender?.pid,
    SD_GATEWAY_SENDER_UID: sender?.uid,
    SD_GATEWAY_SENDER_COMM: sender?.comm,
  };
}

/** The service manager's answer to which of its jobs stops the unit. */
interface JobAnswer {
  /** The job; null if there is none, or no answer yet. */
  readonly job: StopJob | null;
  /** The answer in the words of an operator; null: there is none yet. */
  readonly words: string | null;
}

/** A question to the service manager that is under way. */
interface AskedJob {
  /** True if the manager stops the unit; null: there will be no answer. */
  readonly isStopped: Promise<boolean | null>;
  /** Resolves when all is known that the manager tells. */
  readonly answered: Promise<void>;
}

const noAnswer: JobAnswer = { job: null, words: null };

/** Longest time of each systemctl beside the drain, in milliseconds. */
const systemctlTimeoutMs = 5_000;

/**
 * Asks the service manager which of its jobs stops the gateway, while the stop goes on. It asks by systemctl, because
 * the bus must not reach this process. If the answer is late or missing, the record has no job: the stop is what counts.
 */
export class StopJobSearch {
  readonly #unit: string | null;
  readonly #question: JobsQuestion;
  readonly #abort = new AbortController();
  readonly #closeAtExit = () => this.close();
  /** The newest question; null until one is asked. */
  #asked: AskedJob | null = null;
  #isAnswered = false;
  #answer: JobAnswer = noAnswer;

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

  /** Only a planned stop by our manager has a job. */
  answerTo(stop: StopRequest): JobAnswer {
    return isByManager(stop) ? this.#answer : noAnswer;
  }

  /** Asks unless it was asked. False where there is nothing to ask: only a planned stop by our manager has a job. */
  begin(stop: StopRequest): boolean {
    return isByManager(stop) && (this.#asked ?? this.#ask()) !== null;
  }

  /** Asks anew if there was an answer: other jobs may have come since. False: it doesn't. */
  beginAgain(stop: StopRequest): boolean {
    return isByManager(stop) && this.#isAnswered && this.#ask() !== null;
  }

  /** Asks whether the manager stops the unit, by a job or on its own account; null: it can't be told. Never rejects. */
  async isStoppedByManager(): Promise<boolean | null> {
    return this.#ask()?.isStopped ?? null;
  }

  #ask(): AskedJob | null {
    const unit = this.#unit;
    if (unit === null) return null;
    // A crash on the way closes nothing: systemctl must not outlive it.
    if (this.#asked === null) process.once('exit', this.#closeAtExit);
    this.#isAnswered = false;
    let tell: (isStopped: boolean | null) => void = () => undefined;
    const isStopped = new Promise<boolean | null>((resolve) => {
      tell = resolve;
    });
    // Without an answer nothing is to be told or done, whatever the reason.
    const answered = this.#find(unit, tell)
      .catch(() => undefined)
      .finally(() => {
        this.#isAnswered = true;
        tell(null);
      });
    this.#asked = { isStopped, answered };
    return this.#asked;
  }

  /** Resolves when there is an answer or none to come, after `timeoutMs` at the latest; at once if nobody was asked. */
  async settled(timeoutMs: number): Promise<void> {
    if (this.#asked === null) return;
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([this.#asked.answered, over]);
    clearTimeout(timer);
  }

  /** Asks no more. */
  close(): void {
    process.off('exit', this.#closeAtExit);
    this.#abort.abort();
  }

  async #find(unit: string, tell: (isStopped: boolean) => void): Promise<void> {
    const jobs = await listJobs(this.#question);
    const job = explainStopJob(unit, jobs, {});
    if (job === null) {
      const { result, subState } = await readStopState(this.#question, unit);
      // A job that was cancelled since has begun the stop all the same.
      if (this.#answer.job === null) {
        this.#answer = { job, words: describeNoJob(result, isBeingStarted(unit, jobs)) };
      }
      // A unit that has sent STOPPING=1 is in "stop-sigterm" without the manager's doing.
      tell(subState === 'stop');
      return;
    }
    tell(isBeingStopped(unit, jobs));
    this.#answer = { job, words: describeStopJob(job) };
    if (!mayBeDrawnAlong(unit, jobs)) return;
    const explained = explainStopJob(unit, jobs, await readStopDependencies(this.#question, unit));
    if (explained !== null) this.#answer = { job: explained, words: describeStopJob(explained) };
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
  #stop: StopRequest | null = null;
  #isLogged = false;
  /** The drain was so long that the manager's answer may have changed. */
  #isAskedAgain = false;
  /** Milliseconds since the Unix epoch; null until a stop is asked for. */
  #requestedAt: number | null = null;
  #drainMicroseconds: number | null = null;
  #finishedTurns = 0;
  #putBackTurns = 0;
  #deadMessages = 0;

  constructor(log: Log, job: StopJobSearch) {
    this.#log = log;
    this.#job = job;
  }

  /** Turns that the drain has put back. */
  get putBackTurns(): number {
    return this.#putBackTurns;
  }

  /** Messages that the drain has made dead. */
  get deadMessages(): number {
    return this.#deadMessages;
  }

  /** A kill whose cause may still change is logged when that `isFinal`. */
  begin(stop: StopRequest, isFinal: Promise<void>): void {
    this.#requestedAt = Date.now();
    this.#stop = stop;
    if (mayBecomePlanned(stop)) {
      void isFinal.then(() => {
        if (this.#stop === stop) this.logStopping();
      });
    } else this.#askForJob(stop);
  }

  /** The supervisor asks for the stop that a kill has begun. */
  becamePlanned(stop: StopRequest): void {
    this.#stop = stop;
    // A kill that the supervisor was late after is on record already.
    this.#isLogged = false;
    this.#askForJob(stop);
  }

  /** Logs “Stopping” now, if it was not logged yet. */
  logStopping(): void {
    if (this.#stop === null || this.#isLogged) return;
    this.#isLogged = true;
    logStopping(this.#log, this.#stop, this.#job.answerTo(this.#stop));
  }

  #askForJob(stop: StopRequest): void {
    // The job is part of this record if it is known by then. The record of the whole stop may have it later.
    if (this.#job.begin(stop)) {
      void this.#job.settled(stoppingRecordTimeoutMs).then(() => this.logStopping());
    } else this.logStopping();
  }

  drained(durationMs: number, turns: DrainedWork): void {
    this.logStopping();
    this.#isAskedAgain = this.#stop !== null && this.#job.beginAgain(this.#stop);
    const microseconds = Math.round(durationMs * 1_000);
    this.#drainMicroseconds = microseconds;
    this.#finishedTurns = turns.finished;
    this.#putBackTurns = turns.putBack;
    this.#deadMessages = turns.dead;
    this.#log.notice(
      `Drained in ${Math.round(microseconds / 1_000)} ms: ${turns.finished} ended, ${turns.putBack} put back for the next start${deadWords(turns.dead)}`,
      {
        MESSAGE_ID: turns.putBack > 0 ? messageIds.putBack : messageIds.drainFinished,
        SD_GATEWAY_DRAIN_USEC: microseconds,
        SD_GATEWAY_PUT_BACK: turns.putBack,
        SD_GATEWAY_DEAD: turns.dead,
      },
    );
  }

  /** Waits a moment for the manager's job, and sums the stop up. `error`: why the start failed, if it did. */
  async end(stop: StopRequest, error: string | null): Promise<StopSummary> {
    await this.#job.settled(this.#isAskedAgain ? stoppingRecordTimeoutMs : jobTimeoutMs);
    this.logStopping();
    const { job, words } = this.#job.answerTo(stop);
    this.#job.close();
    return {
      stop,
      description: describeWithJob(stop, words),
      requestedAt: this.#requestedAt ?? Date.now(),
      job,
      drainMicroseconds: this.#drainMicroseconds,
      finishedTurns: this.#finishedTurns,
      putBackTurns: this.#putBackTurns,
      deadMessages: this.#deadMessages,
      error,
    };
  }
}
