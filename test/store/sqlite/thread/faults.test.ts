import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setImmediate as nextRound } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { StoreTrouble } from '../../../../src/gateway/start/store.js';
import { webhookTarget } from '../../../../src/store/messages.js';
import { toStoreError } from '../../../../src/store/sqlite/file/errors.js';
import { SqliteStore } from '../../../../src/store/sqlite/sqlite-store.js';
import { followStoreThread } from '../../../../src/store/sqlite/thread/store-thread.js';
import type { StoreError } from '../../../../src/store/store-error.js';
import type { Turn } from '../../../../src/store/turns.js';
import { recordingLog } from '../../../gateway/dispatch/fixture.js';
import Database, { sqlitePath } from '../../../support/sqlite.mjs';
import { acceptOne, at, claim, claimOne, claimTurns, newMessage, noLimits } from '../../samples.js';
import { SqliteFactory } from '../sqlite-factory.js';

let files: SqliteFactory;
beforeEach(() => {
  files = new SqliteFactory();
});
afterEach(() => files.remove());

describe('group commit', () => {
  test('a thousand concurrent posts share a few commits', async () => {
    const store = await files.open();
    const before = await store.statistics();
    const seqs = await Promise.all(
      Array.from({ length: 1_000 }, async () => (await acceptOne(store, 'a')).seq),
    );
    const after = await store.statistics();
    expect(seqs).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1));
    expect(after.operations - before.operations).toBe(1_000);
    // A commit has sixteen calls at least while more are coming.
    expect(after.commits - before.commits).toBeLessThanOrEqual(Math.ceil(1_000 / 16));
  });

  describe('the end of a turn that began with its message', () => {
    const arrival = { owner: 'first', leaseMs: 60_000 };
    const reply = { text: 'r', metadata: {} };

    async function begin(store: SqliteStore, url: string | null = null): Promise<Turn> {
      const replyTo = url === null ? null : webhookTarget(url);
      const outcome = await store.accept(newMessage('a', { replyTo }), noLimits, arrival);
      if (outcome.outcome !== 'accepted' || outcome.turn === null) throw new Error('It was not claimed.');
      return outcome.turn;
    }

    beforeEach(() => {
      // A call that waits for a timer waits for ever.
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    test('shares the commit of the post that comes after it, as nobody is known to wait for it', async () => {
      const store = await files.open();
      const turn = await begin(store);
      const before = (await store.statistics()).commits;
      let written = false;
      const ended = store.completeTurn(turn, reply).then(() => {
        written = true;
      });
      const claimed = store.claimTurns(claim());
      for (let round = 0; round < 100; round += 1) await nextRound();
      expect(written).toBe(false);
      await acceptOne(store, 'b');
      await Promise.all([ended, claimed]);
      expect((await store.statistics()).commits - before).toBe(1);
    });

    test.each([
      ['leaves a reply to be posted', 'https://receiver.example/', false],
      ['has another message waiting', null, true],
    ])('is written at once where it %s', async (_what, replyTo, another) => {
      const store = await files.open();
      const turn = await begin(store, replyTo);
      if (another) await store.accept(newMessage('a'), noLimits, arrival);
      expect(await store.completeTurn(turn, reply)).toBe(true);
    });

    test('is written at once where somebody waits for it', async () => {
      const store = await files.open();
      expect(await store.completeTurn(await begin(store), reply, true)).toBe(true);
    });

    test('waits for others no longer than a moment, and is not left behind by a close', async () => {
      vi.useRealTimers();
      const store = await files.open();
      expect(await store.completeTurn(await begin(store), reply)).toBe(true);
      const ended = store.completeTurn(await begin(store), reply);
      await store.close();
      expect(await ended).toBe(true);
    });
  });

  test('a lone post has a commit of its own and waits for no timer', async () => {
    const store = await files.open();
    vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval'] });
    try {
      const before = await store.statistics();
      for (let count = 0; count < 5; count += 1) await acceptOne(store, 'a');
      expect((await store.statistics()).commits - before.commits).toBe(5);
    } finally {
      vi.useRealTimers();
    }
  });

  test('a crowd of any size is served, in steps', async () => {
    const store = await files.open();
    const before = await store.statistics();
    await Promise.all(Array.from({ length: 150_000 }, () => store.counts()));
    await Promise.all(Array.from({ length: 2_500 }, () => acceptOne(store, 'a')));
    expect((await store.statistics()).commits - before.commits).toBeGreaterThan(1);
  });

  test('what is no plain data is refused, and nothing after it', async () => {
    const store = await files.open();
    const metadata = { call: (() => {}) as unknown as string };
    await expect(acceptOne(store, 'a', { metadata })).rejects.toMatchObject({ reason: 'internal' });
    expect((await acceptOne(store, 'a')).seq).toBe(1);
  });

  test('the log is copied into the database as it grows', async () => {
    const store = await files.open();
    for (let count = 0; count < 3; count += 1) {
      await Promise.all(
        Array.from({ length: 400 }, (_, index) =>
          acceptOne(store, `${count} ${index}`, { text: 'x'.repeat(5_000) }),
        ),
      );
    }
    expect((await store.statistics()).checkpoints).toBeGreaterThan(0);
  });
});

