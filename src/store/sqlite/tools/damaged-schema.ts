import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import type { Database } from 'better-sqlite3';
import { schemaVersionOf } from '../file/migrate.js';
import { openSqlite } from '../file/open-sqlite.js';
import { schemaVersion } from '../file/schema.js';
import { type KnownTable, tablesOf } from '../file/tables.js';
import { mendInnerPages } from './inner-pages.js';
import { attempt } from './read-table.js';

/** A row of the schema: https://www.sqlite.org/schematab.html */
interface SchemaRow {
  readonly number: number;
  readonly type: unknown;
  readonly name: unknown;
  readonly rootpage: unknown;
  readonly sql: unknown;
}

/** Those of a table without a rowid are of another kind, and hold nothing that is saved. */
const tableRoots = "SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND rootpage > 1";

const readSchema = 'SELECT rowid AS number, type, name, rootpage, sql FROM sqlite_schema';

/**
 * Opens the copy of a damaged database. Tables whose pages lie behind its end, and texts of the schema that SQLite can't
 * read, don't keep it from the others. Such texts are written anew: this program knows them.
 */
export function openDamaged(path: string, busyTimeout: number): Database {
  const database = openWithSchema(path, busyTimeout);
  const roots = attempt(() => database.prepare<[], number>(tableRoots).pluck().all());
  // The pages themselves have to have what is in the log.
  const isCopied = attempt(() => database.pragma('wal_checkpoint(TRUNCATE)', { simple: true })) === 0;
  database.close();
  if (roots !== null && isCopied) mendInnerPages(path, roots);
  return connect(path, busyTimeout);
}

function openWithSchema(path: string, busyTimeout: number): Database {
  let database = connect(path, busyTimeout);
  const version = attempt(() => schemaVersionOf(database)) ?? schemaVersion;
  const known = tablesOf(version > 0 && version <= schemaVersion ? version : schemaVersion);
  const found = attempt(() => database.prepare<[], SchemaRow>(readSchema).all());
  const wrong = found === null ? known : wrongTables(known, found);
  if (wrong.length === 0) return database;
  if (found === null) {
    database.close();
    emptySchema(path);
    database = connect(path, busyTimeout);
  }
  for (const table of wrong) attempt(() => correct(database, table));
  // So that its schema is read again.
  database.close();
  return connect(path, busyTimeout);
}

function connect(path: string, busyTimeout: number): Database {
  const database = openSqlite(path, { timeout: busyTimeout });
  database.unsafeMode(true);
  // Has SQLite skip what it can't use of the schema, where it would refuse all of it.
  attempt(() => database.pragma('writable_schema = ON'));
  return database;
}

/** Rows of tables as they should be, where they are not. */
function wrongTables(known: readonly KnownTable[], found: readonly SchemaRow[]): readonly KnownTable[] {
  return known.flatMap((table) => {
    const row = found.find(({ name }) => name === table.name);
    if (row !== undefined && row.type === 'table' && row.sql === table.sql) return [];
    // Each database comes by its tables in the same order.
    const { number, rootpage } = row ?? found.find((other) => other.number === table.number) ?? table;
    return [
      {
        ...table,
        number,
        rootpage: typeof rootpage === 'number' && rootpage > 1 ? rootpage : table.rootpage,
      },
    ];
  });
}

/**
 * Makes the schema's root an empty leaf if pages of the schema are gone (https://www.sqlite.org/fileformat2.html).
 * The tables of each database begin at the same pages: auto-vacuum moves no table but for the schema's sake.
 */
function emptySchema(path: string): void {
  const descriptor = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    const page = Buffer.alloc(512);
    if (readSync(descriptor, page, 0, page.length, 0) < page.length) return;
    const pageBytes = page.readUInt16BE(16);
    if (pageBytes === 0) return;
    page.writeUInt32BE(Math.floor(fstatSync(descriptor).size / pageBytes), 28);
    // No free pages, and no auto-vacuum: both are of no use to whoever only reads.
    for (const at of [32, 36, 52, 64]) page.writeUInt32BE(0, at);
    page.set([0x0d, 0, 0, 0, 0, pageBytes >> 8, pageBytes & 0xff, 0], 100);
    writeSync(descriptor, page, 0, page.length, 0);
  } finally {
    closeSync(descriptor);
  }
}

function correct(database: Database, { number, name, rootpage, sql }: KnownTable): void {
  database
    .prepare(
      `INSERT OR REPLACE INTO sqlite_schema (rowid, type, name, tbl_name, rootpage, sql)
       VALUES (?, 'table', ?, ?, ?, ?)`,
    )
    .run(number, name, name, rootpage, sql);
}
