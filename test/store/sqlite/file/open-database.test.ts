import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { webhookTarget } from '../../../../src/store/messages.js';
import { checkHeader } from '../../../../src/store/sqlite/file/inspect.js';
import { openDatabase } from '../../../../src/store/sqlite/file/open-database.js';
import { schemaVersion } from '../../../../src/store/sqlite/file/schema.js';
import { StoreError } from '../../../../src/store/store-error.js';
import type { Turn } from '../../../../src/store/turns.js';
import Database from '../../../support/sqlite.mjs';
import {
  acceptOne,
  answerOne,
  at,
  claimDeliveries,
  claimOne,
  claimTurns,
  clock,
  newMessage,
  noLimits,
} from '../../samples.js';
import { SqliteFactory } from '../sqlite-factory.js';

let files: SqliteFactory;
beforeEach(() => {
  files = new SqliteFactory();
});
afterEach(() => files.remove());

/** Leaves a database with `count` messages, cleanly closed. */
async function fill(count: number): Promise<void> {
  const store = await files.open();
  await Promise.all(
    Array.from({ length: count }, (_, index) =>
      acceptOne(store, `session ${index % 7}`, { text: 'x'.repeat(500) }),
    ),
  );
  await store.close();
}

/** Lets another process accept one message, and kills it as it does nothing. */
async function killWhileOpen(): Promise<void> {
  const program = fileURLToPath(new URL('../thread/accepting-process.mjs', import.meta.url));
  const built = new URL('../../../../dist/store/sqlite/sqlite-store.js', import.meta.url).href;
  const child = spawn(process.execPath, [program, built, files.path, 'killed', '1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit');
  await once(createInterface(child.stdout), 'line');
  child.kill('SIGKILL');
  await exit;
}

async function refusal(): Promise<StoreError> {
  const error = await files.open().then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof StoreError)) throw new Error(`Expected a refusal, got ${error}`);
  return error;
}

describe('opening', () => {
  test('makes a database that only its owner can read, and leaves nothing else behind', async () => {
    const store = await files.open();
    await acceptOne(store, 'a');
    const mode = (name: string) => statSync(`${files.directory}/${name}`).mode & 0o777;
    expect(readdirSync(files.directory).map((name) => [name, mode(name)])).toEqual([
      ['gateway.db', 0o600],
      ['gateway.db-seal', 0o600],
      ['gateway.db-shm', 0o600],
      ['gateway.db-wal', 0o600],
    ]);
    await store.close();
    expect(readdirSync(files.directory)).toEqual(['gateway.db', 'gateway.db-seal']);
  });

  test('makes missing directories, for its owner only', async () => {
    const path = `${files.directory}/state/deep/gateway.db`;
    await files.open({ path });
    expect(statSync(`${files.directory}/state`).mode & 0o777).toBe(0o700);
    expect(statSync(`${files.directory}/state/deep`).mode & 0o777).toBe(0o700);
  });

  test('commits to disk: write-ahead log, synchronous FULL', async () => {
    const { journalMode, synchronous } = await (await files.open()).statistics();
    expect({ journalMode, synchronous }).toEqual({ journalMode: 'wal', synchronous: 2 });
  });

  test('after a clean stop it looks at the outline only', async () => {
    await fill(10);
    const { report } = await files.openWithReport();
    expect(report).toEqual({ created: false, closedCleanly: true, checkedWhole: false, migratedFrom: null });
  });

  test('after a kill too, but not when somebody wrote to it since', async () => {
    await killWhileOpen();
    const killed = await files.openWithReport();
    expect(killed.report).toMatchObject({ closedCleanly: false, checkedWhole: false });
    await killed.store.close();

    await killWhileOpen();
    const database = new Database(files.path);
    database.exec("UPDATE sessions SET name = 'renamed' WHERE number = 1");
    database.close();
    const steps: string[] = [];
    const changed = await files.openWithReport({ events: { progress: (step) => steps.push(step) } });
    expect(changed.report).toMatchObject({ closedCleanly: false, checkedWhole: true });
    expect(steps).toContain('checking the database');
    expect(await changed.store.counts()).toMatchObject({ queued: 2 });
  });

  test.each(['', 'size 1, modified', 'open in boot another'])(
    'checks the whole database when its seal says %j',
    async (text) => {
      await fill(10);
      writeFileSync(`${files.path}-seal`, text);
      expect((await files.openWithReport()).report.checkedWhole).toBe(true);
    },
  );

  test('checks the whole database after a crash of the machine', async () => {
    await killWhileOpen();
    const seal = readFileSync(`${files.path}-seal`, 'utf8');
    writeFileSync(`${files.path}-seal`, seal.replace(/boot .*/, 'boot 00000000-0000-0000-0000-000000000000'));
    expect((await files.openWithReport()).report.checkedWhole).toBe(true);
  });

  test('a database that can not be reached says so', async () => {
    const error = await files.open({ path: '/proc/no/gateway.db' }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StoreError);
    expect(String(error)).toContain('/proc/no');
  });
});

