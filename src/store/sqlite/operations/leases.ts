import type { LeaseHold } from '../../records.js';
import { type LeaseFacts, leaseStands, mayClaimLease } from '../../rules/fences.js';
import { raiseEpoch } from './claims.js';
import { sql } from './statements.js';
import type { Transaction } from './transaction.js';

interface LeaseRow {
  readonly owner: string | null;
  readonly epoch: number;
  readonly lease_until: number | null;
}

const leaseOf = sql<[kind: string, name: string], LeaseRow>(
  'SELECT owner, epoch, lease_until FROM leases WHERE kind = ? AND name = ?',
);
const upsertLease = sql<[kind: string, name: string, owner: string, epoch: number, leaseUntil: number]>(
  `INSERT INTO leases (kind, name, owner, epoch, lease_until) VALUES (?, ?, ?, ?, ?)
   ON CONFLICT (kind, name) DO UPDATE SET owner = excluded.owner, epoch = excluded.epoch,
     lease_until = excluded.lease_until`,
);
const extendLease = sql<[leaseUntil: number, kind: string, name: string]>(
  'UPDATE leases SET lease_until = ? WHERE kind = ? AND name = ?',
);
const endLease = sql<[kind: string, name: string]>(
  'UPDATE leases SET owner = NULL, lease_until = NULL WHERE kind = ? AND name = ?',
);
// Only at a start, and there are few.
const endAllLeases = sql<[]>(
  "UPDATE leases SET owner = NULL, lease_until = NULL WHERE kind > '' AND owner IS NOT NULL",
);

export function claimLease(
  transaction: Transaction,
  kind: string,
  name: string,
  owner: string,
  leaseMs: number,
): number | null {
  const { sql, now } = transaction;
  if (!mayClaimLease(factsOf(transaction, kind, name), owner, now)) return null;
  const epoch = raiseEpoch(transaction);
  sql.run(upsertLease, kind, name, owner, epoch, now + leaseMs);
  return epoch;
}

export function renewLease(transaction: Transaction, lease: LeaseHold, leaseMs: number): boolean {
  const { sql, now } = transaction;
  const { kind, name } = lease;
  if (!leaseStands(factsOf(transaction, kind, name), lease)) return false;
  sql.run(extendLease, now + leaseMs, kind, name);
  return true;
}

export function releaseLease(transaction: Transaction, lease: LeaseHold): boolean {
  const { kind, name } = lease;
  if (!leaseStands(factsOf(transaction, kind, name), lease)) return false;
  transaction.sql.run(endLease, kind, name);
  return true;
}

/** Whoever had one is gone. */
export function releaseAllLeases({ sql }: Transaction): void {
  sql.run(endAllLeases);
}

function factsOf({ sql }: Transaction, kind: string, name: string): LeaseFacts | null {
  const row = sql.get(leaseOf, kind, name);
  return row === undefined ? null : { owner: row.owner, epoch: row.epoch, leaseUntil: row.lease_until };
}
