import { closeSync, constants, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { SystemCallError } from '../../linux/errors.js';
import { NoRegularFileError, readRegularFile } from '../../linux/files.js';
import { failure, native } from '../../linux/native.js';
import type { StopRecord } from '../../store/open-store.js';

/**
 * Two files beside the store that the next start reads: the end of the last run, which the store doesn't know after a
 * crash, on a full disk, or if a backup was put back; and the signal that ended it.
 */
export interface LastWords {
  /** The run's id. */
  readonly run: string;
  /** The end of the run; null while it runs, or if it was killed. */
  readonly stop: StopRecord | null;
}

/** Bytes of the file. They are there from the start on, as a full disk gives none at the end. */
const reservedBytes = 4_096;
/** The longest text in it, in characters: two of them fit. */
const longestText = 600;

const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW, O_NONBLOCK } = constants;
// A pipe that an agent has put there would keep the process from its end.
const openFlags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK;

function pathIn(stateDirectory: string): string {
  return join(stateDirectory, 'last-words.json');
}

/** Two digits if a signal ended the process that it did not get from outside: a fault, an abort(3), the watchdog. */
function signalPathIn(stateDirectory: string): string {
  return join(stateDirectory, 'fatal-signal');
}

/**
 * Writes over what is there, before the call returns. Syncs nothing: a crash of the gateway is not one of the machine.
 * Throws the errors of open(2) and write(2).
 */
export function writeLastWords(stateDirectory: string, { run, stop }: LastWords): void {
  const cut = (text: string) => text.slice(0, longestText);
  const shown =
    stop === null
      ? null
      : {
          ...stop,
          description: cut(stop.description),
          error: stop.error === null ? null : cut(stop.error),
        };
  const text = Buffer.alloc(reservedBytes, ' ');
  const json = Buffer.from(`${JSON.stringify({ run, stop: shown })}\n`);
  const descriptor = openSync(pathIn(stateDirectory), openFlags, 0o600);
  try {
    json.copy(text);
    // A longer one, of escaped characters, has its end behind the reserved bytes.
    writeSync(descriptor, json.length > reservedBytes ? json : text, 0, null, 0);
  } finally {
    closeSync(descriptor);
  }
}

/** Reads what the last run has left; null if there is nothing that can be read. Throws the errors of open(2). */
export function readLastWords(stateDirectory: string): LastWords | null {
  const path = pathIn(stateDirectory);
  let text: string;
  try {
    text = readRegularFile(path, 'links-refused').toString();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    if (!(error instanceof NoRegularFileError)) throw error;
    unlinkSync(path);
    return null;
  }
  try {
    // A shorter one may have an older one's end behind it.
    const { run, stop = null } = JSON.parse(text.split('\n', 1)[0] ?? '') as LastWords;
    return { run: String(run), stop };
  } catch {
    return null;
  }
}

/** Forgets how the last run ended, and has a signal that ends this one on record. Throws if it can't be. */
export function noteFatalSignals(stateDirectory: string): void {
  // Open until the end: a handler opens nothing.
  const descriptor = openSync(signalPathIn(stateDirectory), openFlags | O_TRUNC, 0o600);
  const result = native().note_fatal_signals(descriptor);
  if (result < 0) throw new SystemCallError('Could not have fatal signals noted', failure(result));
}

/**
 * True if the last run ended by itself, by an exception or such a signal. SIGKILL, a lost power and the machine's end leave
 * no note.
 */
export function endedByItself(stateDirectory: string): boolean {
  try {
    if (readLastWords(stateDirectory)?.stop?.cause === 'crash') return true;
    return readRegularFile(signalPathIn(stateDirectory), 'links-refused').length > 0;
  } catch {
    // None, or nothing that a gateway has left.
    return false;
  }
}
