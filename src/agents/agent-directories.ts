import { hash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError } from './agent.js';

/** Longest name of a session's directory, in bytes. Escapes would make it longer than the 255 of a file system. */
const longestName = 150;

/**
 * Names the directory of a session. Each byte but letters, digits and `_ @ + . -` becomes "%XX"; so does a dot or a hyphen at
 * the beginning. A longer name is cut, and ends with "%~" and 16 hex digits of its SHA-256.
 */
export function sessionDirectoryName(session: string): string {
  const name = session.replace(/[^\w@+.-]|^[.-]/gu, (character) =>
    [...Buffer.from(character)]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  );
  // No escape looks like it, so that no other session can have this name.
  if (name === '') return '%~';
  if (name.length <= longestName) return name;
  const end = `%~${hash('sha256', session).slice(0, 16)}`;
  return `${name.slice(0, longestName - end.length)}${end}`;
}

/** The directory of a session below that of all agents. */
export function sessionDirectory(agents: string, session: string): string {
  return join(agents, 'sessions', sessionDirectoryName(session));
}

/** Absolute paths. */
export interface TurnDirectories {
  /** The current directory. */
  readonly session: string;
  readonly home: string;
}

/**
 * Gives a turn its directories below that of all agents, which are for their owner alone. Makes those that are missing: an
 * agent may have removed them.
 *
 * @throws AgentError
 */
export function makeTurnDirectories(agents: string, session: string): TurnDirectories {
  const directories = {
    home: join(agents, 'home'),
    session: sessionDirectory(agents, session),
  };
  for (const path of Object.values(directories)) {
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      throw new AgentError(
        'unavailable',
        `the directory ${path} of the agent could not be made: ${code ?? message}; check whether the disk is full, and who owns ${agents}`,
        true,
        { cause: error },
      );
    }
  }
  return directories;
}
