import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ArchiveItem } from '../../../../src/store/archive.js';
import type { Delivery } from '../../../../src/store/deliveries.js';
import type { Message } from '../../../../src/store/messages.js';
import { migrate, schemaVersionOf } from '../../../../src/store/sqlite/file/migrate.js';
import { migrations, schemaVersion } from '../../../../src/store/sqlite/file/schema.js';
import { checkStore, exportStore } from '../../../../src/store/sqlite/tools/maintenance.js';
import { readRuns } from '../../../../src/store/sqlite/tools/offline.js';
import type { Store } from '../../../../src/store/store.js';
import type { Turn } from '../../../../src/store/turns.js';
import Database from '../../../support/sqlite.mjs';
import {
  acceptOne,
  at,
  claimDeliveries,
  claimTurns,
  clock,
  dueAt,
  newMessage,
  noLimits,
} from '../../samples.js';
import {
  archivedMessagesOf,
  archivedSessionOf,
  deliveriesOf,
  type IdOf,
  leftBehind,
  messagesOf,
  recordsOf,
  recoveryOf,
  runsOf,
  startedAt,
  turnsOf,
} from '../left-behind.js';
import { SqliteFactory } from '../sqlite-factory.js';

let files: SqliteFactory;
beforeEach(() => {
  files = new SqliteFactory();
});
afterEach(() => files.remove());

/** The text of every table and index. */
function schemaOf(database: Database.Database): readonly unknown[] {
  return database.prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name').all();
}

function readDatabase<Value>(read: (database: Database.Database) => Value): Value {
  const database = new Database(files.path);
  try {
    return read(database);
  } finally {
    database.close();
  }
}

const versions = migrations.map(({ version }) => version);

