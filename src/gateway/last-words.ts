import { closeSync, constants, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NoRegularFileError, readRegularFile } from '../linux/regular-file.js';

/** What a crash leaves for the next start: the store's thread can't be asked for anything any more. */
export interface LastWords {
  /** The run's id. */
  readonly run: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly error: string;
}

function pathIn(stateDirectory: string): string {
  return join(stateDirectory, 'last-words.json');
}

/** Written before the call returns; not synced, as a crash of the gateway is none of the machine. */
export function leaveLastWords(stateDirectory: string, words: LastWords): void {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW, O_NONBLOCK } = constants;
  // A pipe that an agent has put there would keep the process from its end.
  const flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK;
  const descriptor = openSync(pathIn(stateDirectory), flags, 0o600);
  try {
    writeFileSync(descriptor, `${JSON.stringify(words)}\n`);
  } finally {
    closeSync(descriptor);
  }
}

/** Null when there are none, or none that can be read: then the run ended without a word. */
export function takeLastWords(stateDirectory: string): LastWords | null {
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
    const { run, at, error } = JSON.parse(text) as LastWords;
    return { run: String(run), at: Number(at), error: String(error) };
  } catch {
    return null;
  }
}
