import { closeSync, constants, existsSync, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeStop, describeStopJob, type StopJob, type StopRequest } from '../../lifecycle/stop-cause.js';
import { NoRegularFileError, readRegularFile } from '../../linux/files.js';
import { native, SystemCallError } from '../../linux/native.js';
import { bootId } from '../../linux/process.js';
import { messageIds } from '../../log/fields.js';
import type { Log } from '../../log/log.js';
import { newId } from '../../store/ids.js';
import { type RunRecord, type RunStore, runOutcome, type StopRecord } from '../../store/open-store.js';
import { errorMessage } from '../../text/failure-text.js';
import { programVersion } from '../../version.js';

/** A stop as it is recorded once all but the store is closed. */
export interface StopSummary {
  readonly stop: StopRequest;
  /** Milliseconds since the Unix epoch. */
  readonly requestedAt: number;
  readonly job: StopJob | null;
  /** The time that the drain took, in µs; null if there was none. */
  readonly drainMicroseconds: number | null;
  readonly finishedTurns: number;
  readonly putBackTurns: number;
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
    };
  }

  /** Newest first; this run is the first. */
  get runs(): readonly RunRecord[] {
    return [this.#current, ...this.#before];
  }

  /** Puts this run on record and says how the last one ended. */
  async begin(store: RunStore, resumedTurns: number): Promise<void> {
    this.#store = store;
    this.#current = { ...this.#current, resumedTurns };
    await this.#tryWrite(async () => {
      const [, ...before] = await store.beginRun(this.#current);
      this.#before = before;
      await this.#applyCrashNote(store);
      this.#linkToPrevious();
    });
  }

  ready(startDuration: number): void {
    this.#current = { ...this.#current, readyAt: Date.now(), startDuration };
    void this.#update();
  }

  /** Called when only the store is still open. */
  async end(summary: StopSummary): Promise<void> {
    const { stop } = summary;
    const description =
      summary.job === null ? describeStop(stop) : `${describeStop(stop)}, ${describeStopJob(summary.job)}`;
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
      error: summary.error,
    };
    this.#current = { ...this.#current, stop: record };
    this.#logStop(record);
    await this.#update();
  }

  /** Leaves word of a crash for the next start, without the store. */
  crashed(error: string): void {
    try {
      writeCrashNote(this.#stateDirectory, { run: this.#current.id, at: Date.now(), error });
    } catch (failure) {
      this.#log.warning(`The next start won't know of this crash: ${String(failure)}`);
    }
  }

  #logStop(record: StopRecord): void {
    const { sender } = record;
    const took = record.at - record.requestedAt;
    const left = `${record.finishedTurns} turns ended, ${record.putBackTurns} put back for the next start`;
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
        SD_GATEWAY_EXIT_STATUS: record.exitStatus,
      },
    );
  }

  /** A crash could not reach the store: what it left beside it is put on its record now. */
  async #applyCrashNote(store: RunStore): Promise<void> {
    const note = takeCrashNote(this.#stateDirectory);
    const [previous] = this.#before;
    if (note === null || previous === undefined || previous.id !== note.run || previous.stop !== null) return;
    const stop: StopRecord = {
      requestedAt: note.at,
      at: note.at,
      cause: 'crash',
      description: 'crash',
      exitStatus: 1,
      signal: null,
      sender: null,
      job: null,
      drainMicroseconds: null,
      finishedTurns: 0,
      putBackTurns: 0,
      error: note.error,
    };
    const told = { ...previous, stop };
    this.#before = [told, ...this.#before.slice(1)];
    await store.updateRun(told);
  }

  #linkToPrevious(): void {
    const [previous] = this.#before;
    if (previous === undefined) return;
    const outcome = runOutcome(previous, false);
    const fields = {
      MESSAGE_ID: messageIds.previousRun,
      SD_GATEWAY_PREVIOUS_INVOCATION: previous.invocationId,
      SD_GATEWAY_PREVIOUS_OUTCOME: outcome,
      SD_GATEWAY_RESUMED: this.#current.resumedTurns,
    };
    const resumed = `${this.#current.resumedTurns} turns are run again`;
    if (outcome === 'clean') {
      this.#log.info(`The last run ended cleanly: ${previous.stop?.description}; ${resumed}`, fields);
      return;
    }
    const how =
      previous.stop === null
        ? `without a word: ${causeOfSilence(previous.bootId, this.#current.bootId)}`
        : `${previous.stop.description}${previous.stop.error === null ? '' : ` (${previous.stop.error})`}`;
    this.#log.warning(`The last run did not end as planned: ${how}; ${resumed}`, fields);
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

/** Compares the boots of both runs; null if one is not known. */
function causeOfSilence(previous: string | null, current: string | null): string {
  if (previous === null || current === null) {
    return 'killed, aborted, out of memory, or the machine went down';
  }
  return previous === current ? 'killed, aborted or out of memory' : 'the machine went down';
}

/** A crash leaves this for the next start, as it can ask the store's thread for nothing any more. */
export interface CrashNote {
  /** The run's id. */
  readonly run: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly error: string;
}

function pathIn(stateDirectory: string): string {
  return join(stateDirectory, 'last-words.json');
}

/** Two digits if a signal ended the process that it did not get from outside: a fault, an abort(3), the watchdog. */
function signalPathIn(stateDirectory: string): string {
  return join(stateDirectory, 'fatal-signal');
}

const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW, O_NONBLOCK } = constants;
// A pipe that an agent has put there would keep the process from its end.
const openFlags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK;

/** Writes before the call returns. Syncs nothing: a crash of the gateway is not one of the machine. */
export function writeCrashNote(stateDirectory: string, note: CrashNote): void {
  const descriptor = openSync(pathIn(stateDirectory), openFlags, 0o600);
  try {
    writeFileSync(descriptor, `${JSON.stringify(note)}\n`);
  } finally {
    closeSync(descriptor);
  }
}

/** Reads and removes the note; null if there is none that can be read. The run ended without a word then. */
export function takeCrashNote(stateDirectory: string): CrashNote | null {
  const path = pathIn(stateDirectory);
  let text = '';
  try {
    text = readRegularFile(path, 'links-refused').toString();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    if (!(error instanceof NoRegularFileError)) throw error;
  }
  unlinkSync(path);
  try {
    const { run, at, error } = JSON.parse(text) as CrashNote;
    return { run: String(run), at: Number(at), error: String(error) };
  } catch {
    return null;
  }
}

/** Forgets how the last run ended, and has a signal that ends this one on record. Throws if it can't be. */
export function noteFatalSignals(stateDirectory: string): void {
  // Open until the end: a handler opens nothing.
  const descriptor = openSync(signalPathIn(stateDirectory), openFlags, 0o600);
  const result = native().note_fatal_signals(descriptor);
  if (result < 0) throw new SystemCallError('Could not have fatal signals noted', result);
}

/**
 * True if the last run ended by itself, by an exception or such a signal. SIGKILL, a lost power and the machine's end leave
 * no note.
 */
export function endedByItself(stateDirectory: string): boolean {
  if (existsSync(pathIn(stateDirectory))) return true;
  try {
    return readRegularFile(signalPathIn(stateDirectory), 'links-refused').length > 0;
  } catch {
    // None, or nothing that a gateway has left.
    return false;
  }
}
