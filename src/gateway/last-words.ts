import { readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

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
  writeFileSync(pathIn(stateDirectory), `${JSON.stringify(words)}\n`, { mode: 0o600 });
}

/** Null when there are none, or none that can be read: then the run ended without a word. */
export function takeLastWords(stateDirectory: string): LastWords | null {
  const path = pathIn(stateDirectory);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  unlinkSync(path);
  try {
    const { run, at, error } = JSON.parse(text) as LastWords;
    return { run: String(run), at: Number(at), error: String(error) };
  } catch {
    return null;
  }
}
