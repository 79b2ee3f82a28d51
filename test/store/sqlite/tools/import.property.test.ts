import { copyFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  type ArchivedMessage,
  type ArchivedRecord,
  type ArchivedSession,
  ArchiveError,
  type ArchiveItem,
  parseArchive,
} from '../../../../src/store/archive.js';
import { checkStore, exportStore, importToStore } from '../../../../src/store/sqlite/tools/maintenance.js';
import { EncodingError, linesOf } from '../../../../src/text/lines.js';
import { propertyRuns } from '../../../support/properties.js';
import { nearArchive } from '../../near-archive.js';
import { SqliteFactory } from '../sqlite-factory.js';

let files: SqliteFactory;
beforeEach(() => {
  files = new SqliteFactory();
});
afterEach(() => files.remove());

async function* only(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

const read = (bytes: Buffer) => parseArchive(linesOf(only(bytes), { fatal: true }));

async function exported(path: string): Promise<ArchiveItem[]> {
  const items: ArchiveItem[] = [];
  await exportStore(path, async (all) => {
    items.push(...all);
  });
  return items;
}

/** A session that comes again is the same one; its numbers go on behind its last message. */
function together(
  sessions: readonly ArchivedSession[],
  messages: readonly ArchivedMessage[],
): ArchivedSession[] {
  const known = new Map<string, ArchivedSession>();
  for (const session of sessions) {
    const before = known.get(session.session) ?? session;
    known.set(session.session, {
      ...session,
      last_seq: Math.max(before.last_seq, session.last_seq),
      last_accepted_at: Math.max(before.last_accepted_at, session.last_accepted_at),
      policy: before.policy ?? session.policy,
    });
  }
  return [...known.values()].map((session) => {
    const own = messages.filter((message) => message.session === session.session);
    return { ...session, last_seq: Math.max(session.last_seq, ...own.map(({ seq }) => seq)) };
  });
}

/** The message after an import: nothing is under way, or part of a turn, that could not be. */
function possible(message: ArchivedMessage, all: readonly ArchivedMessage[]): ArchivedMessage {
  const { id, session, seq, idempotency, collected_in, delivery } = message;
  const turn = all.find((other) => other.id.toLowerCase() === collected_in?.toLowerCase());
  const isPart =
    message.state === 'collected' &&
    turn?.session === session &&
    turn.seq > seq &&
    turn.state !== 'collected';
  const isCut = (message.state === 'running' && !message.held) || (message.state === 'collected' && !isPart);
  const state = isCut ? 'queued' : message.state;
  return {
    ...message,
    id: id.toLowerCase(),
    state,
    held: message.held && (state === 'running' || state === 'cancelled'),
    collected_in: isPart ? turn.id.toLowerCase() : null,
    idempotency: idempotency && { ...idempotency, fingerprint: idempotency.fingerprint.toLowerCase() },
    delivery: delivery && { ...delivery, held: delivery.held && delivery.state === 'pending' },
  };
}

/** A message that its session has gone past is tried again, else nothing would come to it. */
function reachable(messages: readonly ArchivedMessage[]): ArchivedMessage[] {
  return messages.map((message) => {
    const isPast = messages.some(
      ({ session, seq, state, held, retried_at }) =>
        session === message.session &&
        seq > message.seq &&
        (held || (state === 'queued' && retried_at !== null)),
    );
    const waits = message.state === 'queued' && message.retried_at === null;
    return isPast && waits ? { ...message, retried_at: message.changed_at, begun: true } : message;
  });
}

const placeOf = ({ kind, key }: ArchivedRecord): string => `${kind}\0${key}`;

function afterImport(items: readonly ArchiveItem[]): ArchiveItem[] {
  const messages = items.filter((item) => item.type === 'message');
  return [
    ...together(
      items.filter((item) => item.type === 'session'),
      messages,
    ),
    ...reachable(messages.map((message) => possible(message, messages))),
    ...items.filter((item) => item.type === 'record').toSorted((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1)),
  ];
}

test('an archive that is nearly right is imported as it is, or not at all', async () => {
  // To make one takes ten times as long as to import what is here.
  const empty = `${files.directory}/empty.db`;
  await importToStore(empty, []);
  let number = 0;
  await fc.assert(
    fc.asyncProperty(nearArchive, async (bytes) => {
      number += 1;
      const path = `${files.directory}/${number}.db`;
      copyFileSync(empty, path);
      try {
        await importToStore(path, read(bytes));
      } catch (error) {
        expect([ArchiveError, EncodingError]).toContain((error as Error).constructor);
        // The place of it, in the archive or in what its lines say.
        expect(String(error)).toMatch(/\bline \d+|\bmessage [\da-f-]{36} |\bsession "|\brecord /);
        expect(await exported(path)).toEqual([]);
        return;
      }
      const items: ArchiveItem[] = [];
      for await (const item of read(bytes)) items.push(item);
      // JSON knows no other zero than 0.
      const written: ArchiveItem[] = JSON.parse(JSON.stringify(items));
      expect(await exported(path)).toEqual(afterImport(written));
      expect(checkStore(path)).toEqual([]);
    }),
    { numRuns: propertyRuns(20) },
  );
});
