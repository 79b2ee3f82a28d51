import { closeSync, copyFileSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { contentWithLog } from '../../../../src/store/sqlite/file/write-ahead-log.js';
import { propertyRuns } from '../../../support/properties.js';
import Database from '../../../support/sqlite.mjs';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sd-gateway-content-'));
  path = join(directory, 'made.db');
});
afterEach(() => rmSync(directory, { recursive: true }));

type Rows = readonly unknown[];
const query = 'SELECT id, length(text) FROM t UNION ALL SELECT -1, count(*) FROM sqlite_schema ORDER BY 1';
const copy = () => join(directory, 'copy.db');

/** What SQLite finds in the two files. */
function asSqliteReads(): Rows {
  const database = new Database(copy());
  try {
    return database.prepare(query).raw().all();
  } finally {
    database.close();
  }
}

/** What is found in the content of the two. */
function asContent(largestBytes = 2 ** 30): Rows | null {
  const log = openSync(`${copy()}-wal`, 'r');
  try {
    const content = contentWithLog(readFileSync(copy()), log, largestBytes);
    if (content === null) return null;
    const database = new Database(content, { readonly: true });
    try {
      expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
      return database.prepare(query).raw().all();
    } finally {
      database.close();
    }
  } finally {
    closeSync(log);
  }
}

/** Leaves a copy of a database as a process that was killed leaves it. */
function leave(pageBytes: number, changes: readonly Change[]): void {
  rmSync(path, { force: true });
  const database = new Database(path);
  database.exec(`PRAGMA page_size = ${pageBytes}; CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)`);
  database.pragma('journal_mode = WAL');
  database.pragma('wal_autocheckpoint = 0');
  const insert = database.prepare('INSERT INTO t (text) VALUES (?)');
  for (const { kind, size } of changes) {
    if (kind === 'insert') insert.run('x'.repeat(size));
    else if (kind === 'delete') database.prepare('DELETE FROM t WHERE id % 3 = ?').run(size % 3);
    else if (kind === 'shrink') database.exec('VACUUM');
    else if (kind === 'copy') database.pragma('wal_checkpoint(TRUNCATE)');
    else database.pragma('wal_checkpoint(PASSIVE)');
  }
  copyFileSync(path, copy());
  copyFileSync(`${path}-wal`, `${copy()}-wal`);
  rmSync(`${copy()}-shm`, { force: true });
  database.close();
}

interface Change {
  readonly kind: 'insert' | 'delete' | 'shrink' | 'copy' | 'restart';
  readonly size: number;
}

const change = fc.record<Change>({
  kind: fc.constantFrom('insert', 'insert', 'insert', 'delete', 'shrink', 'copy', 'restart'),
  size: fc.integer({ min: 0, max: 20_000 }),
});

it('is what SQLite reads, wherever the log was cut off', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(512, 4_096, 65_536),
      fc.array(change, { minLength: 1, maxLength: 12 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (pageBytes, changes, part) => {
        leave(pageBytes, changes);
        const log = `${copy()}-wal`;
        if (part < 0.9) truncateSync(log, Math.floor(readFileSync(log).length * part));
        const found = asContent();
        expect(found).toEqual(asSqliteReads());
      },
    ),
    { numRuns: propertyRuns(60) },
  );
});

it('is none that would be larger than it may be', () => {
  leave(4_096, [{ kind: 'insert', size: 100_000 }]);
  expect(asContent(50_000)).toBeNull();
  expect(asContent()).toEqual(asSqliteReads());
});
