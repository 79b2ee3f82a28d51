import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ballastBytes } from '../../../../src/store/sqlite/file/ballast.js';
import { acceptOne, at, claimOne } from '../../samples.js';
import { SqliteFactory } from '../sqlite-factory.js';

/** The reason why this user can make no file system of its own; null: they can. */
let reason: string | null = null;
let disk: string;
let files: SqliteFactory;

beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'sd-gateway-ballast-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=80m,mode=0700', 'tmpfs', disk], { stdio: 'pipe' });
  } catch (error) {
    reason = `mount(8) of a tmpfs failed, root is needed: ${error instanceof Error ? error.message : error}`;
  }
  files = new SqliteFactory(disk);
});

afterEach(async () => {
  await files.remove();
  if (reason === null) execFileSync('umount', [disk]);
  rmSync(disk, { recursive: true });
});

const soon = { housekeepingInterval: 20 };
const reply = { text: 'r', metadata: {} };
const full = { reason: 'full' };

function sizeOfBallast(): number | undefined {
  return statSync(`${files.path}-ballast`, { throwIfNoEntry: false })?.size;
}

/** Resolves once a round of the housekeeping has made it. */
function isHeld(): Promise<void> {
  return expect.poll(sizeOfBallast, { timeout: 10_000 }).toBe(ballastBytes);
}

/** Another program takes the rest of the disk, to the last byte; gives its file. */
function fillDisk(): string {
  const file = `${disk}/other`;
  writeFileSync(file, '');
  for (const size of [1024 ** 2, 4096, 1]) {
    try {
      for (;;) appendFileSync(file, Buffer.alloc(size));
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
  }
  return file;
}

test('on a full disk what was accepted comes to its end, and new work waits until there is room', async ({
  skip,
}) => {
  if (reason !== null) skip(reason);
  const told: string[] = [];
  const store = await files.open({
    ...soon,
    events: { refusing: ({ message }) => told.push(message), accepting: () => told.push('accepting') },
  });
  await isHeld();
  for (const session of ['a', 'b']) await acceptOne(store, session, { text: 'x'.repeat(100_000) });
  const turn = await claimOne(store);
  const other = fillDisk();

  // New work alone has no claim to it.
  await expect(acceptOne(store, 'c', { text: 'x'.repeat(100_000) })).rejects.toMatchObject(full);
  expect(sizeOfBallast()).toBe(ballastBytes);
  const [refused, ended] = await Promise.allSettled([
    acceptOne(store, 'c', { text: 'x'.repeat(100_000) }),
    at(3_000, store).completeTurn(turn, { ...reply, text: 'y'.repeat(500_000) }),
  ]);
  expect(refused).toMatchObject({ status: 'rejected', reason: full });
  expect(ended).toEqual({ status: 'fulfilled', value: true });
  expect(sizeOfBallast()).toBe(0);
  expect(told).toEqual([expect.stringMatching(/^There is no room for the database/)]);
  // Its room is for the turns alone.
  await expect(acceptOne(store, 'c')).rejects.toMatchObject(full);
  await expect(store.tryWrite()).rejects.toMatchObject(full);
  expect(await at(3_000, store).completeTurn(await claimOne(store), reply)).toBe(true);

  rmSync(other);
  // It asks each second by itself.
  await expect.poll(() => told.at(-1), { timeout: 10_000 }).toBe('accepting');
  await acceptOne(store, 'c');
  await isHeld();
});

test('a start on a full disk finds everything, and takes nothing new', async ({ skip }) => {
  if (reason !== null) skip(reason);
  const store = await files.open(soon);
  await isHeld();
  await acceptOne(store, 'a');
  await store.close();
  const other = fillDisk();
  for (const said of [/^The disk of .* is full\. The 8 MiB that were kept/, /^There is no room/]) {
    const told: string[] = [];
    const again = await files.open({ events: { refusing: ({ message }) => told.push(message) } });
    await expect.poll(() => told).toEqual([expect.stringMatching(said)]);
    await expect(acceptOne(again, 'b')).rejects.toMatchObject(full);
    expect(await again.counts()).toMatchObject({ queued: 1 });
    await again.close();
  }
  rmSync(other);
  await acceptOne(await files.open(), 'b');
  // Long before the first round of the housekeeping.
  await isHeld();
});
