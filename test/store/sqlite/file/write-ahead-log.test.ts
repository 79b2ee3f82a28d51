import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LogMarker, readSeal, seal } from '../../../../src/store/sqlite/file/seal.js';
import { checkLog, logOf, markOf } from '../../../../src/store/sqlite/file/write-ahead-log.js';
import { recoverStore } from '../../../../src/store/sqlite/tools/maintenance.js';
import { propertyRuns } from '../../../support/properties.js';
import Database from '../../../support/sqlite.mjs';
import { acceptOne } from '../../samples.js';
import { SqliteFactory } from '../sqlite-factory.js';

const messages = 12;
/** A frame is a page with a header of 24 bytes; the log has one of 32. */
const frameBytes = 4_096 + 24;
const frameAt = (index: number) => 32 + index * frameBytes;

let files: SqliteFactory;
let log: string;
beforeEach(async () => {
  files = new SqliteFactory();
  log = `${files.path}-wal`;
  await killAfter(messages);
});
afterEach(() => files.remove());

/** Another process accepts so many messages, and is killed as it does nothing. */
async function killAfter(count: number): Promise<void> {
  const program = fileURLToPath(new URL('../thread/accepting-process.mjs', import.meta.url));
  const built = new URL('../../../../dist/store/sqlite/sqlite-store.js', import.meta.url).href;
  const child = spawn(process.execPath, [program, built, files.path, 'killed', String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit');
  let told = 0;
  for await (const _accepted of createInterface(child.stdout)) if (++told === count) break;
  child.kill('SIGKILL');
  await exit;
}

function change(at: number, how: (byte: number) => number): void {
  const bytes = readFileSync(log);
  bytes[at] = how(bytes[at] ?? 0);
  writeFileSync(log, bytes);
}

const removeLog = () => {
  rmSync(log);
  rmSync(`${files.path}-shm`, { force: true });
};

const damages: Readonly<Record<string, () => void>> = {
  'the log and its index are removed': removeLog,
  'the log is empty': () => truncateSync(log, 0),
  'a bit of its header is flipped': () => change(17, (byte) => byte ^ 4),
  'a bit of its first page is flipped': () => change(frameAt(0) + 24 + 3_000, (byte) => byte ^ 1),
  'a bit of its first checksum is flipped': () => change(frameAt(0) + 16, (byte) => byte ^ 1),
  'its last page is cut off': () => truncateSync(log, statSync(log).size - frameBytes),
  'it is another database’s': () => {
    const other = new SqliteFactory();
    const database = new Database(other.path);
    database.exec('PRAGMA journal_mode = WAL; CREATE TABLE other (text)');
    copyFileSync(`${other.path}-wal`, log);
    database.close();
  },
};

describe('a log that lost what was answered is refused and left as it is:', () => {
  test.each(Object.keys(damages))('%s', async (name) => {
    damages[name]?.();
    const [database, before] = [readFileSync(files.path), read(log)];
    const started = files.open();
    await expect(started).rejects.toMatchObject({ reason: 'corrupt' });
    await expect(started).rejects.toThrow(/gateway\.db-wal .*store recover|store recover.*gateway\.db-wal/);
    expect(readFileSync(files.path).equals(database)).toBe(true);
    // Compared in one go: toEqual takes seconds for so many bytes.
    expect(read(log)).toBe(before);
  });

  function read(path: string): string | null {
    return statSync(path, { throwIfNoEntry: false }) === undefined ? null : readFileSync(path, 'latin1');
  }

  test('one that was copied and begun anew, as by its mark', async () => {
    const salts = () => readFileSync(log).toString('hex', 16, 24);
    const before = salts();
    await killAfter(300);
    expect(salts()).not.toBe(before);
    damages['a bit of its first page is flipped']?.();
    await expect(files.open()).rejects.toMatchObject({ reason: 'corrupt' });
  });

  test('any bit of what was synced', async () => {
    const sound = readFileSync(log);
    await fc.assert(
      fc.asyncProperty(fc.nat(sound.length * 8 - 1), async (bit) => {
        const byte = bit >> 3;
        // The header's number of checkpoints says nothing, but it has part in the checksum.
        const bytes = Buffer.from(sound);
        bytes[byte] = (bytes[byte] ?? 0) ^ (1 << (bit & 7));
        writeFileSync(log, bytes);
        await expect(files.open()).rejects.toMatchObject({ reason: 'corrupt' });
      }),
      { numRuns: propertyRuns(8) },
    );
    writeFileSync(log, sound);
    expect(await (await files.open()).counts()).toMatchObject({ queued: messages });
  });
});

describe('a damaged log that the database has whole is no loss', () => {
  let sound: Buffer;
  let database: Buffer;
  beforeEach(() => {
    const connection = new Database(files.path);
    connection.pragma('wal_checkpoint(PASSIVE)');
    sound = readFileSync(log);
    const mark = markOf(files.path, logOf(connection));
    expect(mark).toMatchObject({ isCopied: true });
    connection.close();
    database = readFileSync(files.path);
    // As it lies there after a kill at this time: the close has removed the log.
    leaveFiles = (bytes) => {
      for (const suffix of ['-wal', '-shm']) rmSync(files.path + suffix, { force: true });
      writeFileSync(files.path, database);
      writeFileSync(log, bytes);
      seal(files.path, 'open', mark);
    };
  });
  let leaveFiles: (bytes: Buffer) => void;

  /** All messages are there, and no page is an older one. */
  async function expectAll(): Promise<void> {
    const warnings: string[] = [];
    const { store, report } = await files.openWithReport({
      events: { warning: ({ message }) => warnings.push(message) },
    });
    expect(await store.counts()).toMatchObject({ queued: messages });
    expect(warnings).toEqual(report.checkedWhole ? [expect.stringContaining('-wal was damaged')] : []);
    await files.close();
    const connection = new Database(files.path);
    expect(connection.pragma('integrity_check', { simple: true })).toBe('ok');
    connection.close();
  }

  test('though any bit of it is flipped', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(sound.length * 8 - 1), async (bit) => {
        const bytes = Buffer.from(sound);
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        leaveFiles(bytes);
        await expectAll();
      }),
      { numRuns: propertyRuns(8) },
    );
  });

  test.each([0, 1, 25, 50, 75, 99])('though it is cut off behind %i % of it', async (percent) => {
    leaveFiles(sound.subarray(0, Math.floor((sound.length * percent) / 100)));
    await expectAll();
  });

  test('and "store recover" has everything', async () => {
    leaveFiles(sound.subarray(0, Math.floor(sound.length / 2)));
    expect(await recoverStore(files.path, 'now')).toMatchObject({ messages, missing: 0, lost: [] });
  });
});

