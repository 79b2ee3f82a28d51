import { execFile } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  createReadStream,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ArchivedMessage, type ArchiveItem, parseArchive } from '../../../../src/store/archive.js';
import { webhookTarget } from '../../../../src/store/messages.js';
import { migrations, schemaVersion } from '../../../../src/store/sqlite/file/schema.js';
import type { SqliteStore } from '../../../../src/store/sqlite/sqlite-store.js';
import {
  backUpStore,
  checkStore,
  exportStore,
  importToStore,
  recoverStore,
} from '../../../../src/store/sqlite/tools/maintenance.js';
import { linesOf } from '../../../../src/text/lines.js';
import { propertyRuns, propertyTimeoutMs } from '../../../support/properties.js';
import Database from '../../../support/sqlite.mjs';
import { acceptOne, answerOne, at, claimDeliveries, claimOne, claimTurns, failure } from '../../samples.js';
import { SqliteFactory } from '../sqlite-factory.js';

let files: SqliteFactory;
beforeEach(() => {
  files = new SqliteFactory();
});
afterEach(() => files.remove());

async function exported(path = files.path): Promise<ArchiveItem[]> {
  const items: ArchiveItem[] = [];
  await exportStore(path, async (all) => {
    items.push(...all);
  });
  return items;
}

const messagesOf = (items: readonly ArchiveItem[]): readonly ArchivedMessage[] =>
  items.filter((item) => item.type === 'message');

/** Starts on two databases, and expects that nobody could tell them apart but by the order of what waits. */
async function expectTheSame(path: string, other: string): Promise<void> {
  const [first, second] = [await files.openWithReport({ path }), await files.openWithReport({ path: other })];
  expect(second.recovery).toEqual(first.recovery);
  expect(await second.store.counts()).toEqual(await first.store.counts());
  const turns = async ({ store }: typeof first) => {
    const claimed = await claimTurns(store, { now: 99_000 });
    return claimed.map(({ session, seq, attempt }) => [session, seq, attempt]).sort();
  };
  expect(await turns(second)).toEqual(await turns(first));
  const deliveries = async ({ store }: typeof first) => {
    const claimed = await claimDeliveries(store, { now: 99_000 });
    return claimed
      .map(({ webhookId, attempt, notice, unknownPolicy }) => [webhookId, attempt, notice, unknownPolicy])
      .sort();
  };
  expect(await deliveries(second)).toEqual(await deliveries(first));
}

/** Migrates the remains of a gateway of that schema version; it is not yet started on them. */
async function migrated(version: number, path: string): Promise<readonly ArchiveItem[]> {
  files.loadFixture(version, path);
  await importToStore(path, []);
  return exported(path);
}

/** The export of that. */
const archiveOf = (version: number) =>
  fileURLToPath(new URL(`../../fixtures/archive-${version}.jsonl`, import.meta.url));

/** There was no export before version 4. */
const exporting = migrations.map(({ version }) => version).filter((version) => version >= 4);

/** Messages in each state and condition. */
async function variety(store: SqliteStore): Promise<void> {
  await answerOne(store, 'delivered');
  const [delivery] = await claimDeliveries(store);
  if (delivery !== undefined) await at(4_000, store).completeDelivery(delivery);
  await acceptOne(store, 'dead', { replyTo: webhookTarget('https://receiver.example/') });
  await at(3_000, store).failTurn(await claimOne(store), 'exit status 3', null);
  const cancelled = await acceptOne(store, 'cancelled', { idempotencyKey: 'k' });
  await at(3_000, store).cancelMessage(cancelled.id);
  await answerOne(store, 'retried');
  const [, failing] = await claimDeliveries(store);
  if (failing !== undefined) await at(4_000, store).failDelivery(failing, failure('HTTP 503', 5_000));
  await acceptOne(store, 'target', {
    replyTo: webhookTarget('https://receiver.example/'),
    replyIdempotent: false,
    replyUnknown: 'drop',
  });
  await at(4_000, store).completeTurn(await claimOne(store), { text: 'done', metadata: {} });
  await at(3_000, store).setPolicy('collects', 'collect');
  for (const sender of ['ada', null, 'bob']) await acceptOne(store, 'collects', { sender });
  const [collected] = await claimTurns(store, { collectLimit: 2 });
  if (collected !== undefined) await at(4_000, store).putBackTurns([{ ...collected, cutOff: true }]);
  await acceptOne(store, 'running', { metadata: { deep: { at: 7 } } });
  await acceptOne(store, 'running', { text: 'grüße 🦀' });
  await claimOne(store);
  await acceptOne(store, 'queued', { idempotencyKey: 'k', fingerprint: new Uint8Array(32).fill(7) });
  const chat = { channel: 'telegram', address: '7', options: { thread: 1 } };
  await acceptOne(store, 'running', { replyTo: chat, channel: 'telegram' });
  await store.putRecord({ kind: 'person', key: 'ada', value: { role: 'owner' } });
  await store.putRecord({ kind: 'person', key: 'bob', value: null, expiresInMs: 60_000 });
}

