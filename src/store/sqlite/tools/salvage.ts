import type { Database } from 'better-sqlite3';
import { errorMessage } from '../../../text/failure-text.js';
import {
  type ArchivedBlob,
  type ArchivedMessage,
  type ArchivedRecord,
  type ArchivedSession,
  checkItem,
} from '../../archive.js';
import { idToText } from '../operations/columns.js';
import {
  archivedBlob,
  archivedMessage,
  archivedRecord,
  archivedSession,
  type BlobRow,
  type DeltaRow,
  type MessageRow,
  type PartRow,
  type RecordRow,
  type ReplyRow,
  type StoredDeliveryRow,
  type StoredSessionRow,
  type TextRow,
} from './archived-rows.js';
import { attempt, readTable } from './read-table.js';
import { reconcile, SalvagedDeliveries } from './salvaged-deliveries.js';
import { salvagedSessions } from './salvaged-sessions.js';

export interface Salvage {
  readonly sessions: readonly ArchivedSession[];
  readonly messages: readonly ArchivedMessage[];
  readonly records: readonly ArchivedRecord[];
  /** Records of the gateway's runs, oldest first. */
  readonly runs: readonly RunRow[];
  /** The files of these messages, read as they are asked for: the database has to be open until then. */
  readonly blobs: Iterable<ArchivedBlob>;
  /** Messages that are known of and could not be read whole, or that can't be put together. */
  readonly lost: readonly string[];
  /** Parts of deliveries, sessions and records that could not be read and were made anew. */
  readonly remade: readonly string[];
  /** The number of messages by the counters; null if these can't be read either. */
  readonly expected: number | null;
}

/** The start of a gateway and how it ended, as JSON. */
export interface RunRow {
  readonly id: Buffer;
  readonly record: string;
}

/** Values that migrations put into the rows of databases without these columns. */
const laterMessageColumns = {
  reply_idempotent: 1,
  reply_unknown: null,
  retried_at: null,
  sender: null,
  begun: 0,
  collected_in: null,
  crashes: 0,
  put_backs: 0,
  reply_channel: 'webhook',
  reply_options: null,
  generation: 1,
} as const;
const laterDeliveryColumns = { begun_at: null, unknown: 0, notice: 0 } as const;

/** A row of any version: what it lacks came later, and one column had another name. */
type StoredMessage = Omit<MessageRow, 'reply_address'> & {
  readonly reply_address?: string | null;
  readonly reply_url?: string | null;
};

function withLaterColumns({
  reply_url = null,
  reply_address = reply_url,
  ...row
}: StoredMessage): MessageRow {
  return { ...laterMessageColumns, ...row, reply_address };
}

/** Reads what can still be read of a damaged database. */
export function salvage(database: Database): Salvage {
  const remade: string[] = [];
  const messageRows = readTable<StoredMessage>(database, 'messages', 'number').map(withLaterColumns);
  const sessionRows = salvagedSessions(database, messageRows, remade);
  const texts = byMessage(readTable<TextRow>(database, 'message_texts', 'message'));
  const replies = byMessage(readTable<ReplyRow>(database, 'replies', 'message'));
  const deliveryRows = readTable<StoredDeliveryRow>(database, 'deliveries', 'message').map((row) => ({
    ...laterDeliveryColumns,
    ...row,
  }));
  const partsOf = groupByMessage(readTable<PartRow>(database, 'delivery_parts', 'number'));
  const deltasOf = groupByMessage(readTable<DeltaRow>(database, 'deltas', 'number'));
  const deliveries = new SalvagedDeliveries(byMessage(deliveryRows), messageRows);
  const ids = new Map(messageRows.map(({ number, id }) => [number, id]));
  const names = new Map(sessionRows.map(({ number, name }) => [number, name]));
  const messages: ArchivedMessage[] = [];
  const lost: string[] = [];
  const seen = new Set<string>();
  /** Sessions in which a turn was under way, or a delivery. */
  const underWay = new Set<number>();
  const onTheWay = new Set<number>();
  for (const message of messageRows) {
    const id = describe(message);
    const name = names.get(message.session);
    const text = texts.get(message.number);
    const place = `${message.session} ${message.seq}`;
    if (name === undefined || text === undefined || id === null || seen.has(place)) {
      lost.push(
        `message ${id ?? `number ${message.number}`}, ${name === undefined ? 'of an unknown session' : `${message.seq} of "${name}"`}: ${text === undefined ? 'its text can’t be read' : 'it can’t be put together'}`,
      );
      continue;
    }
    seen.add(place);
    try {
      const reply = replies.get(message.number) ?? null;
      const { collected_in } = message;
      const collectedIn = collected_in === null ? null : (ids.get(collected_in) ?? null);
      const agreed = reconcile(message, reply, deliveries.read(message));
      // A message whose turn is gone can only be run by itself.
      const state = agreed.state === 'collected' && collectedIn === null ? 'queued' : agreed.state;
      const made =
        agreed.delivery === null && reply !== null ? deliveries.remake({ ...message, state }) : null;
      const delivery = agreed.delivery ?? made?.row ?? null;
      const held = {
        turn: state === 'running' && !underWay.has(message.session),
        delivery:
          delivery?.begun_at != null && delivery.state === 'pending' && !onTheWay.has(message.session),
      };
      const archived = archivedMessage({
        message: { ...message, state },
        collectedIn,
        session: name,
        text,
        reply,
        delivery,
        parts: partsOf.get(message.number) ?? [],
        deltas: deltasOf.get(message.number) ?? [],
        held,
      });
      checkItem(archived);
      messages.push(archived);
      if (made !== null) {
        remade.push(
          `what was known of the delivery of message ${id}, ${message.seq} of "${name}": ${made.outlook}`,
        );
      }
      if (held.turn) underWay.add(message.session);
      if (held.delivery) onTheWay.add(message.session);
    } catch (error) {
      lost.push(`message ${id}: ${errorMessage(error)}`);
    }
  }
  return {
    sessions: lastNumbers(sessionRows, messages),
    messages,
    records: soundRecords(database, remade),
    runs: readTable<RunRow>(database, 'runs', 'number').filter(isRun),
    blobs: soundBlobs(database, messages, ids),
    lost,
    remade,
    expected: expectedMessages(database),
  };
}

