import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  describeSupervision as describe,
  judgeSupervision,
  type Supervision,
} from '../lifecycle/supervision.js';
import { ArgumentError } from '../linux/errors.js';
import { showValue } from '../systemd/arguments.js';
import { booted as isBooted, readSupervisionEvidence } from '../systemd/evidence.js';
import { readFields, unreadable } from './read-arguments.js';

/** systemd takes no other names (systemd.exec(5), `LoadCredential=`). */
const credentialName = /^(?!\.{1,2}$)[^/\0]{1,255}$/;

/**
 * Secrets that the unit gives to the service.
 *
 * @see systemd.exec(5), `LoadCredential=`, `SetCredential=`
 */
export const credentials = {
  /** `$CREDENTIALS_DIRECTORY`; null if the unit gives none. */
  get directory(): string | null {
    return process.env['CREDENTIALS_DIRECTORY'] ?? null;
  },

  /**
   * Returns the path of a credential, for programs that want a file; null if the unit gives none.
   *
   * @param name a file name
   * @throws {@link ArgumentError} for a name that no file can have
   * @see systemd.exec(5), `LoadCredential=`
   */
  path(name: string): string | null {
    if (typeof name !== 'string' || !credentialName.test(name)) {
      throw new ArgumentError('name', `${showValue(name)} can't be the name of a credential: a file name is`);
    }
    const { directory } = credentials;
    return directory === null ? null : join(directory, name);
  },

  /**
   * Reads a credential; null if the unit doesn't give it. The bytes are as they were given, often with a line feed at
   * their end.
   *
   * @param name a file name
   * @throws {@link ArgumentError} for a name that no file can have; the errors of open(2) but ENOENT
   * @see systemd.exec(5), `LoadCredential=`
   */
  read(name: string): Buffer | null {
    const path = credentials.path(name);
    if (path === null) return null;
    try {
      return readFileSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  },
};

/**
 * True if systemd is the init of this machine.
 *
 * @see sd_booted(3)
 */
export function booted(): boolean {
  return process.platform === 'linux' && isBooted();
}

let known: Supervision | null = null;

/**
 * Finds the supervisor of this process: the manager, the unit and the invocation. Tells if they are its own or merely
 * inherited, as in a shell that a service has started. Reads them once: later the environment and the parents may be
 * others'.
 *
 * @see systemd.exec(5), `$INVOCATION_ID`, `$SYSTEMD_EXEC_PID`
 */
export function supervision(): Supervision {
  // As PID 1 of a container the process is asked to stop by the container's runtime.
  known ??= judgeSupervision(
    readSupervisionEvidence(process.env, booted()),
    process.pid === 1 ? 'container' : 'auto',
  );
  return known;
}

/**
 * One line for people about who supervises this process.
 *
 * @param found what `supervision()` gave
 * @throws {@link ArgumentError} for anything else
 * @see systemd.exec(5)
 */
export function describeSupervision(found: Supervision): string {
  const given = readFields('found', found);
  try {
    return describe(given);
  } catch (error) {
    throw unreadable('found', error);
  }
}