/** Each column of each table. */
function columnsOf(
  path: string,
): readonly { readonly table: string; readonly column: string; readonly type: string }[] {
  const database = new Database(path, { readonly: true });
  try {
    return database
      .prepare<[], { table: string; column: string; type: string }>(
        `SELECT t.name AS "table", c.name AS "column", c.type FROM sqlite_schema t, pragma_table_info(t.name) c
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'`,
      )
      .all();
  } finally {
    database.close();
  }
}

describe('export and import', () => {
  test('give the same store again, and leave the one that is read as it was', async () => {
    const store = await files.open();
    await variety(store);
    const running = await exported();
    await store.close();
    const before = readFileSync(files.path);
    const items = await exported();
    expect(items).toEqual(running);
    expect(readFileSync(files.path).equals(before)).toBe(true);
    expect(readdirSync(files.directory)).toEqual(['gateway.db', 'gateway.db-seal']);

    const other = `${files.directory}/other.db`;
    expect(await importToStore(other, items)).toEqual({
      sessions: 8,
      messages: messagesOf(items).length,
      records: 2,
    });
    expect(await exported(other)).toEqual(items);
    expect(checkStore(other)).toEqual([]);

    await expectTheSame(files.path, other);
  });

  test.each(exporting)(
    'import takes what schema version %i exported as it would be migrated',
    async (version) => {
      await importToStore(files.path, parseArchive(linesOf(createReadStream(archiveOf(version)))));
      const other = `${files.directory}/other.db`;
      expect(await exported()).toEqual(await migrated(version, other));
      expect(checkStore(files.path)).toEqual([]);
      await expectTheSame(files.path, other);
    },
  );

  test('hand on what a turn was under way at: it is set aside at the next crash', async () => {
    const { id } = await acceptOne(await files.open(), 'a');
    await files.close();
    for (let crash = 1; crash <= 2; crash += 1) {
      await claimOne(await files.open());
      await files.close();
    }
    await (await files.open()).close();
    const items = await exported();
    expect(messagesOf(items)).toMatchObject([{ state: 'queued', attempts: 2, crashes: 2 }]);
    const other = `${files.directory}/other.db`;
    await importToStore(other, items);
    expect(await exported(other)).toEqual(items);
    await claimOne(await files.open({ path: other }));
    await files.close();
    const { store, recovery } = await files.openWithReport({ path: other });
    expect(recovery).toMatchObject({ resumedTurns: 0, deadTurns: 1 });
    expect(await store.message(id)).toMatchObject({ state: 'dead', attempts: 3 });
    expect(messagesOf(await exported(other))).toMatchObject([{ crashes: 3 }]);
  });

  test('export holds nobody up while its items are taken', async () => {
    const store = await files.open();
    const text = 'x'.repeat(100_000);
    for (let count = 0; count < 100; count += 1) await acceptOne(store, 'a', { text });
    const log = new Database(files.path);
    const items: ArchiveItem[] = [];
    await exportStore(files.path, async (all) => {
      for (const item of all) {
        items.push(item);
        if (items.length !== 10) continue;
        // More comes in, and all of the log can be copied into the database.
        await acceptOne(store, 'a', { text });
        await acceptOne(store, 'later');
        const [{ log: frames, checkpointed } = { log: 0, checkpointed: -1 }] = log.pragma(
          'wal_checkpoint(PASSIVE)',
        ) as { readonly log: number; readonly checkpointed: number }[];
        expect(checkpointed).toBe(frames);
      }
    });
    log.close();
    // All that was there when it began, and no more.
    expect(items.map(({ type }) => type)).toEqual([
      'session',
      ...Array.from({ length: 100 }, () => 'message'),
    ]);
    const other = `${files.directory}/other.db`;
    expect(await importToStore(other, items)).toMatchObject({ sessions: 1, messages: 100 });
  });

  /** Columns of which an export has nothing: what an import or a start makes anew. A star is all of a table. */
  const leftOut = [
    // Numbers of rows, and what other rows say as well.
    ...['blob_chunks.number', 'delivery_parts.number', 'deltas.number', 'records.number', 'counters.*'],
    ...['deliveries.session', 'deliveries.seq', 'sessions.unfinished'],
    // The queue, and waits.
    ...['ready', 'retry_at', 'lease_until', 'sender', 'place', 'waits_since', 'epoch'].map(
      (column) => `heads.${column}`,
    ),
    ...['messages.waiting_for', 'blobs.at'],
    // They are of one gateway on one machine.
    ...['leases.*', 'runs.*'],
  ];

  test('export has every column of every table, but those that are made anew', async () => {
    files.loadFixture(schemaVersion);
    const database = new Database(files.path);
    database.exec("INSERT INTO blobs (number, id, message, at) VALUES (1, 'file', 1, 1000)");
    database.exec("INSERT INTO blob_chunks (blob, position, data) VALUES (1, 0, x'64617461')");
    database.pragma('wal_checkpoint(TRUNCATE)');
    database.close();
    const before = JSON.stringify(await exported());
    const copy = `${files.directory}/copy.db`;
    const missing: string[] = [];
    for (const { table, column, type } of columnsOf(files.path)) {
      if (leftOut.includes(`${table}.*`) || leftOut.includes(`${table}.${column}`)) continue;
      copyFileSync(files.path, copy);
      const changed = new Database(copy);
      changed.pragma('ignore_check_constraints = ON');
      changed.pragma('foreign_keys = OFF');
      const values: Readonly<Record<string, string>> = {
        BLOB: `randomblob(coalesce(length(${column}), 16))`,
        TEXT: `coalesce(${column}, hex(randomblob(8))) || 'x'`,
        INTEGER: `coalesce(${column}, 0) + 100000`,
      };
      const value = values[type];
      const { changes } = changed.prepare(`UPDATE ${table} SET ${column} = ${value}`).run();
      changed.close();
      expect({ table, isEmpty: changes === 0 }).toEqual({ table, isEmpty: false });
      const isSeen = await exported(copy).then(
        (items) => JSON.stringify(items) !== before,
        () => true,
      );
      if (!isSeen) missing.push(`${table}.${column}`);
    }
    expect(missing).toEqual([]);
  });

  test('import adds to a store, and takes all or nothing', async () => {
    const store = await files.open();
    await acceptOne(store, 'a');
    await store.close();
    const items = await exported();
    await expect(importToStore(files.path, items)).rejects.toThrow(/is in the store already/);
    const [session, message] = items;
    if (session?.type !== 'session' || message?.type !== 'message') throw new Error('Nothing was exported.');
    const another = { ...message, id: '0193a1b2-c3d4-7e8f-9a0b-1c2d3e4f5a6b' };
    await expect(
      importToStore(files.path, [
        { ...another, seq: 2 },
        { ...another, id: '0193a1b2-c3d4-7e8f-9a0b-1c2d3e4f5a6c' },
      ]),
    ).rejects.toThrow(/the session "a" has another message 1 already/);
    await expect(importToStore(files.path, [{ ...another, session: 'b' }])).rejects.toThrow(
      /of the session "b", which is not there/,
    );
    expect(await exported()).toEqual(items);
    await importToStore(files.path, [
      { ...session, last_seq: 9 },
      { ...another, seq: 2 },
    ]);
    const next = await files.open();
    expect((await acceptOne(next, 'a')).seq).toBe(10);
    expect(await next.counts()).toMatchObject({ queued: 3 });
  });

  describe('import refuses what could never come to an end', () => {
    let items: readonly ArchiveItem[];
    beforeEach(async () => {
      const store = await files.open();
      await answerOne(store, 'replied');
      const { id } = await acceptOne(store, 'dead', { replyTo: webhookTarget('https://receiver.example/') });
      await at(3_000, store).failTurn(await claimOne(store), 'exit status 3', null);
      expect(await store.message(id)).toMatchObject({ state: 'dead' });
      await store.close();
      items = await exported();
    });

    test.each<[session: string, edited: Partial<ArchivedMessage>, reason: string]>([
      ['replied', { state: 'queued' }, 'is queued, and has a reply'],
      ['replied', { state: 'delivered' }, 'is delivered, and the delivery of its reply is pending'],
      ['replied', { reply: null }, 'has a delivery of a reply, and no reply'],
      ['dead', { state: 'running', held: true }, 'is running, and has a delivery'],
      ['dead', { reply: { text: 'r', metadata: {}, at: 1 } }, 'has a reply, and a notice that it is dead'],
    ])('%s, edited: %j', async (session, edited, reason) => {
      const written = items.map((item) =>
        item.type === 'message' && item.session === session ? { ...item, ...edited } : item,
      );
      const other = `${files.directory}/other.db`;
      await expect(importToStore(other, written)).rejects.toThrow(reason);
    });
  });

  test('a session’s numbers go on behind its last message, whatever the archive says', async () => {
    const store = await files.open();
    await acceptOne(store, 'a');
    await store.close();
    const items = (await exported()).map((item) =>
      item.type === 'session' ? { ...item, last_seq: 0 } : item,
    );
    const path = `${files.directory}/other.db`;
    await importToStore(path, items);
    expect((await acceptOne(await files.open({ path }), 'a')).seq).toBe(2);
  });

  describe.runIf(process.getuid?.() === 0)('by root', () => {
    const gateway = 65_534;
    const ownerOf = (path: string) => {
      const { uid, gid } = lstatSync(path);
      return [uid, gid];
    };

    test('leaves all that lies beside a database to the owner of that', async () => {
      await (await files.open()).close();
      chownSync(files.path, gateway, gateway);
      rmSync(`${files.path}-seal`);
      await importToStore(files.path, []);
      for (const name of readdirSync(files.directory)) {
        expect([name, ownerOf(`${files.directory}/${name}`)]).toEqual([name, [gateway, gateway]]);
      }
      expect(existsSync(`${files.path}-seal`)).toBe(true);
    });

    test('leaves a new database to the owner of its directory', async () => {
      chownSync(files.directory, gateway, gateway);
      await importToStore(files.path, []);
      expect(readdirSync(files.directory)).toEqual(['gateway.db', 'gateway.db-seal']);
      expect([ownerOf(files.path), ownerOf(`${files.path}-seal`)]).toEqual([
        [gateway, gateway],
        [gateway, gateway],
      ]);
    });

    test('neither writes nor gives away what a link beside the database leads to', async () => {
      await (await files.open()).close();
      chownSync(files.path, gateway, gateway);
      const elsewhere = `${files.directory}/elsewhere`;
      writeFileSync(elsewhere, 'as it was');
      rmSync(`${files.path}-seal`);
      symlinkSync(elsewhere, `${files.path}-seal`);
      await expect(importToStore(files.path, [])).rejects.toThrow(
        'gateway.db-seal is a symbolic link: remove it.',
      );
      expect(readFileSync(elsewhere, 'utf8')).toBe('as it was');
      expect(ownerOf(elsewhere)).toEqual([0, 0]);
    });
  });
});

