import { execSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SqliteStore } from '../../../../src/store/sqlite/sqlite-store.js';
import { acceptOne, at, claimOne } from '../../samples.js';
import { SqliteFactory } from '../sqlite-factory.js';

let files: SqliteFactory;
let told: string[];
beforeEach(() => {
  files = new SqliteFactory();
  told = [];
});
afterEach(() => files.remove());

const refused = { reason: 'unavailable', errno: 'ENOENT' };
const reply = { text: 'r', metadata: {} };

function open(): Promise<SqliteStore> {
  return files.open({
    events: { refusing: ({ message }) => told.push(message), accepting: () => told.push('accepting') },
  });
}

/** The files of the database, as a careless `rm gateway.db*` takes them. */
function ownFiles(): readonly string[] {
  return readdirSync(files.directory).filter((name) => name.startsWith('gateway.db'));
}

test('a database that was removed takes nothing new, and can be brought back as the advice says', async () => {
  const store = await open();
  const { id } = await acceptOne(store, 'a', { text: 'kept' });
  const turn = await claimOne(store);
  for (const name of ownFiles()) rmSync(join(files.directory, name));

  await expect(acceptOne(store, 'b')).rejects.toMatchObject(refused);
  // What was accepted goes on.
  expect(await at(2_000, store).completeTurn(turn, reply)).toBe(true);
  expect(told).toEqual([expect.stringContaining(`The database ${files.path} was removed.`)]);

  const way = /\(([^)]*)\)/.exec(told[0] ?? '')?.[1] ?? 'false';
  execSync(way);
  await expect(acceptOne(store, 'b')).rejects.toMatchObject(refused);
  await store.close();
  const { store: next, report } = await files.openWithReport();
  expect(report).toMatchObject({ created: false, checkedWhole: true });
  expect(await next.message(id)).toMatchObject({ state: 'replied', text: 'kept' });
  await acceptOne(next, 'b');
});

test('tells of a removed database where nobody posts', async () => {
  const store = await open();
  rmSync(files.path);
  await expect(store.probe()).rejects.toMatchObject(refused);
  expect(told).toHaveLength(1);
  // Nothing that the next start would take for the whole is left.
  await store.close();
  await expect(open()).rejects.toMatchObject({ reason: 'corrupt' });
});

test('a database that was moved away is told of with its new name, and taken on once it is back', async () => {
  const store = await open();
  const elsewhere = join(files.directory, 'elsewhere');
  mkdirSync(elsewhere);
  const names = ownFiles();
  for (const name of names) renameSync(join(files.directory, name), join(elsewhere, name));
  await expect(acceptOne(store, 'a')).rejects.toMatchObject(refused);
  expect(told).toEqual([expect.stringContaining(`was moved to ${elsewhere}/gateway.db: move it back`)]);
  for (const name of names) renameSync(join(elsewhere, name), join(files.directory, name));
  // It asks each second by itself.
  await expect.poll(() => told.at(-1), { timeout: 10_000 }).toBe('accepting');
  await acceptOne(store, 'a');
});

test('leaves another file in the place of the database as it is', async () => {
  const store = await open();
  renameSync(files.path, `${files.path}-before`);
  writeFileSync(files.path, 'another one');
  await expect(acceptOne(store, 'a')).rejects.toMatchObject(refused);
  expect(told[0]).toContain(`${files.path}-before, and another file lies in its place.`);
  await store.close();
  expect(readFileSync(files.path, 'utf8')).toBe('another one');
});

test('a write-ahead log that was removed takes nothing new, and a restart saves what it has', async () => {
  const store = await open();
  const { id } = await acceptOne(store, 'a');
  rmSync(`${files.path}-wal`);
  await expect(acceptOne(store, 'a')).rejects.toMatchObject(refused);
  expect(told).toEqual([
    expect.stringContaining(`${files.path}-wal was removed or moved: restart the gateway`),
  ]);
  await store.close();
  expect(existsSync(`${files.path}-wal`)).toBe(false);
  expect(await (await open()).message(id)).toMatchObject({ id });
});
