import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { recoverStore } from '../../../../src/store/sqlite/tools/maintenance.js';
import Database from '../../../support/sqlite.mjs';
import { acceptOne, at, claimOne } from '../../samples.js';
import { SqliteFactory } from '../sqlite-factory.js';

const count = 400;
const pageBytes = 4_096;

/** The files of a database with messages, by their names. */
const written = new Map<string, Buffer>();
beforeAll(async () => {
  const first = new SqliteFactory();
  const store = await first.open();
  await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      // Some texts go on in pages of their own.
      const text = `number ${index} ${'x'.repeat(index % 50 === 0 ? 20_000 : 200)}`;
      await acceptOne(store, `s${index % 3}`, { text });
    }),
  );
  const turn = await claimOne(store);
  await at(3_000, store).completeTurn(turn, { text: 'done', metadata: {} });
  await store.close();
  for (const suffix of ['', '-seal']) written.set(suffix, readFileSync(`${first.path}${suffix}`));
  await first.remove();
}, 60_000);

let files: SqliteFactory;
beforeEach(() => {
  files = new SqliteFactory();
  for (const [suffix, bytes] of written) writeFileSync(`${files.path}${suffix}`, bytes);
});
afterEach(() => files.remove());

function ask<Row>(sql: string): Row[] {
  const database = new Database(files.path, { readonly: true });
  try {
    return database.prepare<[], Row>(sql).all();
  } finally {
    database.close();
  }
}

function overwrite(page: number, bytes: Buffer): void {
  const file = openSync(files.path, 'r+');
  writeSync(file, bytes, 0, bytes.length, (page - 1) * pageBytes);
  closeSync(file);
}

function rootOf(name: string): number {
  const [row] = ask<{ rootpage: number }>(`SELECT rootpage FROM sqlite_schema WHERE name = '${name}'`);
  return row?.rootpage ?? 0;
}

const all = `SELECT s.name AS session, m.seq, t.text FROM messages m
  JOIN sessions s ON s.number = m.session JOIN message_texts t ON t.message = m.number ORDER BY m.number`;

describe.each([
  ['noise', () => randomBytes(pageBytes)],
  ['zeros', () => Buffer.alloc(pageBytes)],
])('a recovery of a database with %s for', (_what, bytes) => {
  test.each(['messages', 'message_texts', 'sessions'])(
    'the root page of %s saves each message',
    async (table) => {
      const before = ask(all);
      expect(before.length).toBe(count);
      overwrite(rootOf(table), bytes());
      const { messages, missing, lost } = await recoverStore(files.path, 'now');
      expect({ messages, missing }).toEqual({ messages: count, missing: 0 });
      expect(ask(all)).toEqual(before);
      const ofSessions = lost.filter((line) => line.startsWith('all but the name of the session'));
      expect(ofSessions.length).toBe(table === 'sessions' ? 3 : 0);
    },
  );

  test('the sessions and their index gives each a name of its own', async () => {
    overwrite(rootOf('sessions'), bytes());
    overwrite(rootOf('sessions_by_name'), bytes());
    const { messages, lost } = await recoverStore(files.path, 'now');
    expect(messages).toBe(count);
    expect(ask('SELECT DISTINCT name FROM sessions ORDER BY name')).toEqual([
      { name: 'recovered-1' },
      { name: 'recovered-2' },
      { name: 'recovered-3' },
    ]);
    expect(lost).toContain('the name and all else of a session, which is "recovered-1" now');
  });
});

test('where both are lost with the roots, what is on their other leaves is saved', async () => {
  overwrite(rootOf('message_texts'), Buffer.alloc(pageBytes));
  overwrite(rootOf('messages'), Buffer.alloc(pageBytes));
  const { messages } = await recoverStore(files.path, 'now');
  expect(messages).toBe(count);
});

test('a recovery keeps the runs', async () => {
  const database = new Database(files.path);
  database.exec(
    `INSERT INTO runs (id, record) VALUES (x'${'0a'.repeat(16)}', '{"id":"1"}'), (x'${'0b'.repeat(16)}', '{"id":"2"}')`,
  );
  database.close();
  overwrite(rootOf('heads'), Buffer.alloc(pageBytes));
  await recoverStore(files.path, 'now');
  expect(ask('SELECT record FROM runs ORDER BY number')).toEqual([
    { record: '{"id":"1"}' },
    { record: '{"id":"2"}' },
  ]);
});