describe.each(versions)('a database of schema version %i', (version) => {
  const left = leftBehind(version);

  /** Loads it, and starts on it. */
  async function migrated() {
    files.loadFixture(version);
    const ids = readDatabase(
      (database) =>
        new Map(
          database
            .prepare<[], [name: string, seq: number, id: string]>(
              'SELECT s.name, m.seq, lower(hex(m.id)) FROM messages m JOIN sessions s ON s.number = m.session',
            )
            .raw()
            .all()
            .map(([name, seq, id]) => [`${name} ${seq}`, id]),
        ),
    );
    const idOf: IdOf = (session, seq) => {
      const id = ids.get(`${session} ${seq}`);
      if (id === undefined) throw new Error(`There is no message ${seq} of "${session}".`);
      return id.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5');
    };
    clock.now = startedAt;
    const opened = await files.openWithReport({ maxAttempts: 9 });
    return { ...opened, idOf };
  }

  test('is what the steps up to it make', () => {
    files.loadFixture(version);
    const made = new Database(':memory:');
    migrate(made, migrations.slice(0, version), () => {});
    expect(readDatabase(schemaOf)).toEqual(schemaOf(made));
    expect(readDatabase(schemaVersionOf)).toBe(version);
    made.close();
  });

  test('is brought to the present one: sound, and with the schema of a new database', async () => {
    const { store, report, recovery } = await migrated();
    expect(report).toEqual({
      created: false,
      closedCleanly: false,
      checkedWhole: true,
      migratedFrom: version === schemaVersion ? null : version,
    });
    expect(recovery).toEqual(recoveryOf(version));
    await store.close();
    expect(checkStore(files.path)).toEqual([]);
    expect(readDatabase(schemaVersionOf)).toBe(schemaVersion);
    const made = new Database(':memory:');
    migrate(made, migrations, () => {});
    expect(readDatabase(schemaOf)).toEqual(schemaOf(made));
    made.close();
  });

  test('keeps every session and message, and counts them as before', async () => {
    const { store, idOf } = await migrated();
    const found: Message[] = [];
    for (const session of left) {
      const page = await store.sessionMessages(session.session, { limit: 10, after: null });
      expect(page).toEqual({ items: messagesOf(session, idOf), next: null });
      found.push(...(page?.items ?? []));
    }
    for (const message of found) expect(await store.message(message.id)).toEqual(message);

    const summaries = left.map((session) => {
      const { last_seq: lastSeq, last_accepted_at: lastAcceptedAt, ...own } = archivedSessionOf(session);
      const { policy, agent, generation } = own;
      const waiting = messagesOf(session, idOf).filter(({ state }) => state === 'queued').length;
      const queue = { lastSeq, lastAcceptedAt, waiting, running: false };
      return { session: session.session, policy, agent, generation, ...queue };
    });
    const byName = (a: { readonly session: string }, b: { readonly session: string }) =>
      a.session < b.session ? -1 : 1;
    expect(await store.sessions({ limit: 100, after: null })).toEqual({
      items: summaries.sort(byName),
      next: null,
    });

    const dead: Message[] = [];
    let next: string | null = null;
    do {
      const page: Awaited<ReturnType<Store['deadMessages']>> = await store.deadMessages({
        limit: 3,
        after: next,
      });
      dead.push(...page.items);
      next = page.next;
    } while (next !== null);
    expect(dead.sort(byName)).toEqual(found.filter(({ state }) => state === 'dead').sort(byName));

    const count = (state: Message['state']) => found.filter((message) => message.state === state).length;
    const archived = left.flatMap((session) => archivedMessagesOf(session, idOf));
    expect(await store.counts()).toEqual({
      sessions: left.length,
      queued: count('queued'),
      running: 0,
      replied: count('replied'),
      delivered: count('delivered'),
      dead: count('dead'),
      cancelled: count('cancelled'),
      collected: count('collected'),
      undelivered: archived.filter(({ delivery }) => delivery?.state === 'pending').length,
    });
  });

  test('keeps the runs, which are read before and after', async () => {
    files.loadFixture(version);
    expect(readRuns(files.path)).toEqual(version < 2 ? null : runsOf(version));
    expect(await (await files.open()).runs(100)).toEqual(runsOf(version));
  });

  test('is exported with all of it', async () => {
    const { store, idOf } = await migrated();
    await store.close();
    const items: ArchiveItem[] = [];
    await exportStore(files.path, async (all) => {
      items.push(...all);
    });
    const keyOf = (item: ArchiveItem) =>
      item.type === 'record'
        ? `${item.kind} ${item.key}`
        : item.type === 'blob'
          ? `${item.type} ${item.id} ${item.position}`
          : `${item.type} ${item.session} ${item.type === 'message' ? item.seq : ''}`;
    const inOrder = (all: readonly ArchiveItem[]) => all.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
    expect(inOrder(items)).toEqual(
      inOrder([
        ...left.map(archivedSessionOf),
        ...left.flatMap((session) => archivedMessagesOf(session, idOf)),
        ...recordsOf(version),
      ]),
    );
  });

  test('goes on with its turns in their order', async () => {
    const { store, idOf } = await migrated();
    expect(await dueAt(store, 'first')).toBe(9_000);
    const turns: Turn[] = [];
    for (const now of [8_000, 10_000]) {
      for (;;) {
        const claimed = await claimTurns(store, { now });
        if (claimed.length === 0) break;
        for (const turn of claimed) {
          expect(await at(now, store).completeTurn(turn, { text: 'done', metadata: {} })).toBe(true);
        }
        turns.push(...claimed);
      }
    }
    expect(turns.map(({ session, seq, attempt }) => [session, seq, attempt])).toEqual(turnsOf(version));
    for (const { session, seq, messageId, collected, text } of turns) {
      const messages = left.flatMap((one) => (one.session === session ? messagesOf(one, idOf) : []));
      const parts = messages.filter(({ collectedIn }) => collectedIn?.id === messageId);
      expect(collected.map((part) => part.messageId)).toEqual(parts.map(({ id }) => id));
      const own = messages.filter((message) => message.seq === seq);
      expect(text).toBe([...parts, ...own].map((message) => message.text).join('\n\n'));
    }
    expect(await store.counts()).toMatchObject({ queued: 0, running: 0 });
  });

  test('leaves no lease to an owner that is gone, and goes on with its epochs', async () => {
    files.loadFixture(version);
    const last =
      version < 9
        ? 0
        : readDatabase((database) => database.prepare('SELECT epoch FROM counters').pluck().get());
    const { store } = await files.openWithReport();
    expect(await store.claimLease('channel', 'held', 'next', 1_000)).toBe(Number(last) + 1);
  });

  test('goes on with its deliveries in their order', async () => {
    const { store, idOf } = await migrated();
    const deliveries: Delivery[] = [];
    for (const now of [8_000, 10_000]) {
      for (;;) {
        const claimed = await claimDeliveries(store, { now });
        if (claimed.length === 0) break;
        for (const delivery of claimed) expect(await at(now, store).completeDelivery(delivery)).toBe(true);
        deliveries.push(...claimed);
      }
    }
    expect(deliveries.map(({ session, seq, attempt }) => [session, seq, attempt])).toEqual(
      deliveriesOf(version),
    );
    const messages = new Map(
      left.flatMap((session) => messagesOf(session, idOf)).map((message) => [message.id, message]),
    );
    for (const { messageId, target, webhookId, text, replyText, notice } of deliveries) {
      const message = messages.get(messageId);
      expect({ target, webhookId, text, replyText, notice }).toEqual({
        target: message?.replyTo,
        webhookId: message?.delivery?.webhookId,
        text: message?.text,
        replyText: message?.reply?.text ?? '',
        notice: message?.delivery?.kind === 'notice' ? message.error : null,
      });
    }
    expect(await store.counts()).toMatchObject({
      // Replies that are to be posted nowhere.
      replied: 2 + Number(version >= 11) + Number(version >= 12),
      undelivered: 0,
    });
  });

  test('knows the keys of its messages, and takes what is new in the present one', async () => {
    const { store, idOf } = await migrated();
    const posted = (session: string, byte: number) =>
      store.accept(
        newMessage(session, { idempotencyKey: 'key', fingerprint: new Uint8Array(32).fill(byte) }),
        noLimits,
      );
    for (const session of ['delivered', 'running']) {
      const id = idOf(session, 1);
      expect(await posted(session, 5)).toMatchObject({ outcome: 'repeated', message: { id } });
      expect(await posted(session, 6)).toEqual({ outcome: 'conflict', messageId: id });
    }

    const before = await store.counts();
    expect((await acceptOne(store, 'queued', { sender: 'ada' })).seq).toBe(3);
    expect(await at(8_000, store).cancelMessage(idOf('queued', 1))).toMatchObject({ outcome: 'cancelled' });
    await at(8_000, store).setPolicy('queued', 'collect');
    const turns = await claimTurns(store, { now: 8_000, leaseUntil: 12_000, collectLimit: 9 });
    expect(turns.find(({ session }) => session === 'queued')).toMatchObject({
      seq: 3,
      collected: [{ seq: 2 }],
    });
    expect(await store.counts()).toMatchObject({
      cancelled: before.cancelled + 1,
      collected: before.collected + 1,
      running: turns.length,
    });
  });
});

