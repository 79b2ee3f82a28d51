import { lstatSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigurationError } from '../../../config/configuration-error.js';
import type { SqliteSettings } from '../../../config/store-table.js';
import { actingAs, openerOf, ownerOf } from '../../../linux/owner.js';
import type { StoreFile } from '../../store-kind.js';

type PathSetting = Pick<SqliteSettings, 'path'>;

function namedFile({ path }: PathSetting, stateDirectory: string): string {
  return path ?? join(stateDirectory, 'gateway.db');
}

/**
 * Finds the database file. Follows a symbolic link, as SQLite does. So the files beside the database (its log, its
 * seal, its lock) are found in one place, by whatever name it is opened.
 */
export function databaseFile(settings: PathSetting, stateDirectory: string): string {
  const path = namedFile(settings, stateDirectory);
  try {
    return lstatSync(path).isSymbolicLink() ? realpathSync(path) : path;
  } catch {
    // It is not there yet, or this user may not see it: for whoever opens it to say.
    return path;
  }
}

/** Has root open the database as its owner. Throws an IdentityError, and a ConfigurationError for links that root must not follow. */
export function databaseAccess(settings: PathSetting, stateDirectory: string): StoreFile {
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
