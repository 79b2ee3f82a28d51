import type { ExpectedRecord, NewRecord, StoredRecord } from '../../src/store/records.js';

/** Keeps records in memory, as a store does. */
export function memoryRecords() {
  const all = new Map<string, StoredRecord>();
  let version = 0;
  return {
    all,
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
  };
}
