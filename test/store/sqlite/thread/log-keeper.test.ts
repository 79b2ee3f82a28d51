import { statSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Statements } from '../../../../src/store/sqlite/operations/statements.js';
import { LogKeeper } from '../../../../src/store/sqlite/thread/log-keeper.js';
import Database from '../../../support/sqlite.mjs';
import { SqliteFactory } from '../sqlite-factory.js';

let files: SqliteFactory;
let database: Database.Database;
beforeEach(() => {
  files = new SqliteFactory();
  database = new Database(files.path);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (c)');
});
afterEach(async () => {
  database.close();
  await files.remove();
});

test('a copy of the log is announced before the database changes', () => {
  const keeper = new LogKeeper(database, files.path, new Statements(database));
  const changed = () => statSync(files.path, { bigint: true }).mtimeNs;
  const before = changed();
  const begun: bigint[] = [];
  expect(keeper.copyWhenDue(() => begun.push(changed()))).toBe(false);
  expect(begun).toEqual([]);
  expect(keeper.copyWhenDue(() => begun.push(changed()), 1)).toBe(true);
  expect(begun).toEqual([before]);
  expect(changed()).not.toBe(before);
  expect(keeper.mark()).toMatchObject({ isCopied: true });
});