/** Records that are whole; the others are named in `lost`. */
function soundRecords(database: Database, lost: string[]): readonly ArchivedRecord[] {
  return readTable<RecordRow>(database, 'records', 'number').flatMap((row) => {
    try {
      const record = archivedRecord(row);
      checkItem(record);
      return [record];
    } catch {
      lost.push(`the record ${JSON.stringify(row.key)} of the kind ${JSON.stringify(row.kind)}`);
      return [];
    }
  });
}

/** Each file as far as it can be read, from its first chunk on. */
function* soundBlobs(
  database: Database,
  messages: readonly ArchivedMessage[],
  ids: ReadonlyMap<number, Buffer>,
): Generator<ArchivedBlob> {
  const named = new Set(messages.flatMap((message) => attachmentsOf(message).map(({ id }) => id)));
  const chunk = attempt(() =>
    database
      .prepare<[blob: number, position: number], Buffer>(
        'SELECT data FROM blob_chunks WHERE blob = ? AND position = ?',
      )
      .pluck(),
  );
  if (chunk === null) return;
  for (const { number, id, message } of readTable<BlobRow>(database, 'blobs', 'number')) {
    const owner = message === null ? undefined : ids.get(message);
    if (owner === undefined || !named.has(id)) continue;
    for (let position = 0; ; position += 1) {
      const data = attempt(() => chunk.get(number, position));
      if (!Buffer.isBuffer(data)) break;
      yield archivedBlob(id, owner, position, data);
    }
  }
}

/** Files of the message and of its reply. */
export function attachmentsOf({ attachments = [], reply }: ArchivedMessage) {
  return [...attachments, ...(reply?.attachments ?? [])];
}

/** A session’s last number is at least that of the last message that is known of. */
function lastNumbers(
  rows: readonly StoredSessionRow[],
  messages: readonly ArchivedMessage[],
): ArchivedSession[] {
  const last = new Map<string, number>();
  for (const { session, seq } of messages) last.set(session, Math.max(last.get(session) ?? 0, seq));
  return rows.map((row) => {
    const session = archivedSession(row);
    return { ...session, last_seq: Math.max(session.last_seq, last.get(row.name) ?? 0) };
  });
}

function isRun({ id, record }: RunRow): boolean {
  if (!Buffer.isBuffer(id) || id.length !== 16) return false;
  try {
    JSON.parse(record);
    return true;
  } catch {
    return false;
  }
}

function describe({ id }: MessageRow): string | null {
  return Buffer.isBuffer(id) && id.length === 16 ? idToText(id) : null;
}

function byMessage<Row extends { readonly message: number }>(rows: readonly Row[]): Map<number, Row> {
  return new Map(rows.map((row) => [row.message, row]));
}

function groupByMessage<Row extends { readonly message: number }>(rows: readonly Row[]): Map<number, Row[]> {
  const groups = new Map<number, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.message);
    if (group === undefined) groups.set(row.message, [row]);
    else group.push(row);
  }
  return groups;
}

function expectedMessages(database: Database): number | null {
  const counters = attempt(() => database.prepare('SELECT * FROM counters').get()) as
    | Readonly<Record<string, unknown>>
    | null
    | undefined;
  if (counters == null) return null;
  // Counters of an earlier version lack some states; a damaged row may have anything.
  const states = ['queued', 'running', 'replied', 'delivered', 'dead', 'cancelled', 'collected'] as const;
  const counts = states.filter((state) => state in counters).map((state) => counters[state]);
  if (!counts.every((count) => typeof count === 'number')) return null;
  return counts.reduce((sum, count) => sum + count, 0);
}