describe('a backup', () => {
  test('is made while messages come in, and is whole', async () => {
    const store = await files.open();
    const taken: string[] = [];
    let goesOn = true;
    const posts = (async () => {
      while (goesOn) taken.push((await acceptOne(store, 'a', { text: 'x'.repeat(2_000) })).id);
    })();
    while (taken.length < 50) await new Promise((resolve) => setImmediate(resolve));
    const before = taken.length;
    const target = `${files.directory}/backup.db`;
    await backUpStore(files.path, target);
    goesOn = false;
    await posts;
    expect(statSync(target).mode & 0o777).toBe(0o600);
    expect(checkStore(target)).toEqual([]);
    const ids = messagesOf(await exported(target)).map(({ id }) => id);
    expect(ids.length).toBeGreaterThanOrEqual(before);
    expect(ids).toEqual(taken.slice(0, ids.length));
    await expect(backUpStore(files.path, target)).rejects.toThrow(/is there already/);
    const nowhere = `${files.directory}/no/where.db`;
    await expect(backUpStore(files.path, nowhere)).rejects.toThrow(
      `ENOENT: no such file or directory, open '${nowhere}`,
    );
    // Nobody else sees a part of it meanwhile.
    const second = backUpStore(files.path, `${files.directory}/second.db`);
    expect(statSync(`${files.directory}/second.db.part`).mode & 0o777).toBe(0o600);
    await second;
    expect(readdirSync(files.directory).filter((name) => name.includes('.part'))).toEqual([]);
  });

  test('comes to its end however fast the gateway commits', async () => {
    const store = await files.open();
    const text = 'x'.repeat(5_000);
    await Promise.all(Array.from({ length: 1_000 }, () => acceptOne(store, 'a', { text })));
    await store.close();
    const writer = new Database(files.path);
    const write = writer.prepare('UPDATE sessions SET last_accepted_at = last_accepted_at + 1');
    let commits = 0;
    let next = setImmediate(function commit() {
      write.run();
      commits += 1;
      // Enough for any copy of this size, so that one that begins anew with each ends in the end.
      if (commits < 2_000) next = setImmediate(commit);
    });
    await backUpStore(files.path, `${files.directory}/backup.db`);
    clearImmediate(next);
    writer.close();
    expect(commits).toBeLessThan(2_000);
    expect(messagesOf(await exported(`${files.directory}/backup.db`))).toHaveLength(1_000);
  });
});

