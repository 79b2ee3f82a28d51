import { createRequire } from 'node:module';
import type Database from 'better-sqlite3';

/**
 * The package of SQLite for this Node.js. better-sqlite3 13 has its binaries with it, and needs Node-API 10 (Node.js 22.14).
 * Before that it is 12, which in turn ends Node.js 24.19 and later by SIGABRT: https://github.com/nodejs/node/issues/65446
 */
export const sqlitePackage = Number(process.versions.napi) >= 10 ? 'better-sqlite3' : 'better-sqlite3-12';

/**
 * Opens a database.
 * @param file a path, `:memory:`, or the content of a database
 * @throws what `require` does where the package or its binary is missing, and SqliteError
 */
export function openSqlite(file: string | Buffer, options?: Database.Options): Database.Database {
  // Loaded at the first call, where a missing binary is told as an error of the store.
  const Sqlite = createRequire(import.meta.url)(sqlitePackage) as typeof Database;
  return new Sqlite(file, options);
}
