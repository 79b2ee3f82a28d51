import { createRequire } from 'node:module';

/**
 * The file of SQLite’s native module. better-sqlite3 would look for it in a dozen places, beginning with the file of the
 * program that it is bundled into. Throws what `require.resolve` does where it was never built.
 */
export function sqliteAddon(): string {
  return createRequire(import.meta.url).resolve('better-sqlite3/build/Release/better_sqlite3.node');
}
