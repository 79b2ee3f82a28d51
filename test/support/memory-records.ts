import { hash, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { FileContent } from '../../src/store/new-attachments.js';
import type { ExpectedRecord, NewRecord, StoredRecord } from '../../src/store/records.js';

/** Keeps records and files in memory, as a store does. */
export function memoryRecords() {
  const all = new Map<string, StoredRecord>();
  const blobs = new Map<string, Buffer>();
  let version = 0;
  return {
    all,
    blobs,
    record: async (_kind: string, key: string) => all.get(key) ?? null,
    putRecord: async ({ kind, key, value }: NewRecord, expected: ExpectedRecord = 'any') => {
      const before = all.get(key) ?? null;
      if (expected !== 'any' && (before?.version ?? null) !== expected) {
        return { outcome: 'conflict', record: before } as const;
      }
      version += 1;
      all.set(key, { kind, key, value: JSON.parse(JSON.stringify(value)), version, expiresAt: null });
      return { outcome: 'written', version } as const;
    },
    putBlob: async (content: FileContent, limitBytes: number) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of content) chunks.push(chunk);
      const bytes = Buffer.concat(chunks);
      if (bytes.length > limitBytes) return null;
      const id = randomUUID();
      blobs.set(id, bytes);
      return { id, sizeBytes: bytes.length, sha256: hash('sha256', bytes) };
    },
    openBlob: async (id: string) => {
      const bytes = blobs.get(id);
      return bytes === undefined ? null : Readable.from([bytes]);
    },
    removeBlob: async (id: string) => {
      blobs.delete(id);
    },
  };
}