describe('a damaged store', () => {
  async function fill(count: number): Promise<readonly ArchiveItem[]> {
    const store = await files.open();
    await Promise.all(
      Array.from({ length: count }, (_, index) =>
        acceptOne(store, `session ${index % 5}`, { text: `${index} ${'x'.repeat(300)}`, acceptedAt: index }),
      ),
    );
    await store.close();
    return exported();
  }

  test('with messages in each state is recovered with all of them', async () => {
    const store = await files.open();
    await variety(store);
    await store.close();
    const items = await exported();
    const { lost, missing } = await recoverStore(files.path, 'now');
    expect({ lost, missing }).toEqual({ lost: [], missing: 0 });
    expect(await exported()).toEqual(items);
  });

  test('that has lost the message whose turn another is part of runs that by itself', async () => {
    const store = await files.open();
    const [first, second] = [await acceptOne(store, 'a'), await acceptOne(store, 'a')];
    await claimTurns(store, { policy: 'collect', collectLimit: 9 });
    await store.close();
    const database = new Database(files.path);
    database.pragma('foreign_keys = OFF');
    database.prepare('DELETE FROM message_texts WHERE message = 2').run();
    database.close();
    const { lost } = await recoverStore(files.path, 'now');
    expect(lost).toEqual([expect.stringContaining(second.id)]);
    const next = await files.open();
    expect(await claimOne(next)).toMatchObject({ messageId: first.id, collected: [] });
  });

  test('that is sound in truth is recovered whole', async () => {
    const items = await fill(50);
    const { lost, missing, aside, messages } = await recoverStore(files.path, 'now');
    expect({ lost, missing, messages }).toEqual({ lost: [], missing: 0, messages: 50 });
    expect(aside).toBe(`${files.path}.damaged-now`);
    expect(existsSync(aside)).toBe(true);
    expect(await exported()).toEqual(items);
    expect((await files.openWithReport()).report.created).toBe(false);
  });

  test('whose recovery was cut off before its log was moved has all of it by what the next start says', async () => {
    await fill(1_000);
    const store = await files.open();
    await at(1_000, store).cancelSession('session 1');
    // As a crash leaves it.
    for (const suffix of ['', '-wal']) copyFileSync(files.path + suffix, `${files.path}${suffix}.left`);
    await store.close();
    for (const suffix of ['', '-wal']) renameSync(`${files.path}${suffix}.left`, files.path + suffix);
    const items = await exported();
    const { aside } = await recoverStore(files.path, 'now');
    renameSync(files.path, `${files.path}-recovered`);
    renameSync(`${aside}-wal`, `${files.path}-wal`);

    const advice = await files.open().then(
      () => '',
      (error: Error) => error.message,
    );
    const [, log = '', recovered = ''] = /: move (\S+) away and rename (\S+) to /.exec(advice) ?? [];
    expect([log, recovered]).toEqual([`${files.path}-wal`, `${files.path}-recovered`]);
    rmSync(log);
    renameSync(recovered, files.path);
    expect(checkStore(files.path)).toEqual([]);
    expect(await exported()).toEqual(items);
  });

  test('wherever pages are overwritten, what is saved is as it was, and what is not is counted', {
    timeout: propertyTimeoutMs(60_000),
  }, async () => {
    const items = await fill(200);
    const original = readFileSync(files.path);
    const known = new Map(messagesOf(items).map((message) => [message.id, message]));
    const pages = original.length / 4_096;
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({ page: fc.integer({ min: 1, max: pages - 1 }), fill: fc.constantFrom(0, 255, 13) }),
          {
            minLength: 1,
            maxLength: 4,
          },
        ),
        async (damages) => {
          const bytes = Buffer.from(original);
          for (const { page, fill } of damages) bytes.fill(fill, page * 4_096, (page + 1) * 4_096);
          writeFileSync(files.path, bytes);
          let outcome: Awaited<ReturnType<typeof recoverStore>>;
          try {
            outcome = await recoverStore(files.path, 'now');
          } catch (error) {
            expect(String(error)).toMatch(/Nothing can be read/);
            expect(readFileSync(files.path).equals(bytes)).toBe(true);
            return;
          }
          expect(readFileSync(outcome.aside).equals(bytes)).toBe(true);
          expect(checkStore(files.path)).toEqual([]);
          const saved = messagesOf(await exported());
          const names = new Map<string, string | undefined>();
          for (const message of saved) {
            const before = known.get(message.id);
            // A session whose name is lost has another one, and its messages stay together.
            const isNamed = !/^recovered-\d+$/.test(message.session);
            const name = isNamed ? message.session : (names.get(message.session) ?? before?.session);
            names.set(message.session, name);
            expect({ ...message, session: name }).toEqual(before);
          }
          if (outcome.missing !== null) {
            expect(saved.length + outcome.lost.length + outcome.missing).toBeGreaterThanOrEqual(200);
          }
        },
      ),
      { numRuns: propertyRuns(10) },
    );
  });

  test('whose counters read as nothing is not taken for an empty one', async () => {
    await fill(100);
    const database = new Database(files.path);
    const pageOf = (name: string) =>
      Number(database.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').pluck().get(name));
    const [counters, messages] = [pageOf('counters'), pageOf('messages')];
    database.close();
    const bytes = readFileSync(files.path);
    const place = (page: number) => (page - 1) * 4_096;
    // The only cell of the first is said to be where there are but zeros, and the other is a page of no kind.
    bytes.writeUInt16BE(2_048, place(counters) + 8);
    bytes.writeUInt8(0, place(messages));
    // Nor does the pointer map say whose leaves the others are.
    bytes.fill(0, place(2), place(3));
    writeFileSync(files.path, bytes);
    expect(await recoverStore(files.path, 'now')).toMatchObject({ messages: 0, missing: null });
  });

  test('whatever bits are turned and pages are misplaced, nothing is lost in silence', {
    timeout: propertyTimeoutMs(60_000),
  }, async () => {
    const count = 100;
    await fill(count);
    const original = readFileSync(files.path);
    const page = fc.integer({ min: 0, max: original.length / 4_096 - 1 });
    const bits = fc.record({
      page,
      at: fc.integer({ min: 0, max: 4_095 }),
      bit: fc.integer({ min: 0, max: 7 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(bits, { maxLength: 16 }),
        fc.array(fc.tuple(page, page), { maxLength: 2 }),
        async (turned, misplaced) => {
          const bytes = Buffer.from(original);
          for (const { page, at, bit } of turned) {
            const place = page * 4_096 + at;
            bytes.writeUInt8(bytes.readUInt8(place) ^ (1 << bit), place);
          }
          for (const [from, to] of misplaced)
            original.copy(bytes, to * 4_096, from * 4_096, (from + 1) * 4_096);
          writeFileSync(files.path, bytes);
          const outcome = await recoverStore(files.path, 'now').catch((error: unknown) => {
            expect(error).toMatchObject({ reason: expect.stringMatching(/^(corrupt|refused)$/) });
            expect(readFileSync(files.path).equals(bytes)).toBe(true);
            return null;
          });
          if (outcome === null) return;
          expect(checkStore(files.path)).toEqual([]);
          // A bit that is turned within a value, a message's id say, leaves a message that reads well.
          const saved = messagesOf(await exported());
          const told = outcome.lost.length + (outcome.missing ?? count);
          expect(saved.length < count && told === 0).toBe(false);
        },
      ),
      { numRuns: propertyRuns(10) },
    );
  });

  test.each(migrations.map(({ version }) => version))(
    'of schema version %i is recovered as it would have been migrated',
    async (version) => {
      const items = await migrated(version, `${files.directory}/other.db`);
      files.loadFixture(version);
      const { lost, missing } = await recoverStore(files.path, 'now');
      expect({ lost, missing }).toEqual({ lost: [], missing: 0 });
      // Holders are not salvaged: a turn that was cancelled is over, and a delivery that had not begun just waits.
      const asSalvaged = ({ held, delivery, ...message }: ArchivedMessage) => ({
        ...message,
        held: held && message.state === 'running',
        delivery: delivery && { ...delivery, held: delivery.held && delivery.begun_at !== null },
      });
      const saved = await exported();
      expect(messagesOf(saved)).toEqual(messagesOf(items).map(asSalvaged));
      expect(saved.filter(({ type }) => type === 'session')).toEqual(
        items.filter(({ type }) => type === 'session'),
      );
    },
  );

  test('of a newer schema is left as it is', async () => {
    await fill(3);
    const database = new Database(files.path);
    database.pragma(`user_version = ${schemaVersion + 1}`);
    database.close();
    const bytes = readFileSync(files.path);
    await expect(recoverStore(files.path, 'now')).rejects.toMatchObject({
      reason: 'refused',
      kind: 'newer-schema',
    });
    expect(readFileSync(files.path).equals(bytes)).toBe(true);
    expect(readdirSync(files.directory)).toEqual(['gateway.db', 'gateway.db-seal']);
  });

  test.each([
    ['its beginning is gone', (bytes: Buffer) => bytes.fill(0, 0, 4_096)],
    ['it is cut short', (bytes: Buffer) => bytes.subarray(0, 100)],
  ])('of which nothing can be read is left as it is: %s', async (_what, damage) => {
    await fill(20);
    const bytes = damage(readFileSync(files.path));
    writeFileSync(files.path, bytes);
    await expect(recoverStore(files.path, 'now')).rejects.toThrow(/Nothing can be read of the database/);
    expect(readFileSync(files.path).equals(bytes)).toBe(true);
    expect(readdirSync(files.directory).filter((name) => /recover|damaged/.test(name))).toEqual([]);
    expect(checkStore(files.path)).toEqual([expect.stringContaining('store recover')]);
  });

  test.each([2, 3, 8])(
    'that is cut off behind 1/%i of it is recovered as far as it is there',
    async (share) => {
      await fill(100);
      const pages = readFileSync(files.path).length / 4_096;
      truncateSync(files.path, Math.floor(pages / share) * 4_096);
      await expect(files.open()).rejects.toMatchObject({ reason: 'corrupt' });
      expect((await recoverStore(files.path, 'now')).sessions).toBeGreaterThan(0);
      await files.open();
    },
  );

  test.each([
    ['CREATE TABLE', 'CREATX TABLE'],
    ['INTEGER', 'INTEGE('],
    ['last_seq', 'last_sex'],
    ['last_accepted_at', 'last_accepted_au'],
    ['state', 'stale'],
    ['message', 'massage'],
    ['changed_at', 'changed at'],
  ])('of which the text of the schema is damaged (%s: %s) is recovered whole', async (sound, damaged) => {
    await fill(100);
    const database = new Database(files.path);
    database.unsafeMode(true);
    database.pragma('writable_schema = ON');
    database
      .prepare("UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE type = 'table'")
      .run(sound, damaged);
    database.close();
    await expect(files.open()).rejects.toMatchObject({ reason: 'corrupt' });
    expect(await recoverStore(files.path, 'now')).toMatchObject({ messages: 100, lost: [], missing: 0 });
    expect(await (await files.open()).counts()).toMatchObject({ queued: 100 });
  });

  test('a table that is gone is found by a check', async () => {
    await fill(5);
    const database = new Database(files.path);
    database.pragma('foreign_keys = OFF');
    database.exec('DELETE FROM sessions WHERE number = 1');
    database.close();
    expect(checkStore(files.path)).toEqual([expect.stringContaining('of messages belongs to nothing')]);
  });
});

describe('the command', () => {
  const program = fileURLToPath(new URL('../../../../dist/cli/main.js', import.meta.url));

  /** `sd-gateway store …` for a gateway with this database. */
  async function type(...words: readonly string[]) {
    const environment = {
      PATH: process.env['PATH'] ?? '',
      STATE_DIRECTORY: files.directory,
      RUNTIME_DIRECTORY: files.directory,
      CONFIGURATION_DIRECTORY: files.directory,
    };
    const run = promisify(execFile)(process.execPath, [program, 'store', ...words], { env: environment });
    return run.then(
      ({ stdout, stderr }) => ({ status: 0, stdout, stderr }),
      ({ code, stdout, stderr }) => ({
        status: code as number,
        stdout: String(stdout),
        stderr: String(stderr),
      }),
    );
  }

  test('checks, copies, exports and imports', { timeout: 60_000 }, async () => {
    expect(await type('check')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('there is no database'),
    });
    const store = await files.open();
    await variety(store);
    await store.close();
    expect(await type('check')).toMatchObject({ status: 0, stdout: `${files.path} is sound\n` });
    const messages = messagesOf(await exported()).length;
    expect(await type('backup', `${files.directory}/copy.db`, '--json')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining(`"sessions":8,"messages":${messages}`),
    });
    const all = `${files.directory}/all.jsonl`;
    expect(await type('export', all)).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/ to \S+: \d+ messages of 8 sessions\n$/),
    });
    expect(statSync(all).mode & 0o777).toBe(0o600);
    expect(await type('export', all)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('is there already'),
    });
    const printed = await type('export');
    expect(printed.stdout.split('\n').length).toBe(readFileSync(all, 'utf8').split('\n').length);
    expect(printed.stderr).toBe(`Exported ${messages} messages of 8 sessions\n`);
    expect(await type('import', all)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(
        /all\.jsonl: the message \S+ is in the store already; nothing was imported/,
      ),
    });
    const latin1 = `${files.directory}/latin-1.jsonl`;
    const [header = '', session = ''] = readFileSync(all, 'latin1').split('\n');
    writeFileSync(latin1, `${header}\n${session.replace('"delivered"', '"gr\xfc\xdfe"')}\n`, 'latin1');
    expect(await type('import', latin1)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/latin-1\.jsonl: line 2: it is no UTF-8; nothing was imported/),
    });
    expect(await type('import', `${files.directory}/none`)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('ENOENT'),
    });
    const backup = `${files.directory}/import.backup`;
    expect(await type('backup', backup)).toMatchObject({ status: 0 });
    expect(await type('import', backup)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(
        `${backup} is a database, such as "store backup" makes. It is put in the place of the gateway's own, while that is stopped (docs/store.md); nothing was imported`,
      ),
    });
    for (const words of [[], ['chek'], ['backup'], ['check', 'x'], ['import']]) {
      expect((await type(...words)).status).toBe(64);
    }
  });

  test.each(exporting)('imports what schema version %i exported', async (version) => {
    const { status, stdout } = await type('import', archiveOf(version));
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Imported \d+ messages of \d+ sessions into /);
    expect(await exported()).toEqual(await migrated(version, `${files.directory}/other.db`));
  });

  test('asks before it recovers a sound database, and leaves it where nobody can be asked', async () => {
    await acceptOne(await files.open(), 'a');
    await files.close();
    const before = statSync(files.path).ino;
    const refused = await type('recover');
    expect(refused).toMatchObject({ status: 1, stdout: '' });
    expect(refused.stderr).toMatch(
      /gateway\.db is sound: there is nothing to recover, and nothing was done\./,
    );
    expect(statSync(files.path).ino).toBe(before);
    const done = await type('recover', '--yes');
    expect(done).toMatchObject({ status: 0, stdout: expect.stringMatching(/^Saved 1 message of 1 session/) });
    expect(statSync(files.path).ino).not.toBe(before);
  });

  test('recovers, and says what is lost', { timeout: 60_000 }, async () => {
    const store = await files.open();
    await Promise.all(Array.from({ length: 100 }, () => acceptOne(store, 'a', { text: 'x'.repeat(3_000) })));
    await store.close();
    const bytes = readFileSync(files.path);
    bytes.fill(0xff, bytes.length - 8 * 4_096);
    writeFileSync(files.path, bytes);
    expect((await type('check')).status).toBe(1);
    const { status, stdout } = await type('recover', '--json');
    const report = JSON.parse(stdout);
    expect(status).toBe(1);
    expect(report.messages + report.lost.length + report.missing).toBe(100);
    expect(report.messages).toBeGreaterThan(50);
    expect((await type('check')).status).toBe(0);
    chmodSync(report.aside, 0o600);
  });
});
