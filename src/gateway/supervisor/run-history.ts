import type { StopJob, StopRequest } from '../../lifecycle/stop-cause.js';
import { bootId } from '../../linux/process.js';
import { messageIds } from '../../log/fields.js';
import type { Log } from '../../log/log.js';
import { newId } from '../../store/ids.js';
import {
  type Recovery,
  type RunRecord,
  type RunStore,
  runOutcome,
  type StopRecord,
} from '../../store/open-store.js';
import { counted } from '../../text/counted.js';
import { errorMessage } from '../../text/failure-text.js';
import { programVersion } from '../../version.js';
import { type LastWords, readLastWords, writeLastWords } from './last-words.js';

/** A stop as it is recorded once all but the store is closed. */
export interface StopSummary {
  readonly stop: StopRequest;
  /** One line: cause, signal, sender, and the manager's job. */
  readonly description: string;
  /** Milliseconds since the Unix epoch. */
  readonly requestedAt: number;
  readonly job: StopJob | null;
  /** The time that the drain took, in µs; null if there was none. */
  readonly drainMicroseconds: number | null;
  readonly finishedTurns: number;
  readonly putBackTurns: number;
  /** Messages that the drain made dead. */
  readonly deadMessages: number;
  readonly error: string | null;
}

/**
 * Keeps the record of this run, and links it to the one before. A failure is logged and stops nothing: a gateway on a
 * full disk must start and stop all the same.
 */
export class RunHistory {
  readonly #log: Log;
  readonly #stateDirectory: string;
  #store: RunStore | null = null;
  #current: RunRecord;
  #before: readonly RunRecord[] = [];

