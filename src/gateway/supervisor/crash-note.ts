import { closeSync, constants, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NoRegularFileError, readRegularFile } from '../../linux/regular-file.js';

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

/** Writes before the call returns. Syncs nothing: a crash of the gateway is not one of the machine. */
export function writeCrashNote(stateDirectory: string, note: CrashNote): void {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW, O_NONBLOCK } = constants;
  // A pipe that an agent has put there would keep the process from its end.
  const flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK;
  const descriptor = openSync(pathIn(stateDirectory), flags, 0o600);
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
