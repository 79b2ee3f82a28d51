import type { ExpectedRecord } from '../records.js';

/** A record as the store has it. */
export interface RecordFacts {
  readonly version: number;
  readonly expiresAt: number | null;
}

/** The record, unless its time is over: then it is as if there were none. */
export function unexpired<Row extends RecordFacts>(record: Row | null, now: number): Row | null {
  return record === null || (record.expiresAt !== null && record.expiresAt <= now) ? null : record;
}

/** True if the record is as a writer expects it. Null: there is none. */
export function isAsExpected(record: RecordFacts | null, expected: ExpectedRecord): boolean {
  if (expected === 'any') return true;
  return expected === (record?.version ?? null);
}
