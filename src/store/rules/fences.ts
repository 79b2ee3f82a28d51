import type { ExpectedRecord } from '../records.js';

/** A lease as the store has it. */
export interface LeaseFacts {
  /** The owner; null if it was released. */
  readonly owner: string | null;
  readonly epoch: number;
  readonly leaseUntil: number | null;
}

/** True if `owner` may claim it: nobody has it, its lease is over, or it is the owner's own. Null: it is new. */
export function mayClaimLease(lease: LeaseFacts | null, owner: string, now: number): boolean {
  if (lease === null || lease.owner === null || lease.owner === owner) return true;
  return (lease.leaseUntil ?? 0) <= now;
}

/** True if it is held by just this claim. One whose lease is over stands until somebody else claims it. */
export function leaseStands(
  lease: LeaseFacts | null,
  claim: { readonly owner: string; readonly epoch: number },
): boolean {
  return lease !== null && lease.owner === claim.owner && lease.epoch === claim.epoch;
}

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
