import { lstatSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { Configuration } from './schema.js';

/**
 * Where the database is. A symbolic link is followed, as SQLite does: what lies beside the database (its log, its seal,
 * its lock) is found in one place, by whatever name it is opened.
 */
export function databaseFile({ store }: Pick<Configuration, 'store'>, stateDirectory: string): string {
  const path = store.path ?? join(stateDirectory, 'gateway.db');
  try {
    return lstatSync(path).isSymbolicLink() ? realpathSync(path) : path;
  } catch {
    // It is not there yet, or this user may not see it: for whoever opens it to say.
    return path;
  }
}
