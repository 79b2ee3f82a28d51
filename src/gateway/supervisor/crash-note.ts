import { closeSync, constants, existsSync, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NoRegularFileError, readRegularFile } from '../../linux/files.js';
import { native, SystemCallError } from '../../linux/native.js';

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
