import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type Database from 'better-sqlite3';

/**
 * The package of SQLite for this Node.js. better-sqlite3 13 has its binaries with it, and needs Node-API 10 (Node.js 22.14).
 * Before that it is 12, which in turn ends Node.js 24.19 and later by SIGABRT: https://github.com/nodejs/node/issues/65446
 */
export const sqlitePackage = Number(process.versions.napi) >= 10 ? 'better-sqlite3' : 'better-sqlite3-12';

/** The build takes this line out where it bundles the packages (tools/bundled-require.ts). */
const require = createRequire(import.meta.url);

/** Each by a name that the bundler can read. One of them is run, at the first call. */
const load: Readonly<Record<typeof sqlitePackage, () => typeof Database>> = {
  'better-sqlite3': () => require('better-sqlite3'),
  'better-sqlite3-12': () => require('better-sqlite3-12'),
};

/** The C library of this process, by the loader in its memory, as better-sqlite3 tells it. */
function isMusl(): boolean {
  return /\/ld-musl-[^/\s]*\.so/.test(readFileSync('/proc/self/maps', 'latin1'));
}

/**
 * The file of SQLite’s native module in the installed package. From within a bundle better-sqlite3 would look for it beside
 * the bundle.
 */
function sqliteAddon(): string {
  const folder = dirname(require.resolve(`${sqlitePackage}/package.json`));
  const compiled = join(folder, 'build/Release/better_sqlite3.node');
  // Version 13 has one only where it was compiled on purpose.
  if (sqlitePackage === 'better-sqlite3-12' || existsSync(compiled)) return compiled;
  return join(folder, `prebuilds/${isMusl() ? 'linuxmusl' : 'linux'}-${process.arch}.node`);
}

let addon: string | null = null;

/**
 * Opens a database.
 * @param file a path, `:memory:`, or the content of a database
 * @throws what `require` does where the package or its binary is missing, and SqliteError
 */
export function openSqlite(file: string | Buffer, options?: Database.Options): Database.Database {
  // Looked for at the first call, where a missing binary is told as an error of the store.
  addon ??= sqliteAddon();
  const Sqlite = load[sqlitePackage]();
  return new Sqlite(file, { ...options, nativeBinding: addon });
}
