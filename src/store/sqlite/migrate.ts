import type { Database } from 'better-sqlite3';
import type { Migration } from './schema.js';

/**
 * Brings the schema from the version that the database has to the newest of `migrations`, each step in a transaction
 * of its own with its `user_version`, so that one that is cut off starts from where it was. Returns the version
 * before.
 */
export function migrate(database: Database, migrations: readonly Migration[], progress: () => void): number {
  const before = schemaVersionOf(database);
  for (const migration of migrations) {
    if (migration.version <= before) continue;
    database
      .transaction(() => {
        for (const statement of migration.statements) {
          database.exec(statement);
          progress();
        }
        database.pragma(`user_version = ${migration.version}`);
      })
      .immediate();
  }
  return before;
}

export function schemaVersionOf(database: Database): number {
  return Number(database.pragma('user_version', { simple: true }));
}