describe('a lock of another process', () => {
  /** Another process that holds the database's lock until it is told to let go. */
  async function lock(mode: 'IMMEDIATE' | 'EXCLUSIVE'): Promise<() => Promise<void>> {
    const script = `
      const database = new (require(${JSON.stringify(sqlitePath)}))(process.argv[1]);
      database.exec('BEGIN ${mode}');
      console.log('locked');
      process.stdin.once('end', () => database.close()).resume();`;
    const holder = spawn(process.execPath, ['-e', script, files.path], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(createInterface(holder.stdout), 'line');
    return async () => {
      holder.stdin.end();
      await once(holder, 'exit');
    };
  }

  test('refuses writes with the reason; reads go on; and it mends itself', async () => {
    const store = await files.open({ busyTimeout: 20 });
    const message = await acceptOne(store, 'a');
    const release = await lock('IMMEDIATE');
    const [write, read, count] = await Promise.allSettled([
      store.accept(newMessage('a'), noLimits),
      store.message(message.id),
      store.counts(),
    ]);
    expect(write).toMatchObject({
      status: 'rejected',
      reason: { reason: 'unavailable', detail: expect.stringContaining('locked') },
    });
    expect(read).toMatchObject({ status: 'fulfilled', value: { id: message.id } });
    expect(count).toMatchObject({ status: 'fulfilled', value: { queued: 1 } });
    await release();
    expect((await acceptOne(store, 'a')).seq).toBe(2);
  });

  test('a start waits for it, then says who is in the way', async () => {
    await (await files.open()).close();
    const release = await lock('IMMEDIATE');
    await expect(files.open({ busyTimeout: 20 })).rejects.toMatchObject({
      reason: 'unavailable',
      message: expect.stringContaining('fuser'),
    });
    await release();
    await expect(files.open()).resolves.toBeDefined();
  });
});

test('a close does not wait for who reads, such as a backup', async () => {
  const store = await files.open({ busyTimeout: 600_000 });
  await acceptOne(store, 'a');
  const reader = new Database(files.path);
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM messages').get();
  await acceptOne(store, 'a');
  await store.close();
  reader.close();
  expect(await (await files.open()).counts()).toMatchObject({ queued: 2 });
});

describe('a thread that ends by itself', () => {
  const endings: Readonly<Record<string, string>> = {
    'an exit': 'process.exit(7)',
    'an exception': "throw new Error('out of order')",
  };

  test.each(Object.entries(endings))(
    '%s rejects all that wait, and all that comes',
    async (_name, ending) => {
      const worker = new Worker(
        `require('node:worker_threads').parentPort.once('message', () => { ${ending}; })`,
        {
          eval: true,
        },
      );
      const store = new SqliteStore(followStoreThread(worker), { path: '/var/lib/sd-gateway/gateway.db' });
      const opening = expect(store.opened).rejects.toMatchObject({ reason: 'internal' });
      const results = await Promise.allSettled([store.probe(), store.counts(), claimTurns(store)]);
      expect(results).toMatchObject(
        Array.from({ length: 3 }, () => ({ status: 'rejected', reason: { reason: 'internal' } })),
      );
      await opening;
      await expect(store.probe()).rejects.toMatchObject({ message: expect.stringContaining('gateway.db') });
      expect(await store.ended).toMatchObject({ reason: 'internal' });
      await expect(store.close()).rejects.toMatchObject({ reason: 'internal' });
    },
  );
});

test('a thread that ends once the store is open is told of, unless the store was closed', async () => {
  const told: string[] = [];
  const open = async (script: string) => {
    const worker = new Worker(
      `const { parentPort } = require('node:worker_threads');
       parentPort.on('message', ({ type }) => { ${script} });
       parentPort.postMessage({ type: 'opened' });`,
      { eval: true },
    );
    const events = { ended: ({ message }: StoreError) => told.push(message) };
    const store = new SqliteStore(followStoreThread(worker), { path: 'gateway.db', events });
    await store.opened;
    return store;
  };
  const closed = await open("parentPort.postMessage({ type: 'closed', failure: null }); parentPort.close()");
  await closed.close();
  await closed.ended;
  expect(told).toEqual([]);
  const lost = await open('process.exit(7)');
  await expect(lost.probe()).rejects.toMatchObject({ reason: 'internal' });
  await vi.waitUntil(() => told.length > 0);
  expect(told).toEqual(['The thread of the store on gateway.db ended (status 7).']);
});

/** Why there can be no file system of a few megabytes here; null when there can. */
function whyNoSmallFileSystem(): string | null {
  const probe = new SqliteFactory();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', probe.directory], { stdio: 'pipe' });
    execFileSync('umount', [probe.directory]);
    return null;
  } catch (error) {
    return `mount(8) of a tmpfs failed, root is needed: ${error instanceof Error ? error.message.trim() : error}`;
  } finally {
    rmSync(probe.directory, { recursive: true });
  }
}

