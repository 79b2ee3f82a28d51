import type { Attachment } from '../../messages.js';
import { StoreError } from '../../store-error.js';
import { sql, valueSql } from './statements.js';
import type { Transaction } from './transaction.js';

/** Files of messages and replies, in chunks. Until something names one it belongs to nothing, and is forgotten in a day. */

interface BlobRow {
  readonly number: number;
  readonly message: number | null;
  readonly size: number;
}

const insertBlob = sql<[id: string, now: number]>('INSERT INTO blobs (id, at) VALUES (?, ?)');
const insertChunk = sql<[position: number, data: Uint8Array, id: string]>(
  `INSERT INTO blob_chunks (blob, position, data)
   SELECT number, ?, ? FROM blobs WHERE id = ? AND message IS NULL`,
);
const chunkOf = valueSql<[id: string, position: number], Buffer>(
  'SELECT c.data FROM blobs b JOIN blob_chunks c ON c.blob = b.number WHERE b.id = ? AND c.position = ?',
);
// The length of a BLOB is known without its pages.
const blobById = sql<[id: string], BlobRow>(
  `SELECT b.number, b.message,
     coalesce((SELECT sum(length(c.data)) FROM blob_chunks c WHERE c.blob = b.number), -1) AS size
   FROM blobs b WHERE b.id = ?`,
);
const giveBlob = sql<[message: number, blob: number]>('UPDATE blobs SET message = ? WHERE number = ?');
const deleteFree = sql<[id: string]>('DELETE FROM blobs WHERE id = ? AND message IS NULL');
const deleteOld = sql<[before: number, limit: number]>(
  `DELETE FROM blobs WHERE number IN (
     SELECT number FROM blobs INDEXED BY blobs_free WHERE message IS NULL AND at < ? ORDER BY at LIMIT 0 + ?)`,
);

/** For how long a file may belong to nothing, in milliseconds. */
const freeForMs = 86_400_000;

export function addBlobChunk(
  { sql, now }: Transaction,
  id: string,
  position: number,
  data: Uint8Array,
): void {
  if (position === 0) sql.run(insertBlob, id, now);
  const { changes } = sql.run(insertChunk, position, data, id);
  if (changes === 0) throw new StoreError('internal', `The file ${id} was forgotten before it was whole.`);
}

export function readBlobChunk({ sql }: Transaction, id: string, position: number): Uint8Array | null {
  return sql.get(chunkOf, id, position) ?? null;
}

/** Gives the message these files. Throws where one is not there whole, or is another's. */
export function attach({ sql }: Transaction, message: number, attachments: readonly Attachment[] = []): void {
  for (const { id, name, sizeBytes } of attachments) {
    const row = sql.get(blobById, id);
    if (row === undefined || row.message !== null || row.size !== sizeBytes) {
      throw new StoreError(
        'internal',
        `The file ${JSON.stringify(name)} (${id}) is not in the store whole, or belongs to another message: send it again.`,
      );
    }
    sql.run(giveBlob, message, row.number);
  }
}

export function removeBlob({ sql }: Transaction, id: string): void {
  sql.run(deleteFree, id);
}

/** Deletes some of those that nothing has named for a day; gives how many. */
export function forgetBlobs({ sql, now }: Transaction, limit: number): number {
  return sql.run(deleteOld, now - freeForMs, limit).changes;
}

/** As a column has them: null for none. */
export function fromAttachments(attachments: readonly Attachment[] | undefined): string | null {
  return attachments === undefined || attachments.length === 0 ? null : JSON.stringify(attachments);
}

/** A member for what has them; nothing where there are none. */
export function toAttachments(json: string | null | undefined): {
  readonly attachments?: readonly Attachment[];
} {
  return json == null ? {} : { attachments: JSON.parse(json) };
}
