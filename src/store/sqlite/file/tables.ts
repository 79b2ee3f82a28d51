import type { Database } from 'better-sqlite3';
import { migrate } from './migrate.js';
import { openSqlite } from './open-sqlite.js';
import { migrations } from './schema.js';

/** A table as this program makes it: https://www.sqlite.org/schematab.html */
export interface KnownTable {
  /** The rowid of its row in the schema. */
  readonly number: number;
  readonly name: string;
  readonly rootpage: number;
  readonly sql: string;
  /** Names, in their order, with commas. */
  readonly columns: string;
}

const columnsOf = "(SELECT group_concat(name, ',') FROM pragma_table_info(sqlite_schema.name)) AS columns";

/** All tables of a schema version. */
export function tablesOf(version: number): readonly KnownTable[] {
  const database = openSqlite(':memory:');
  try {
    database.pragma('auto_vacuum = INCREMENTAL');
    migrate(
      database,
      migrations.filter((migration) => migration.version <= version),
      () => {},
    );
    return readTables(database);
  } finally {
    database.close();
  }
}

function readTables(database: Database): readonly KnownTable[] {
  return database
    .prepare<[], KnownTable>(
      `SELECT rowid AS number, name, rootpage, sql, ${columnsOf} FROM sqlite_schema WHERE type = 'table'`,
    )
    .all();
}

/** The table whose columns are not those of this version; null: none. */
export function wrongTable(database: Database, version: number): string | null {
  const found = new Map(readTables(database).map(({ name, columns }) => [name, columns]));
  return tablesOf(version).find(({ name, columns }) => found.get(name) !== columns)?.name ?? null;
}
