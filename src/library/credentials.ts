import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ArgumentError, showValue } from '../systemd/argument-error.js';

/** systemd takes no other names (systemd.exec(5), `LoadCredential=`). */
const credentialName = /^(?!\.{1,2}$)[^/\0]{1,255}$/;

/** Secrets that the unit gives to the service (systemd.exec(5), `LoadCredential=`, `SetCredential=`). */
export const credentials = {
  /** `$CREDENTIALS_DIRECTORY`; null if the unit gives none. */
  get directory(): string | null {
    return process.env['CREDENTIALS_DIRECTORY'] ?? null;
  },

  /**
   * Returns the path of a credential, for programs that want a file; null if the unit gives none. Throws
   * `ArgumentError`.
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
   * their end. Throws `ArgumentError`, and the errors of open(2) but ENOENT.
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