describe('a kill while the log is copied', () => {
  let before: Buffer;
  let database: Buffer;
  let sound: Buffer;
  beforeEach(() => {
    before = readFileSync(files.path);
    sound = readFileSync(log);
    const marker = new LogMarker(files.path);
    marker.beginCopy();
    marker.close();
    const connection = new Database(files.path);
    connection.pragma('wal_checkpoint(PASSIVE)');
    connection.close();
    database = readFileSync(files.path);
  });

  /** So much of the database was written, and the log is as given, if at all. */
  function leaveFiles(writtenBytes: number, bytes: Buffer | null): void {
    for (const suffix of ['-wal', '-shm']) rmSync(files.path + suffix, { force: true });
    writeFileSync(
      files.path,
      Buffer.concat([database.subarray(0, writtenBytes), before.subarray(writtenBytes)]),
    );
    if (bytes !== null) writeFileSync(log, bytes);
  }

  test.each([0.5, 1])('loses nothing: %d of the database was written', async (part) => {
    leaveFiles(Math.floor((database.length * part) / 4_096) * 4_096, sound);
    const { store, report } = await files.openWithReport();
    expect(report).toMatchObject({ checkedWhole: true, closedCleanly: false });
    expect(await store.counts()).toMatchObject({ queued: messages });
  });

  test.each([
    ['is removed', () => null],
    ['is cut off', () => sound.subarray(0, Math.floor(sound.length / 2))],
    ['has another bit', () => sound.map((byte, at) => (at === frameAt(3) + 99 ? byte ^ 8 : byte))],
  ])('leaves a log that is refused if it %s', async (_, bytes) => {
    const left = bytes();
    leaveFiles(database.length, left === null ? null : Buffer.from(left));
    await expect(files.open()).rejects.toMatchObject({ reason: 'corrupt' });
  });
});

