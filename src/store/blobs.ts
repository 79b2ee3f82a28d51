import { createHash, randomUUID } from 'node:crypto';
import type { StoredBlob } from './messages.js';

/** Files come to a store and leave it in pieces of this size, so that none is ever in memory as a whole. */
export const blobChunkBytes = 262_144;

/** One database's own part of it. */
export interface BlobChunks {
  /** Positions are 0, 1, 2, …; the first chunk makes the file. */
  add(id: string, position: number, data: Uint8Array): Promise<void>;
  /** Gives null behind the last one. */
  read(id: string, position: number): Promise<Uint8Array | null>;
  remove(id: string): Promise<void>;
}

/** Writes a file in chunks. If it is longer than `limitBytes`, or its source fails, nothing of it stays. */
export async function writeBlob(
  chunks: BlobChunks,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  limitBytes: number,
): Promise<StoredBlob | null> {
  const id = randomUUID();
  const hash = createHash('sha256');
  let sizeBytes = 0;
  let position = 0;
  try {
    for await (const data of inChunks(content)) {
      sizeBytes += data.length;
      if (sizeBytes > limitBytes) {
        await chunks.remove(id);
        return null;
      }
      hash.update(data);
      await chunks.add(id, position, data);
      position += 1;
    }
  } catch (error) {
    // The failure that led here is the one to be told; the store forgets what is left by itself.
    await chunks.remove(id).catch(() => undefined);
    throw error;
  }
  return { id, sizeBytes, sha256: hash.digest('hex') };
}

/** Reads a file chunk by chunk, as they are asked for; null when there is none. */
export async function readBlob(
  chunks: BlobChunks,
  id: string,
): Promise<AsyncGenerator<Uint8Array, void> | null> {
  const first = await chunks.read(id, 0);
  if (first === null) return null;
  return (async function* rest() {
    let position = 0;
    for (let data: Uint8Array | null = first; data !== null; data = await chunks.read(id, position)) {
      yield data;
      position += 1;
    }
  })();
}

/** One chunk at least, of an empty file too. */
async function* inChunks(
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let chunk = new Uint8Array(blobChunkBytes);
  let length = 0;
  let isFirst = true;
  for await (const data of content) {
    let rest = data;
    while (rest.length > 0) {
      const piece = rest.subarray(0, blobChunkBytes - length);
      chunk.set(piece, length);
      length += piece.length;
      rest = rest.subarray(piece.length);
      if (length < blobChunkBytes) continue;
      yield chunk;
      isFirst = false;
      chunk = new Uint8Array(blobChunkBytes);
      length = 0;
    }
  }
  if (length > 0 || isFirst) yield chunk.slice(0, length);
}
