import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { takeOpenClaw } from '../../../src/cli/import/openclaw.js';
import { SourceDirectory } from '../../../src/cli/import/source-directory.js';
import Database from '../../support/sqlite.mjs';
import { directoryWith, tokens } from './tree.js';

/** As OpenClaw makes it (src/state/openclaw-state-schema.sql). */
const schema = `CREATE TABLE channel_pairing_allow_entries (
  channel_key TEXT NOT NULL,
  account_id TEXT NOT NULL,
  entry TEXT NOT NULL,
  sort_order INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (channel_key, account_id, entry)
) STRICT`;

const people = [
  ['telegram', 'default', '99', 1],
  ['telegram', 'default', '98', 0],
  ['telegram', 'default', '*', 2],
  ['telegram', 'alerts', '7', 0],
  ['discord', 'default', '284102345871466497', 0],
] as const;

/** A directory whose gateway was killed, so that the log has all of its people. */
function directory(
  statements: readonly string[] = [schema],
  others: Readonly<Record<string, string>> = {},
): string {
  const accounts = { default: {}, Alerts: { botToken: tokens.other } };
  const telegram = { botToken: tokens.telegram, groupPolicy: 'open', accounts };
  const path = directoryWith({ 'openclaw.json': JSON.stringify({ channels: { telegram } }), ...others });
  mkdirSync(join(path, 'state'));
  const made = directoryWith({});
  const database = new Database(join(made, 'made'));
  database.pragma('journal_mode = WAL');
  for (const statement of statements) database.exec(statement);
  if (statements.includes(schema)) {
    const insert = database.prepare('INSERT INTO channel_pairing_allow_entries VALUES (?, ?, ?, ?, 0)');
    for (const row of people) insert.run(...row);
  }
  copyFileSync(join(made, 'made'), join(path, 'state/openclaw.sqlite'));
  copyFileSync(join(made, 'made-wal'), join(path, 'state/openclaw.sqlite-wal'));
  database.close();
  return path;
}

function taken(path: string) {
  const { channels, left } = takeOpenClaw(new SourceDirectory(path, path));
  return {
    people: channels.map(({ name, values }) => [name, values['allow']]),
    left: Object.fromEntries(left.map(({ key, reason }) => [key, reason])),
  };
}

it('takes the people who were paired from the database of newer versions, and leaves nothing beside it', () => {
  const path = directory();
  const before = readdirSync(join(path, 'state')).map((name) =>
    readFileSync(join(path, 'state', name), 'hex'),
  );
  expect(taken(path)).toEqual({
    people: [
      ['telegram', ['98', '99']],
      ['telegram-alerts', ['7']],
    ],
    left: {},
  });
  const after = readdirSync(join(path, 'state')).map((name) =>
    readFileSync(join(path, 'state', name), 'hex'),
  );
  expect(after).toEqual(before);
});

it('takes nobody from a file of an older version beside it', () => {
  const name = 'credentials/telegram-default-allowFrom.json';
  const { people: found, left } = taken(directory([schema], { [name]: '{"allowFrom": ["1"]}' }));
  expect(found[0]).toEqual(['telegram', ['98', '99']]);
  expect(left[name]).toContain('state/openclaw.sqlite has those who were paired');
});

it('reads the files if the database is of a version that has no such people', () => {
  const name = 'credentials/telegram-default-allowFrom.json';
  const path = directory(['CREATE TABLE t (x)'], { [name]: '{"allowFrom": ["1"]}' });
  expect(taken(path)).toMatchObject({
    people: [
      ['telegram', ['1']],
      ['telegram-alerts', undefined],
    ],
    left: {},
  });
});

const name = 'state/openclaw.sqlite';

it.each<[what: string, spoil: (path: string) => void, reason: string]>([
  ['a view', () => undefined, ''],
  ['no database', (path) => writeFileSync(path, 'x'.repeat(5_000)), 'not a database'],
  [
    'a damaged one',
    (path) => {
      const database = new Database(path);
      database.pragma('wal_checkpoint(TRUNCATE)');
      database.close();
      const content = readFileSync(path);
      writeFileSync(path, content.fill('x', 4_096));
    },
    'malformed',
  ],
  [
    'a link',
    (path) => {
      renameSync(path, `${path}-1`);
      symlinkSync(`${path}-1`, path);
    },
    'is a symbolic link',
  ],
  [
    'a database with a link for its log',
    (path) => {
      renameSync(`${path}-wal`, `${path}-1`);
      symlinkSync(`${path}-1`, `${path}-wal`);
    },
    'sqlite-wal is a symbolic link',
  ],
  ['a huge one', (path) => truncateSync(path, 2 ** 40), 'is larger than 268435456 bytes'],
  [
    'one in the middle of a change',
    (path) => appendFileSync(`${path}-journal`, 'x'),
    'was left in the middle of a change',
  ],
])('takes nobody who was paired from %s', (what, spoil, reason) => {
  const view = `CREATE VIEW channel_pairing_allow_entries AS
    SELECT 'telegram' AS channel_key, 'default' AS account_id, '1' AS entry, 0 AS sort_order`;
  const path = directory([what === 'a view' ? view : schema]);
  spoil(join(path, name));
  const { people: found, left } = taken(path);
  expect(found[0]).toEqual(['telegram', undefined]);
  expect(left[name] ?? '').toContain(reason);
});

it('takes nobody from a database with more people than anybody pairs', () => {
  const many = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
    INSERT INTO channel_pairing_allow_entries SELECT 'slack', 'default', 'U' || i, i, 0 FROM n`;
  const { people: found, left } = taken(directory([schema, many]));
  expect(found[0]).toEqual(['telegram', undefined]);
  expect(left[name]).toContain('more than 10000 paired people');
});