const reason = whyNoSmallFileSystem();

/** Accepts messages until the disk is full; gives the ids of those that were taken. */
async function fill(store: SqliteStore): Promise<string[]> {
  const accepted: string[] = [];
  for (;;) {
    const sent = newMessage('a', { text: 'x'.repeat(10_000) });
    try {
      await store.accept(sent, noLimits);
      accepted.push(sent.id);
    } catch (error) {
      expect(error).toMatchObject({ reason: 'full', message: expect.stringContaining('df') });
      return accepted;
    }
  }
}

test('a seal that can’t be written is no failure of the close: the next start checks all', async () => {
  const warnings: string[] = [];
  const store = await files.open({ events: { warning: ({ message }) => warnings.push(message) } });
  await acceptOne(store, 'a');
  rmSync(`${files.path}-seal`);
  // open(2) opens no directory to be written, as it opens nothing once descriptors have run out.
  mkdirSync(`${files.path}-seal`);
  await store.close();
  expect(warnings).toEqual([expect.stringContaining('EISDIR')]);
  rmdirSync(`${files.path}-seal`);
  const again = await files.open();
  expect(await again.counts()).toMatchObject({ queued: 1 });
});

describe('a full disk', () => {
  test('is no failure of the close: the log has it all', async ({ skip }) => {
    if (reason !== null) skip(reason);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m,mode=0700', 'tmpfs', files.directory]);
    try {
      const ballast = `${files.directory}/ballast`;
      writeFileSync(ballast, Buffer.alloc(1_000_000));
      const warnings: string[] = [];
      const store = await files.open({ events: { warning: ({ reason }) => warnings.push(reason) } });
      const accepted = await fill(store);
      await store.close();
      expect(warnings).toEqual(['full']);

      rmSync(ballast);
      const again = await files.open();
      expect(await again.counts()).toMatchObject({ queued: accepted.length });
    } finally {
      await files.close();
      execFileSync('umount', [files.directory]);
    }
  });

  test('with room for the end of a turn takes that, also beside who tries whether there is enough', async ({
    skip,
  }) => {
    if (reason !== null) skip(reason);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m,mode=0700', 'tmpfs', files.directory]);
    try {
      const store = await files.open();
      await acceptOne(store, 'a');
      const turn = await claimOne(store);
      const { bavail, bsize } = statfsSync(files.directory);
      writeFileSync(`${files.directory}/ballast`, Buffer.alloc(bavail * bsize - 512 * 1024));
      const [tried, ended] = await Promise.allSettled([
        store.tryWrite(),
        at(3_000, store).completeTurn(turn, { text: 'r', metadata: {} }),
      ]);
      expect(tried).toMatchObject({ status: 'rejected', reason: { reason: 'full' } });
      expect(ended).toEqual({ status: 'fulfilled', value: true });
    } finally {
      await files.close();
      execFileSync('umount', [files.directory]);
    }
  });

  test('refuses new work, keeps what it has, and goes on when there is room', async ({ skip }) => {
    if (reason !== null) skip(reason);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m,mode=0700', 'tmpfs', files.directory]);
    try {
      const ballast = `${files.directory}/ballast`;
      writeFileSync(ballast, Buffer.alloc(1_000_000));
      const store = await files.open();
      const accepted = await fill(store);
      expect(accepted.length).toBeGreaterThan(10);
      await expect(store.probe()).resolves.toBeUndefined();
      expect(await store.counts()).toMatchObject({ queued: accepted.length });

      rmSync(ballast);
      accepted.push((await acceptOne(store, 'a', { text: 'x'.repeat(10_000) })).id);
      await store.close();
      const again = await files.openWithReport();
      expect(again.report.closedCleanly).toBe(true);
      const page = await again.store.sessionMessages('a', { limit: 1_000, after: null });
      expect(page?.items.map(({ id }) => id)).toEqual(accepted);
      expect(page?.items.map(({ seq }) => seq)).toEqual(accepted.map((_, index) => index + 1));
      await again.store.close();
    } finally {
      await files.close();
      execFileSync('umount', [files.directory]);
    }
  });
});

