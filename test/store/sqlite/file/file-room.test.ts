import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ballastBytes } from '../../../../src/store/sqlite/file/ballast.js';
import { putFile } from '../../contract/attachments-contract.js';
import { acceptOne, clock } from '../../samples.js';
import { SqliteFactory } from '../sqlite-factory.js';

/** The reason why this user can make no file system of its own; null: they can. */
let reason: string | null = null;
let disk: string;
let files: SqliteFactory;

beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'sd-gateway-file-room-'));
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

test('files that the disk has no room for leave it to messages', async ({ skip }) => {
  if (reason !== null) skip(reason);
  // The housekeeping goes by the time of day.
  clock.now = Date.now();
  const warnings: string[] = [];
  const store = await files.open({
    housekeepingInterval: 20,
    events: { warning: ({ message }) => warnings.push(message) },
  });
  const ballast = () => statSync(`${files.path}-ballast`, { throwIfNoEntry: false })?.size;
  await expect.poll(ballast, { timeout: 10_000 }).toBe(ballastBytes);
  const file = await putFile(store, 'small', Buffer.from('a'));

  await expect(store.putBlob([Buffer.alloc(80 * 1024 ** 2)], 100 * 1024 ** 2)).rejects.toMatchObject({
    reason: 'full',
  });
  await acceptOne(store, 'a', { attachments: [file] });
  expect(ballast()).toBe(ballastBytes);
  expect(warnings).toEqual([]);
});
