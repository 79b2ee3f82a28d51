import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import {
  isLogFull,
  type LogRoom,
  logFullError,
  logState,
} from '../../../../src/store/sqlite/file/log-room.js';
import { sqlitePath } from '../../../support/sqlite.mjs';
import { acceptOne } from '../../samples.js';
import { SqliteFactory } from '../sqlite-factory.js';

const mib = 1024 ** 2;

test.each<[string, Partial<LogRoom>, boolean]>([
  ['with room', {}, false],
  ['with as much room as it needs and the reserve', { growthBytes: 40 * mib, freeBytes: 48 * mib }, false],
  ['with a byte less', { growthBytes: 40 * mib, freeBytes: 48 * mib - 1 }, true],
  [
    'of pages that the database has already, on a nearly full disk',
    { growthBytes: 0, freeBytes: 8 * mib },
    false,
  ],
  ['on a file system that doesn’t tell its room', { freeBytes: null }, false],
  ['at its bound', { logBytes: 1024 * mib, freeBytes: null }, true],
])('a log %s', (_what, room, expected) => {
  expect(isLogFull({ logBytes: 50 * mib, growthBytes: 40 * mib, freeBytes: 100 * mib, ...room })).toBe(
    expected,
  );
});

test('the process that reads the database is named', async () => {
  const files = new SqliteFactory();
  onTestFinished(() => files.remove());
  await acceptOne(await files.open(), 'a');
  expect(logState(files.path).readers).toEqual([]);
  const script = `
    const Database = require(${JSON.stringify(sqlitePath)});
    const database = new Database(${JSON.stringify(files.path)}, { readonly: true });
    database.exec('BEGIN');
    database.prepare('SELECT count(*) FROM messages').get();
    process.stdout.write('reads');
    process.stdin.resume();`;
  const reader = spawn(process.execPath, ['--eval', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(reader.stdout, 'data');
  const { readers, sizeBytes, isLong } = logState(files.path);
  expect(isLong).toBe(false);
  expect(readers).toEqual([{ pid: reader.pid, command: expect.stringMatching(/^node/) }]);
  expect(sizeBytes).toBeGreaterThan(4_096);
  const { reason, message } = logFullError(files.path, sizeBytes);
  expect(reason).toBe('full');
  expect(message).toMatch(
    new RegExp(`gateway\\.db-wal has 1 MiB.* because of node\\S* \\(PID ${reader.pid}\\): end that`),
  );
  reader.stdin.end();
  await once(reader, 'close');
  expect(logState(files.path).readers).toEqual([]);
});
