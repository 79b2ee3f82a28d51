import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { formatArchive, parseArchive } from '../../../../src/store/archive.js';
import type { Attachment } from '../../../../src/store/messages.js';
import {
  backUpStore,
  exportStore,
  importToStore,
  recoverStore,
} from '../../../../src/store/sqlite/tools/maintenance.js';
import Database from '../../../support/sqlite.mjs';
import { putFile, readFile } from '../../contract/attachments-contract.js';
import { acceptOne, clock } from '../../samples.js';
import { SqliteFactory } from '../sqlite-factory.js';

let files: SqliteFactory;
beforeEach(() => {
  files = new SqliteFactory();
});
afterEach(() => files.remove());

const content = randomBytes(600_000);

/** A database with a message that has a file, and another file that belongs to nothing. */
async function withFiles(): Promise<{ readonly taken: Attachment; readonly free: Attachment }> {
  const store = await files.open();
  const taken = await putFile(store, 'taken', content);
  const free = await putFile(store, 'free', Buffer.from('free'));
  await acceptOne(store, 'a', { attachments: [taken] });
  await store.close();
  return { taken, free };
}

async function* each<Item>(items: Iterable<Item>): AsyncGenerator<Item> {
  yield* items;
}

test('a copy, an export and a recovery have the files of messages', async () => {
  const { taken, free } = await withFiles();
  const path = (name: string) => `${files.directory}/${name}.db`;
  await backUpStore(files.path, path('copy'));
  let lines: string[] = [];
  await exportStore(files.path, async (items) => {
    lines = [...formatArchive(items, 0)].map((line) => line.trimEnd());
  });
  await importToStore(path('imported'), parseArchive(each(lines)));
  const { lost } = await recoverStore(files.path, 'now');
  expect(lost).toEqual([]);
  for (const copy of [path('copy'), path('imported'), files.path]) {
    const store = await files.open({ path: copy });
    expect((await readFile(store, taken))?.equals(content), copy).toBe(true);
    expect(await store.openBlob(free.id)).toEqual(copy === path('copy') ? expect.anything() : null);
  }
});

test('an import takes no file twice, or without its message, or without an end', async () => {
  await withFiles();
  let lines: string[] = [];
  await exportStore(files.path, async (items) => {
    lines = [...formatArchive(items, 0)].map((line) => line.trimEnd());
  });
  const isBlob = (line: string) => JSON.parse(line).type === 'blob';
  const load = (changed: readonly string[]) => {
    const other = `${files.directory}/other.db`;
    for (const suffix of ['', '-wal', '-shm', '-seal']) rmSync(other + suffix, { force: true });
    return importToStore(other, parseArchive(each(changed)));
  };
  const at = lines.findIndex(isBlob);
  const moved = lines.toSpliced(at, 1).toSpliced(at - 1, 0, lines[at] ?? '');
  await expect(load(moved)).rejects.toThrow(/comes before its message/);
  await expect(load(lines.toSpliced(at, 0, lines[at] ?? ''))).rejects.toThrow(/is in the store already/);
  await expect(load(lines.toSpliced(at + 2, 1))).rejects.toThrow(
    /3 pieces of files were exported, 2 are there/,
  );
  await expect(load(lines)).resolves.toMatchObject({ messages: 1 });
});

test('an import makes the name of a file plain, as a file is written under it', async () => {
  await withFiles();
  let lines: string[] = [];
  await exportStore(files.path, async (items) => {
    lines = [...formatArchive(items, 0)].map((line) => line.trimEnd());
  });
  const edited = lines.map((line) =>
    line
      .replace('"name":"taken"', '"name":"../../../tmp/planted"')
      .replace(/"media_type":"[^"]*"/, '"media_type":"a b"'),
  );
  const other = `${files.directory}/edited.db`;
  await importToStore(other, parseArchive(each(edited)));
  const store = await files.open({ path: other });
  const page = await store.sessionMessages('a', { limit: 10, after: null });
  expect(page?.items[0]?.attachments).toMatchObject([
    { name: 'planted', mediaType: 'application/octet-stream' },
  ]);
});

test('an export and a recovery have a message whose agent told no counts of tokens, without them', async () => {
  const store = await files.open();
  await acceptOne(store, 'a');
  const [turn] = await store.claimTurns({ owner: 'test', limit: 1, leaseMs: 60_000 });
  if (turn === undefined) throw new Error('No message waits.');
  await store.completeTurn(turn, { text: 'r', metadata: {}, usage: { inputTokens: 1.5, outputTokens: 2 } });
  await files.close();
  let lines: string[] = [];
  await exportStore(files.path, async (items) => {
    lines = [...formatArchive(items, 0)].map((line) => line.trimEnd());
  });
  await expect(
    importToStore(`${files.directory}/imported.db`, parseArchive(each(lines))),
  ).resolves.toMatchObject({ messages: 1 });
  expect((await recoverStore(files.path, 'now')).lost).toEqual([]);
});

test('a recovery says which file it could not read whole', async () => {
  const { taken } = await withFiles();
  const database = new Database(files.path);
  database.prepare('DELETE FROM blob_chunks WHERE position = 2').run();
  database.close();
  const { lost } = await recoverStore(files.path, 'now');
  expect(lost).toEqual([expect.stringMatching(/^the file "taken" of the message .*, or a part of it$/)]);
  expect((await readFile(await files.open(), taken))?.length).toBe(2 * 262_144);
});

test('a file that belongs to nothing for a day is forgotten, and one of a message with its message', async () => {
  const { taken, free } = await withFiles();
  clock.now = Date.now();
  const store = await files.open({ keep: 1, housekeepingInterval: 20 });
  // It was made at the clock's beginning, long ago.
  await vi.waitFor(async () => expect(await store.openBlob(free.id)).toBeNull(), { timeout: 5_000 });
  expect((await readFile(store, taken))?.equals(content)).toBe(true);
  await store.cancelSession('a');
  await vi.waitFor(async () => expect(await store.openBlob(taken.id)).toBeNull(), { timeout: 5_000 });
  await store.close();
  const database = new Database(files.path);
  expect(database.prepare('SELECT count(*) FROM blob_chunks').pluck().get()).toBe(0);
  database.close();
});
