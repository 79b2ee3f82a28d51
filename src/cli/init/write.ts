import { chmodSync, existsSync, linkSync, mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeAtomically } from '../../linux/files.js';
import type { NewSecret } from './channel-questions.js';

/** All that is to be written. */
export interface NewFiles {
  readonly configuration: { readonly path: string; readonly text: string; readonly mode: number };
  readonly secrets: readonly NewSecret[];
}

/** A name for the configuration that was there: its time, to the second. */
export function keptName(path: string, now: Date): string {
  return `${path}.${now.toISOString().slice(0, 19).replace(/[-:]/g, '')}`;
}

/**
 * Writes the secrets, for their owner alone, then the configuration: all, or nothing. A file that is there is not written
 * over; a configuration keeps its old text under another name.
 *
 * @returns that name; null: there was none
 * @throws the errors of the file system
 */
export function writeNewFiles({ configuration, secrets }: NewFiles, now: Date): string | null {
  const undo: (() => void)[] = [];
  const { path } = configuration;
  try {
    for (const secret of secrets) {
      writeNew(secret.path, `${secret.text}\n`, 0o600);
      undo.push(() => rmSync(secret.path, { force: true }));
    }
    if (!existsSync(path)) {
      writeNew(path, configuration.text, configuration.mode);
      return null;
    }
    const kept = keep(path, keptName(path, now));
    undo.push(() => rmSync(kept, { force: true }));
    writeAtomically(path, configuration.text, configuration.mode);
    return kept;
  } catch (error) {
    for (const each of undo.reverse()) each();
    throw error;
  }
}

/** Gives the file a second name that is free: one of the same second may be there. Returns it. */
function keep(path: string, name: string): string {
  for (let number = 1; ; number += 1) {
    const free = number === 1 ? name : `${name}-${number}`;
    try {
      linkSync(path, free);
      return free;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** The file gets its name once it is whole. A file of that name, made meanwhile, is an EEXIST. */
function writeNew(path: string, text: string, mode: number): void {
  const directory = dirname(path);
  if (!existsSync(directory)) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    // Other users' gateways read the system's.
    if (process.getuid?.() === 0) chmodSync(directory, 0o755);
  }
  const whole = `${path}.new-${process.pid}`;
  try {
    writeAtomically(whole, text, mode);
    linkSync(whole, path);
  } finally {
    rmSync(whole, { force: true });
  }
}