  constructor(options: {
    readonly log: Log;
    readonly stateDirectory: string;
    readonly invocationId: string | null;
    readonly startedAt: number;
  }) {
    this.#log = options.log;
    this.#stateDirectory = options.stateDirectory;
    this.#current = {
      id: newId(),
      invocationId: options.invocationId,
      bootId: bootId(),
      pid: process.pid,
      version: programVersion(),
      startedAt: options.startedAt,
      startDuration: null,
      readyAt: null,
      resumedTurns: 0,
      stop: null,
      hasLastWords: true,
    };
  }

  /** Newest first; this run is the first. */
  get runs(): readonly RunRecord[] {
    return [this.#current, ...this.#before];
  }

  /**
   * Puts this run on record and says how the last one ended. Asks the store before it is open, so that its thread goes on
   * without a pause. Rejects as `opened` does.
   */
  async begin(store: RunStore, opened: Promise<Pick<Recovery, 'resumedTurns'>>): Promise<void> {
    const begun = store.beginRun(this.#current);
    // A store that can't be opened tells it there.
    begun.catch(() => undefined);
    const { resumedTurns } = await opened;
    this.#store = store;
    this.#current = { ...this.#current, resumedTurns };
    await this.#tryWrite(async () => {
      const [, ...before] = await begun;
      this.#before = before;
      if (resumedTurns > 0) await store.updateRun(this.#current);
      await this.#completePrevious(store);
      this.#linkToPrevious();
      writeLastWords(this.#stateDirectory, { run: this.#current.id, stop: null });
    });
  }

  ready(startDuration: number): void {
    this.#current = { ...this.#current, readyAt: Date.now(), startDuration };
    void this.#update();
  }

  /** Called when only the store is still open. */
  async end(summary: StopSummary): Promise<void> {
    const { stop, description } = summary;
    const record: StopRecord = {
      requestedAt: summary.requestedAt,
      at: Date.now(),
      cause: stop.cause,
      description,
      exitStatus: stop.exitStatus,
      signal: stop.signal,
      sender:
        stop.sender === null ? null : { pid: stop.sender.pid, uid: stop.sender.uid, comm: stop.sender.comm },
      job: summary.job,
      drainMicroseconds: summary.drainMicroseconds,
      finishedTurns: summary.finishedTurns,
      putBackTurns: summary.putBackTurns,
      deadMessages: summary.deadMessages,
      error: summary.error,
    };
    this.#current = { ...this.#current, stop: record };
    this.#logStop(record);
    await this.#update();
    // The store may have had no room for it, or its backup of an hour ago may be put back.
    this.#leaveWords(record);
  }

  /** Leaves word of a crash for the next start, without the store. */
  crashed(error: string): void {
    this.#leaveWords(crashRecord(Date.now(), error));
  }

  #leaveWords(stop: StopRecord): void {
    try {
      writeLastWords(this.#stateDirectory, { run: this.#current.id, stop });
    } catch (failure) {
      this.#log.warning(`The next start won't know how this run ended: ${String(failure)}`);
    }
  }

  #logStop(record: StopRecord): void {
    const { sender } = record;
    const took = record.at - record.requestedAt;
    const left = `${counted(record.finishedTurns, 'turn')} ended, ${record.putBackTurns} put back for the next start${deadWords(record.deadMessages ?? 0)}`;
    this.#log.notice(
      `Stopped after ${took} ms: ${record.description}; ${left}; exit status ${record.exitStatus}`,
      {
        MESSAGE_ID: messageIds.stopped,
        SD_GATEWAY_STOP_CAUSE: record.cause,
        SD_GATEWAY_SIGNAL: record.signal,
        SD_GATEWAY_SENDER_PID: sender?.pid,
        SD_GATEWAY_SENDER_UID: sender?.uid,
        SD_GATEWAY_SENDER_COMM: sender?.comm,
        SD_GATEWAY_JOB: record.job?.type,
        SD_GATEWAY_DRAIN_USEC: record.drainMicroseconds,
        SD_GATEWAY_FINISHED: record.finishedTurns,
        SD_GATEWAY_PUT_BACK: record.putBackTurns,
        SD_GATEWAY_DEAD: record.deadMessages,
        SD_GATEWAY_EXIT_STATUS: record.exitStatus,
      },
    );
  }

  /** Puts on record what the last run could not tell the store, or why nobody knows its end. */
  async #completePrevious(store: RunStore): Promise<void> {
    const [previous] = this.#before;
    if (previous === undefined || previous.stop !== null) return;
    const told = completed(previous, readLastWords(this.#stateDirectory));
    if (told === null) return;
    this.#before = [told, ...this.#before.slice(1)];
    await store.updateRun(told);
  }

  #linkToPrevious(): void {
    const [previous] = this.#before;
    if (previous === undefined) {
      this.#noteNewStore();
      return;
    }
    const outcome = runOutcome(previous, false);
    // Turns that a stop has put back wait in the store like any other.
    const again = this.#current.resumedTurns + (previous.stop?.putBackTurns ?? 0);
    const fields = {
      MESSAGE_ID: messageIds.previousRun,
      SD_GATEWAY_PREVIOUS_INVOCATION: previous.invocationId,
      SD_GATEWAY_PREVIOUS_OUTCOME: outcome,
      SD_GATEWAY_RESUMED: again,
    };
    const resumed = counted(again, 'turn is run again', 'turns are run again');
    if (outcome === 'clean') {
      this.#log.info(`The last run ended cleanly: ${previous.stop?.description}; ${resumed}`, fields);
      return;
    }
    if (outcome === 'unknown') {
      this.#log.notice(
        `The end of the last run is not on record: ${previous.endUnknown}; ${resumed}`,
        fields,
      );
      return;
    }
    const how =
      previous.stop === null
        ? `without a word: ${causeOfSilence(previous.bootId, this.#current.bootId)}`
        : `${previous.stop.description}${previous.stop.error === null ? '' : ` (${previous.stop.error})`}`;
    this.#log.warning(`The last run did not end as planned: ${how}; ${resumed}`, fields);
  }

  /** A store that was removed is made anew, which nobody may have meant. */
  #noteNewStore(): void {
    const words = readLastWords(this.#stateDirectory);
    // A first start that crashed may have had no store yet.
    if (words === null || words.stop?.cause === 'crash') return;
    this.#log.notice(
      'The store has no record of an earlier run, though last-words.json beside it has: it is a new one. If the old one was removed by mistake, restore a backup.',
    );
  }

  #update(): Promise<void> {
    return this.#tryWrite(async () => this.#store?.updateRun(this.#current));
  }

  async #tryWrite(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const reason = errorMessage(error);
      this.#log.warning(`The record of this run could not be kept: ${reason}`);
    }
  }
}

/** A clause for the record of a stop; empty if there are none. */
export function deadWords(count: number): string {
  return count === 0 ? '' : `, ${counted(count, 'message')} dead`;
}

function crashRecord(at: number, error: string): StopRecord {
  return {
    requestedAt: at,
    at,
    cause: 'crash',
    description: 'crash',
    exitStatus: 1,
    signal: null,
    sender: null,
    job: null,
    drainMicroseconds: null,
    finishedTurns: 0,
    putBackTurns: 0,
    error,
  };
}

/**
 * Gives the record of a run that has no end in the store, with what is known of it; null: no more than that. A run that
 * is not the one of the last words is another database's last.
 */
export function completed(run: RunRecord, words: LastWords | null): RunRecord | null {
  if (words?.run === run.id) return words.stop === null ? null : { ...run, stop: words.stop };
  // Older versions left words of a crash alone.
  if (run.hasLastWords !== true) return null;
  return { ...run, endUnknown: 'the database is older than that run, as after a backup was put back' };
}

/** Compares the boots of both runs; null if one is not known. */
function causeOfSilence(previous: string | null, current: string | null): string {
  if (previous === null || current === null) {
    return 'killed, aborted, out of memory, or the machine went down';
  }
  return previous === current ? 'killed, aborted or out of memory' : 'the machine went down';
}