describe('no log is refused', () => {
  test('that ends with what nobody was promised', async () => {
    const frames = readFileSync(log);
    // A transaction that was rolled back, or cut off: frames of this run, of which no checksum follows.
    writeFileSync(log, Buffer.concat([frames, frames.subarray(frameAt(3))]));
    expect(await (await files.open()).counts()).toMatchObject({ queued: messages });
  });

  test('that another program has copied into the database', async () => {
    const database = new Database(files.path);
    database.pragma('wal_checkpoint');
    database.close();
    const { store, report } = await files.openWithReport();
    expect(report.checkedWhole).toBe(true);
    expect(await store.counts()).toMatchObject({ queued: messages });
  });

  test('after a restore, as the documents tell it', async () => {
    const backup = `${files.directory}/backup`;
    const store = await files.open();
    await store.close();
    copyFileSync(files.path, backup);
    await killAfter(1);
    copyFileSync(backup, files.path);
    removeLog();
    expect(await (await files.open()).counts()).toMatchObject({ queued: messages });
  });

  test('after kills and stops in turn', async () => {
    for (let run = 0; run < 3; run += 1) {
      if (run > 0) await files.open();
      await files.close();
      await killAfter(1);
    }
    expect((await (await files.open()).counts()).queued).toBe(messages + 3);
  });
});

test('what a long reader had the log grow by is given back once it has ended', async () => {
  const store = await files.open();
  const write = async (count: number) => {
    for (let written = 0; written < count; written += 1) {
      await acceptOne(store, 'a', { text: 'x'.repeat(400_000) });
    }
  };
  const reader = new Database(files.path, { readonly: true });
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM messages').get();
  await write(50);
  const grown = statSync(log).size;
  expect(grown).toBeGreaterThan(20_000_000);
  reader.close();
  // Nobody has to write anything more: the watchdog's probe is enough.
  await expect
    .poll(() => store.probe().then(() => statSync(log).size), { timeout: 10_000, interval: 100 })
    .toBe(0);
  // A kill now leaves an empty log, which the next start does not miss.
  const { log: mark, isSameBoot } = readSeal(files.path);
  expect(isSameBoot).toBe(true);
  expect(() => checkLog(files.path, mark, isSameBoot)).not.toThrow();
  await write(1);
  expect(statSync(log).size).toBeLessThan(grown / 2);
});

describe('recover', () => {
  test.each([
    ['a bit of its first page is flipped', messages],
    ['a bit of its first checksum is flipped', messages],
    ['a bit of its header is flipped', messages],
  ])('saves what lies behind the damage: %s', async (name, saved) => {
    damages[name]?.();
    const found = await recoverStore(files.path, 'now');
    expect(found).toMatchObject({ messages: saved, missing: 0 });
    expect(await (await files.open()).counts()).toMatchObject({ queued: saved });
  });

  test('makes a new database in the place of one that had no message yet', async () => {
    for (const suffix of ['', '-wal', '-shm', '-seal']) rmSync(files.path + suffix, { force: true });
    const store = await files.open();
    await store.close();
    truncateSync(files.path, statSync(files.path).size - 4_096);
    expect(await recoverStore(files.path, 'now')).toMatchObject({ sessions: 0, messages: 0, missing: 0 });
    expect(await (await files.open()).counts()).toMatchObject({ sessions: 0, queued: 0 });
  });

  test('says that the log is gone', async () => {
    damages['its last page is cut off']?.();
    const { lost, messages: saved } = await recoverStore(files.path, 'now');
    expect(saved).toBe(messages - 1);
    expect(lost[0]).toMatch(/^what \d of the \d+ pages in the write-ahead log/);
  });
});