describe('the health of the store', () => {
  test('is known by what fails, and comes back by itself once there is room', async ({ skip }) => {
    if (reason !== null) skip(reason);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m,mode=0700', 'tmpfs', files.directory]);
    const { log, records } = recordingLog();
    let changes = 0;
    const trouble = new StoreTrouble({ log, changed: () => (changes += 1) });
    const events = {
      refusing: (error: StoreError) => trouble.refusing(error),
      accepting: () => trouble.accepting(),
    };
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const ballast = `${files.directory}/ballast`;
      writeFileSync(ballast, Buffer.alloc(2_000_000));
      const store = await files.open({ events });
      await expect(store.tryWrite()).resolves.toBeUndefined();
      await fill(store);
      expect(trouble.reason).toMatch(/^new messages are refused: There is no room for the database .*df/);
      // Asked in vain, it says nothing more and asks again.
      for (let count = 0; count < 3; count += 1) {
        vi.advanceTimersToNextTimer();
        await vi.waitUntil(() => vi.getTimerCount() === 1);
      }
      expect(changes).toBe(1);
      rmSync(ballast);
      vi.advanceTimersToNextTimer();
      await vi.waitUntil(() => trouble.reason === null);
      expect(vi.getTimerCount()).toBe(0);
      expect(changes).toBe(2);
      expect(records.map(({ priority, message }) => `${priority}: ${message.slice(0, 27)}`)).toEqual([
        'crit: New messages are refused: T',
        'notice: New messages are taken agai',
      ]);
      await acceptOne(store, 'a', { text: 'x'.repeat(10_000) });
    } finally {
      vi.useRealTimers();
      await files.close();
      execFileSync('umount', [files.directory]);
    }
  });
});

describe('a read-only file system', () => {
  test('is said at start, and nothing is changed', async ({ skip }) => {
    if (reason !== null) skip(reason);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m,mode=0700', 'tmpfs', files.directory]);
    try {
      const store = await files.open();
      await acceptOne(store, 'a');
      await store.close();
      execFileSync('mount', ['-o', 'remount,ro', files.directory]);
      const fault = Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR_WRITE' });
      expect(toStoreError(fault, files.path)).toMatchObject({ reason: 'unavailable', errno: 'EROFS' });
      await expect(files.open()).rejects.toMatchObject({
        reason: 'unavailable',
        errno: 'EROFS',
        message: expect.stringContaining('mounted read-write'),
      });
      execFileSync('mount', ['-o', 'remount,rw', files.directory]);
      expect(await (await files.open()).counts()).toMatchObject({ queued: 1 });
    } finally {
      await files.close();
      execFileSync('umount', [files.directory]);
    }
  });
});
