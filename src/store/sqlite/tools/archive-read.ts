import type { Database } from 'better-sqlite3';
import type { ArchivedMessage, ArchivedRecord, ArchivedSession, ArchiveItem } from '../../archive.js';
import { StoreError } from '../../store-error.js';
import { idToBytes, idToText } from '../operations/columns.js';
import {
  archivedBlob,
  archivedMessage,
  archivedRecord,
  archivedSession,
  type DeltaRow,
  type MessageRow,
  type PartRow,
  type RecordRow,
  type ReplyRow,
  type StoredDeliveryRow,
  type StoredSessionRow,
  type TextRow,
} from './archived-rows.js';

/** Rows that one snapshot reads at most. */
const rowsAtATime = 256;
/** Characters of messages after which it reads no further ones. */
const charactersAtATime = 4_000_000;

/** A message with all that belongs to it, and where its files are. */
interface WholeMessage {
  readonly number: number;
  readonly item: ArchivedMessage;
  readonly chunks: readonly { readonly blob: string; readonly position: number }[];
}

/**
 * All that a sound database held when the first item was asked for. Each message is as it is when its turn comes: a
 * snapshot of the whole would keep the write-ahead log from being emptied for as long as the items are taken.
 */
export function* readArchive(database: Database): Generator<ArchiveItem> {
  const reader = new ArchiveReader(database);
  for (const { item } of reader.sessions()) yield item;
  for (const { item, chunks } of reader.messages()) {
    yield item;
    for (const { blob, position } of chunks) {
      yield archivedBlob(blob, idToBytes(item.id), position, reader.chunk(item.id, blob, position));
    }
  }
  yield* reader.records();
}

/** Reads in snapshots that are over before the first of their items is taken. */
class ArchiveReader {
  readonly #database: Database;
  readonly #names = new Map<number, string>();
  readonly #last: { readonly session: number; readonly message: number };

  constructor(database: Database) {
    this.#database = database;
    const last = database.prepare<[], { session: number; message: number }>(
      `SELECT coalesce((SELECT max(number) FROM sessions), 0) AS session,
         coalesce((SELECT max(number) FROM messages), 0) AS message`,
    );
    this.#last = last.get() ?? { session: 0, message: 0 };
  }

  *sessions(): Generator<{ readonly number: number; readonly item: ArchivedSession }> {
    const page = this.#database.prepare<[after: number, last: number, limit: number], StoredSessionRow>(
      'SELECT * FROM sessions WHERE number > ? AND number <= ? ORDER BY number LIMIT ?',
    );
    yield* pages((after) =>
      page.all(after, this.#last.session, rowsAtATime).map((row) => {
        this.#names.set(row.number, row.name);
        return { number: row.number, item: archivedSession(row) };
      }),
    );
  }

  *messages(): Generator<WholeMessage> {
    const page = this.#database.prepare<[after: number, last: number, limit: number], MessageRow>(
      'SELECT * FROM messages WHERE number > ? AND number <= ? ORDER BY number LIMIT ?',
    );
    const whole = this.#wholeMessages();
    const read = this.#database.transaction((after: number) => {
      const found: WholeMessage[] = [];
      let characters = 0;
      for (const row of page.iterate(after, this.#last.message, rowsAtATime)) {
        const message = whole(row);
        found.push(message);
        characters += message.item.text.length + (message.item.reply?.text.length ?? 0);
        if (characters > charactersAtATime) break;
      }
      return found;
    });
    yield* pages(read);
  }

  *records(): Generator<ArchivedRecord> {
    const page = this.#database.prepare<[kind: string, key: string, limit: number], RecordRow>(
      'SELECT * FROM records WHERE (kind, key) > (?, ?) ORDER BY kind, key LIMIT ?',
    );
    for (let [kind, key] = ['', '']; ; ) {
      const rows = page.all(kind, key, rowsAtATime);
      for (const row of rows) yield archivedRecord(row);
      const last = rows.at(-1);
      if (last === undefined) return;
      ({ kind, key } = last);
    }
  }

  /** A piece of a file. Throws where the message was forgotten meanwhile. */
  chunk(messageId: string, blob: string, position: number): Buffer {
    const data = this.#database
      .prepare<[id: string, position: number], Buffer>(
        'SELECT c.data FROM blobs b JOIN blob_chunks c ON c.blob = b.number WHERE b.id = ? AND c.position = ?',
      )
      .pluck()
      .get(blob, position);
    if (data === undefined) {
      throw new StoreError(
        'internal',
        `The message ${messageId} was forgotten while it was exported, as store.keep was over: export again.`,
      );
    }
    return data;
  }

  #wholeMessages(): (row: MessageRow) => WholeMessage {
    const database = this.#database;
    const part = <Row>(sql: string) => database.prepare<[message: number], Row>(sql);
    const text = part<TextRow>('SELECT * FROM message_texts WHERE message = ?');
    const reply = part<ReplyRow>('SELECT * FROM replies WHERE message = ?');
    const delivery = part<StoredDeliveryRow>('SELECT * FROM deliveries WHERE message = ?');
    const parts = part<PartRow>('SELECT * FROM delivery_parts WHERE message = ? ORDER BY part');
    const deltas = part<DeltaRow>('SELECT * FROM deltas WHERE message = ? ORDER BY position');
    const chunks = part<WholeMessage['chunks'][number]>(
      `SELECT b.id AS blob, c.position FROM blobs b JOIN blob_chunks c ON c.blob = b.number
       WHERE b.message = ? ORDER BY b.number, c.position`,
    );
    const id = database.prepare<[number: number], Buffer>('SELECT id FROM messages WHERE number = ?').pluck();
    const held = database.prepare<[line: string, session: number, message: number]>(
      'SELECT 1 FROM heads WHERE line = ? AND session = ? AND message = ? AND owner IS NOT NULL',
    );
    return (message) => {
      const { number, session, collected_in } = message;
      const own = text.get(number);
      const name = this.#names.get(session);
      if (own === undefined || name === undefined) {
        throw new Error(
          `The message ${idToText(message.id)} has no text or no session: "store check" says more.`,
        );
      }
      const item = archivedMessage({
        message,
        session: name,
        text: own,
        reply: reply.get(number) ?? null,
        delivery: delivery.get(number) ?? null,
        parts: parts.all(number),
        deltas: deltas.all(number),
        collectedIn: collected_in === null ? null : (id.get(collected_in) ?? null),
        held: {
          turn: held.get('turn', session, number) !== undefined,
          delivery: held.get('delivery', session, number) !== undefined,
        },
      });
      return { number, item, chunks: chunks.all(number) };
    };
  }
}

/** Goes from page to page, by the number of the last row. */
function* pages<Row extends { readonly number: number }>(
  read: (after: number) => readonly Row[],
): Generator<Row> {
  for (let after = 0; ; ) {
    const rows = read(after);
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last.number;
  }
}
