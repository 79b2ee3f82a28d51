import { expect, test } from 'vitest';
import { migrate } from '../../../../src/store/sqlite/file/migrate.js';
import { migrations, outlineQueries } from '../../../../src/store/sqlite/file/schema.js';
import { allStatements } from '../../../../src/store/sqlite/operations/statements.js';
import Database from '../../../support/sqlite.mjs';
// Defines all of them.
import '../../../../src/store/sqlite/thread/group-commit.js';

const database = new Database(':memory:');
migrate(database, migrations, () => {});

interface PlanRow {
  readonly detail: string;
}

function planOf(sql: string): string[] {
  const positional = sql.split('?').length - 1;
  const parameters: unknown[] = Array.from({ length: positional }, () => null);
  const named = [...sql.matchAll(/@(\w+)/g)].map(([, name]) => [name, null]);
  if (named.length > 0) parameters.push(Object.fromEntries(named));
  return database
    .prepare<unknown[], PlanRow>(`EXPLAIN QUERY PLAN ${sql}`)
    .all(...parameters)
    .map(({ detail }) => detail);
}

const statements = allStatements
  .map(({ text }) => text)
  .filter((text) => /^\s*(SELECT|UPDATE|INSERT|DELETE)/.test(text));

test.each(statements)('%s: reads by an index, and sorts nothing', (source) => {
  const plan = planOf(source);
  // Scans of a table or of a whole line, and sorts, take time in proportion to what is stored; that of a list that is
  // handed over (json_each) does not.
  const costly = /^SCAN (?!CONSTANT|\w+ VIRTUAL TABLE)|TEMP B-TREE|PRIMARY KEY \(line=\?\)/;
  expect(plan.filter((line) => costly.test(line))).toEqual([]);
});

test.each(statements)('%s: is not prepared anew with each run', (source) => {
  // SQLite does so where a parameter alone is the limit.
  expect(source).not.toMatch(/LIMIT \?/);
});

test('the outline looks at every table and index', () => {
  const names = database
    .prepare<[], string>("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")
    .pluck()
    .all();
  expect(names.filter((name) => !outlineQueries.some((query) => query.includes(` ${name} `)))).toEqual([]);
});

const ofQueued = statements.filter((text) => /seq >=? \?/.test(text) && text.includes("state = 'queued'"));

test('what a session has queued behind a message is asked for', () => {
  expect(ofQueued).toHaveLength(3);
});

test.each(ofQueued)('%s: passes over nothing that is not queued, however long the session is', (text) => {
  expect(planOf(text).join('\n')).toContain('messages_queued');
});
