import type { Database } from 'better-sqlite3';
import type { Migration, Redefinition } from './schema.js';

/**
 * Brings the schema from the version that the database has to the newest of `migrations`. Each step and its
 * `user_version` are one transaction, so that one that is cut off starts from where it was. Returns the version before.
 */
export function migrate(database: Database, migrations: readonly Migration[], progress: () => void): number {
  const before = schemaVersionOf(database);
  for (const migration of migrations) {
    if (migration.version <= before) continue;
    database
      .transaction(() => {
        for (const statement of migration.statements) {
          if (typeof statement === 'string') database.exec(statement);
          else redefine(database, statement);
          progress();
        }
        database.pragma(`user_version = ${migration.version}`);
      })
      .immediate();
  }
  return before;
}

/**
 * Edits the schema's own text, as SQLite describes for a constraint that is loosened
 * (https://www.sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema Changes").
 */
function redefine(database: Database, { table, from, to }: Redefinition): void {
  const cookie = Number(database.pragma('schema_version', { simple: true }));
  // The connection defends the schema against such edits unless it is told that they are meant.
  database.unsafeMode(true);
  try {
    database.pragma('writable_schema = ON');
    const { changes } = database
      .prepare(
        `UPDATE sqlite_schema SET sql = replace(sql, @from, @to)
         WHERE type = 'table' AND name = @table AND instr(sql, @from) > 0`,
      )
      .run({ table, from, to });
    if (changes !== 1) throw new Error(`The schema of ${table} is not what this migration knows.`);
    database.pragma(`schema_version = ${cookie + 1}`);
    database.pragma('writable_schema = OFF');
  } finally {
    database.unsafeMode(false);
  }
}

export function schemaVersionOf(database: Database): number {
  return Number(database.pragma('user_version', { simple: true }));
}