describe('a damaged database is refused and left as it is', () => {
  const damages: Readonly<Record<string, () => void>> = {
    'its beginning is overwritten': () => overwrite(0, 512),
    'a page in its middle is overwritten': () => overwrite(40 * 4_096, 4_096),
    'it is cut short': () => truncateSync(files.path, 30 * 4_096),
    'it is empty': () => truncateSync(files.path, 0),
    'it is something else': () => writeFileSync(files.path, 'a note about the database\n'.repeat(100)),
  };

  function overwrite(at: number, length: number): void {
    const bytes = readFileSync(files.path);
    bytes.fill(0xff, at, at + length);
    // In its place: SQLite has it open.
    writeFileSync(files.path, bytes, { flag: 'r+' });
  }

  test.each(Object.keys(damages))('%s', async (name) => {
    await fill(300);
    damages[name]?.();
    const before = readFileSync(files.path);
    const error = await refusal();
    expect(error.reason).toBe('corrupt');
    expect(error.message).toContain(files.path);
    expect(error.message).toContain('backup');
    expect(readFileSync(files.path).equals(before)).toBe(true);
  });

  test('a table is missing', async () => {
    await fill(10);
    const database = new Database(files.path);
    database.exec('DROP TABLE replies');
    database.close();
    expect((await refusal()).reason).toBe('corrupt');
  });

  test('it is another file, which never was a database', () => {
    writeFileSync(files.path, 'root:x:0:0:root:/root:/bin/bash\n'.repeat(50));
    expect(() => checkHeader(files.path)).toThrow(/is no database, .*: check store\.path/);
    // The gateway has made it, whatever it is now.
    writeFileSync(`${files.path}-seal`, 'closed');
    expect(() => checkHeader(files.path)).toThrow(/is damaged/);
  });

  test('it is gone, but its write-ahead log is there', async () => {
    writeFileSync(`${files.path}-wal`, 'frames');
    expect((await refusal()).reason).toBe('corrupt');
    expect(readdirSync(files.directory)).toEqual(['gateway.db-wal']);
  });

  test('it is gone, but what the gateway made beside it is there', async () => {
    await fill(10);
    renameSync(files.path, `${files.path}-recovered`);
    const error = await refusal();
    expect(error.reason).toBe('corrupt');
    expect(error.message).toMatch(/gateway\.db-seal.*rename \S+gateway\.db-recovered to/);
    // The advice names only what is there.
    expect(error.message).toContain(`move ${files.path}-seal away`);
    expect(error.message).not.toContain('-wal');
    expect(readdirSync(files.directory)).toEqual(['gateway.db-recovered', 'gateway.db-seal']);
    rmSync(`${files.path}-seal`);
    expect((await files.openWithReport()).report.created).toBe(true);
  });

  test.each(['', '-wal', '-shm', '-seal'])('a pipe is in the place of gateway.db%s', async (suffix) => {
    await fill(1);
    rmSync(files.path + suffix, { force: true });
    execFileSync('mkfifo', [files.path + suffix]);
    const error = await refusal();
    expect(error.reason).toBe('refused');
    expect(error.message).toMatch(`${files.path}${suffix} is a named pipe, no regular file: move it away`);
  });

  test.each([
    ['-wal', 'that leads round in a circle'],
    ['-seal', 'that leads round in a circle'],
    ['-wal', 'to nothing'],
    ['-shm', 'to nothing'],
  ])('gateway.db%s is a link %s', async (suffix, where) => {
    await fill(1);
    const path = files.path + suffix;
    rmSync(path, { force: true });
    symlinkSync(where === 'to nothing' ? '/nonexistent/x' : path, path);
    const error = await refusal();
    expect(error.reason).toBe('refused');
    expect(error.message).toBe(
      `${path} is a symbolic link ${where}, no regular file: move it away. Nothing was changed.`,
    );
  });

  test('it is a link that leads nowhere: its file system is not mounted, say', async () => {
    symlinkSync(join(files.directory, 'elsewhere', 'gateway.db'), files.path);
    const error = await refusal();
    expect(error.reason).toBe('corrupt');
    expect(error.message).toMatch(/symbolic link to a file that is not there/);
    expect(readdirSync(files.directory)).toEqual(['gateway.db']);
  });

  test('it was found while it was open: the next start trusts it no more', async () => {
    await fill(2_000);
    const store = await files.open();
    // Far from what each start looks at.
    overwrite(100 * 4_096, 10 * 4_096);
    const read = async () => {
      for (let session = 0; session < 7; session += 1) {
        await store.sessionMessages(`session ${session}`, { limit: 10_000, after: null });
      }
    };
    await expect(read()).rejects.toMatchObject({ reason: 'corrupt' });
    await store.close();
    expect((await refusal()).reason).toBe('corrupt');
  });
});