describe('migrations', () => {
  const next = {
    version: schemaVersion + 1,
    statements: ['ALTER TABLE sessions ADD COLUMN colour TEXT', "UPDATE sessions SET colour = 'blue'"],
  };

  test('run in order, each once, with signs of progress', () => {
    files.loadFixture(1);
    readDatabase((database) => {
      let steps = 0;
      expect(migrate(database, [...migrations, next], () => (steps += 1))).toBe(1);
      expect(schemaVersionOf(database)).toBe(next.version);
      expect(steps).toBeGreaterThanOrEqual(next.statements.length);
      expect(database.prepare('SELECT DISTINCT colour FROM sessions').all()).toEqual([{ colour: 'blue' }]);
      expect(migrate(database, [...migrations, next], () => {})).toBe(next.version);
    });
  });

  test('leave a sound database after each', () => {
    files.loadFixture(1);
    for (const version of versions) {
      readDatabase((database) => migrate(database, migrations.slice(0, version), () => {}));
      expect(readDatabase(schemaVersionOf)).toBe(version);
      expect(checkStore(files.path)).toEqual([]);
    }
  });

  test('one that fails leaves the version before it', () => {
    files.loadFixture(1);
    readDatabase((database) => {
      const failing = { ...next, statements: [...next.statements, 'INSERT INTO nowhere VALUES (1)'] };
      expect(() => migrate(database, [...migrations, failing], () => {})).toThrow(/nowhere/);
      expect(schemaVersionOf(database)).toBe(schemaVersion);
      expect(() => database.prepare('SELECT colour FROM sessions')).toThrow(/colour/);
    });
  });
});
