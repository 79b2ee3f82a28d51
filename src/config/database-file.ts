import { lstatSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { actingAs, openerOf, ownerOf } from '../linux/owner.js';
import { ConfigurationError } from './configuration-error.js';
import type { Configuration } from './schema.js';

interface StoreSettings {
  readonly store: Pick<Configuration['store'], 'path'>;
}

function namedFile({ store }: StoreSettings, stateDirectory: string): string {
  return store.path ?? join(stateDirectory, 'gateway.db');
}

/**
 * Where the database is. A symbolic link is followed, as SQLite does: what lies beside the database (its log, its seal,
 * its lock) is found in one place, by whatever name it is opened.
 */
export function databaseFile(settings: StoreSettings, stateDirectory: string): string {
  const path = namedFile(settings, stateDirectory);
  try {
    return lstatSync(path).isSymbolicLink() ? realpathSync(path) : path;
  } catch {
    // It is not there yet, or this user may not see it: for whoever opens it to say.
    return path;
  }
}

/** The database, and the user as whom a command opens it (`actingAs`); null: as this process's own. */
export interface DatabaseAccess {
  readonly path: string;
  readonly user: number | null;
}

/** Has root open the database as its owner. Throws an IdentityError, and a ConfigurationError for links that root must not follow. */
export function databaseAccess(settings: StoreSettings, stateDirectory: string): DatabaseAccess {
  const path = namedFile(settings, stateDirectory);
  const user = openerOf(path);
  const isDynamic = user === null && process.getuid?.() === 0 && ownerOf(path) !== null;
  if (!isDynamic) return { path: actingAs(user, () => databaseFile(settings, stateDirectory)), user };
  const links = ['', '-wal', '-shm', '-journal', '-seal', '.lock']
    .map((suffix) => path + suffix)
    .filter((file) => lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink());
  if (links.length === 0) return { path, user };
  throw new ConfigurationError(
    links.map((where) => ({
      where,
      message:
        'it is a symbolic link, which root does not follow from a directory of a dynamic user: remove it',
    })),
  );
}