describe('a database that is not for this program is left untouched', () => {
  function makeForeign(change: (database: Database.Database) => void): Buffer {
    const database = new Database(files.path);
    change(database);
    database.close();
    return readFileSync(files.path);
  }

  test('a newer schema', async () => {
    await fill(3);
    const before = makeForeign((database) => database.pragma(`user_version = ${schemaVersion + 1}`));
    const error = await refusal();
    expect(error.reason).toBe('refused');
    expect(error.message).toContain(`schema version ${schemaVersion + 1}`);
    expect(readFileSync(files.path).equals(before)).toBe(true);
    expect(readdirSync(files.directory)).toEqual(['gateway.db', 'gateway.db-seal']);
  });

  test("another program's database", async () => {
    const before = makeForeign((database) => database.exec('CREATE TABLE bookmarks (url TEXT)'));
    expect((await refusal()).reason).toBe('refused');
    expect(readFileSync(files.path).equals(before)).toBe(true);
  });
});

describe('the next start', () => {
  test('queues again what the last one left, in front of the others, and gives up what it went down with alone', async () => {
    const first = await files.open({ maxAttempts: 2 });
    await answerOne(first, 'reply');
    const poison = await acceptOne(first, 'poison');
    await claimOne(first);
    await first.close();

    const store = await files.open({ maxAttempts: 2 });
    const cut = await acceptOne(store, 'cut');
    const turns = await claimTurns(store);
    expect(turns.map(({ session }) => session)).toEqual(['poison', 'cut']);
    const [delivery] = await claimDeliveries(store);
    await acceptOne(store, 'other');
    await store.close();

    clock.now = 5_000;
    const next = await files.openWithReport({ maxAttempts: 2 });
    expect(next.recovery).toEqual({
      resumedTurns: 2,
      deadTurns: 0,
      resumedDeliveries: 1,
      unknownDeliveries: { resent: 1, setAside: 0 },
      killedTurns: [],
    });
    // The same owner's name is of no consequence: at a start every claim is void.
    // A turn that was under way at as many crashes runs by itself, and the gateway goes down with it again.
    const sessionsOf = (claimed: readonly Turn[]) =>
      claimed.map(({ session, attempt }) => [session, attempt]);
    expect(sessionsOf(await claimTurns(next.store))).toEqual([['poison', 3]]);
    expect(await claimTurns(next.store)).toEqual([]);
    expect(await claimDeliveries(next.store)).toEqual([
      { ...delivery, attempt: 2, epoch: expect.any(Number) },
    ]);
    await next.store.close();

    clock.now = 7_000;
    const last = await files.openWithReport({ maxAttempts: 2 });
    expect(last.recovery).toMatchObject({ resumedTurns: 0, deadTurns: 1, resumedDeliveries: 1 });
    expect(await last.store.message(poison.id)).toMatchObject({
      state: 'dead',
      attempts: 3,
      changedAt: 7_000,
      error: expect.stringContaining('Set aside after attempt 3'),
    });
    const again = await claimTurns(last.store);
    expect(sessionsOf(again)).toEqual([
      ['cut', 2],
      ['other', 1],
    ]);
    expect(again[0]?.turnId).toBe(turns.find(({ messageId }) => messageId === cut.id)?.turnId);
  });

  test('lets nothing begin beside what is run alone until that has ended, also when it was cancelled', async () => {
    const first = await files.open({ maxAttempts: 1 });
    const messages = [await acceptOne(first, 'one'), await acceptOne(first, 'two')];
    await claimTurns(first);
    await first.close();

    const store = await files.open({ maxAttempts: 1 });
    const turn = await claimOne(store);
    for (const { id } of messages) await at(3_000, store).cancelMessage(id);
    const next = newMessage('three');
    const arrival = { owner: 'first', leaseMs: 10_000 };
    expect(await store.accept(next, noLimits, arrival)).toMatchObject({ turn: null });
    expect(await claimTurns(store)).toEqual([]);
    expect(await store.releaseTurn(turn)).toBe(true);
    expect(await claimTurns(store)).toMatchObject([{ messageId: next.id }]);
  });

  test('runs side by side what its agent failed at, after a crash and with a lower limit', async () => {
    const failing = await files.open();
    for (const session of ['a', 'b']) await acceptOne(failing, session);
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      for (const turn of await claimTurns(failing)) {
        await at(2_000, failing).failTurn(turn, 'exit status 3', 0);
      }
    }
    expect(await claimTurns(failing)).toHaveLength(2);
    await failing.close();

    const crashed = await files.openWithReport();
    expect(crashed.recovery).toMatchObject({ resumedTurns: 2, deadTurns: 0 });
    const turns = await claimTurns(crashed.store);
    expect(turns.map(({ session, attempt }) => [session, attempt])).toEqual([
      ['a', 4],
      ['b', 4],
    ]);
    expect(await at(3_000, crashed.store).putBackTurns(turns)).toBe(2);
    await crashed.store.close();

    const lowered = await files.open({ maxAttempts: 2 });
    expect(await claimTurns(lowered)).toHaveLength(2);
  });

  test('a clock that was set back meanwhile holds nothing up', async () => {
    const store = await files.open();
    await acceptOne(store, 'a');
    await acceptOne(store, 'b');
    await at(900_000, store).failTurn(await claimOne(store, { now: 900_000 }), 'failed', 1_000);
    await at(10_000, store).failTurn(await claimOne(store, { now: 10_000 }), 'failed', 50_000);
    await store.close();
    clock.now = 20_000;
    const next = await files.open();
    // Put off by less than there was to go, and by a clock that was right.
    expect((await claimTurns(next, { now: 20_000 })).map(({ session }) => session)).toEqual(['a']);
    expect((await claimTurns(next, { now: 60_000 })).map(({ session }) => session)).toEqual(['b']);
  });

  test('sets aside what must not be run twice, tells its sender, and ends what was cancelled', async () => {
    const store = await files.open();
    const cut = await acceptOne(store, 'cut', { replyTo: webhookTarget('https://x.example/') });
    await acceptOne(store, 'cut', { text: 'next' });
    const cancelled = await acceptOne(store, 'cancelled');
    await acceptOne(store, 'cancelled', { text: 'next' });
    await claimTurns(store);
    await at(4_000, store).cancelMessage(cancelled.id);
    await store.close();

    const next = await files.openWithReport({ repeatable: false });
    expect(next.recovery).toMatchObject({ resumedTurns: 0, deadTurns: 1 });
    expect(await next.store.message(cut.id)).toMatchObject({
      state: 'dead',
      error: expect.stringMatching(/the gateway that ran it went down, and agent\.retry is "never"/),
    });
    expect(await next.store.message(cancelled.id)).toMatchObject({ state: 'cancelled' });
    const turns = await claimTurns(next.store);
    expect(turns.map(({ text }) => text)).toEqual(['next', 'next']);
    expect(await claimDeliveries(next.store)).toMatchObject([
      { messageId: cut.id, notice: expect.stringContaining('agent.retry') },
    ]);
  });

  test('tells no sender where notices are off', async () => {
    const store = await files.open({ notices: false });
    await acceptOne(store, 'a', { replyTo: webhookTarget('https://x.example/') });
    await at(3_000, store).failTurn(await claimOne(store), 'exit status 3', null);
    expect(await claimDeliveries(store)).toEqual([]);
    expect(await store.counts()).toMatchObject({ dead: 1, undelivered: 0 });
  });

  test.each([
    ['claimed only', 'ask', null, false, 'replied', 0, 0, null],
    ['claimed only', 'ask', 'drop', false, 'replied', 0, 0, null],
    ['begun', 'ask', null, true, 'dead', 1, 1, /set aside for a person/],
    ['begun', 'drop', null, true, 'dead', 1, 1, /not sent again/],
    ['begun', 'resend', null, true, 'replied', 1, 1, /sent again \(delivery\.unknown/],
    ['begun', 'resend', 'ask', true, 'dead', 1, 1, /set aside for a person.*\(reply_to\.unknown is "ask"/],
    ['begun', 'resend', 'drop', true, 'dead', 1, 1, /not sent again \(reply_to\.unknown/],
    ['begun', 'drop', 'resend', true, 'replied', 1, 1, /sent again \(reply_to\.unknown/],
  ] as const)(
    'judges a delivery that was %s, by "%s", and its target says %j',
    async (_name, unknownPolicy, replyUnknown, begun, state, attempts, unknown, lastError) => {
      const store = await files.open();
      const message = await acceptOne(store, 'a', {
        replyTo: webhookTarget('https://x.example/'),
        replyIdempotent: false,
        replyUnknown,
      });
      await at(3_000, store).completeTurn(await claimOne(store), { text: 'first', metadata: {} });
      await answerOne(store, 'a');
      const [delivery] = await claimDeliveries(store);
      if (delivery === undefined) throw new Error('Nothing was claimed.');
      expect(delivery).toMatchObject({ idempotent: false, unknownPolicy: replyUnknown });
      if (begun) expect(await at(4_000, store).beginDelivery(delivery)).toBe(true);
      await store.close();

      const next = await files.openWithReport({ unknownPolicy });
      const dead = state === 'dead';
      expect(next.recovery).toMatchObject({
        resumedDeliveries: dead ? 0 : 1,
        unknownDeliveries: { resent: begun && !dead ? 1 : 0, setAside: dead ? 1 : 0 },
      });
      const record = await next.store.message(message.id);
      expect(record).toMatchObject({ state, delivery: { attempts, unknown } });
      if (lastError === null) expect(record?.delivery?.lastError).toBe(null);
      else expect(record?.delivery?.lastError).toMatch(lastError);
      // The one behind it comes next where this one has ended.
      expect(await claimDeliveries(next.store)).toMatchObject([{ seq: dead ? 2 : 1 }]);
      expect(await next.store.counts()).toMatchObject({ undelivered: dead ? 1 : 2, dead: dead ? 1 : 0 });
    },
  );
});

// Root may write what is read-only.
describe.runIf(process.getuid?.() === 0)('a database that its owner may not write', () => {
  const nobody = 65_534;
  const asNobody = <Result>(work: () => Result): Result => {
    process.seteuid?.(nobody);
    try {
      return work();
    } finally {
      process.seteuid?.(0);
    }
  };
  const open = () =>
    openDatabase({ path: files.path, busyTimeout: 1_000, progress: () => undefined, warn: () => undefined });

  test.each(['', '-wal', '-shm'])(
    'is not opened, and is once its mode is mended: gateway.db%s',
    async (suffix) => {
      await fill(1);
      const left = new Database(files.path);
      left.pragma('user_version');
      for (const name of readdirSync(files.directory)) chownSync(join(files.directory, name), nobody, nobody);
      chownSync(files.directory, nobody, nobody);
      chmodSync(files.path + suffix, 0o400);
      expect(() => asNobody(open)).toThrow(`${files.path}${suffix}`);
      left.close();
      expect(readdirSync(files.directory).toSorted()).toEqual(['gateway.db', 'gateway.db-seal']);
      chmodSync(files.path, 0o600);
      asNobody(() => open().database.close());
    },
  );
});
