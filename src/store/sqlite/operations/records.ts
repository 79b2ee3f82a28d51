import type { Page, PageRequest } from '../../messages.js';
import { checkLimit, decodeCursor, pageOf } from '../../pages.js';
import {
  agentSessionKind,
  type ExpectedRecord,
  type NewRecord,
  type RecordOutcome,
  type StoredRecord,
} from '../../records.js';
import { isAsExpected, unexpired } from '../../rules/fences.js';
import { raiseEpoch } from './claims.js';
import { parseJson } from './columns.js';
import { sql } from './statements.js';
import type { Transaction } from './transaction.js';

interface RecordRow {
  readonly kind: string;
  readonly key: string;
  readonly value: string;
  readonly version: number;
  readonly expires_at: number | null;
}

const recordOf = sql<[kind: string, key: string], RecordRow>(
  'SELECT kind, key, value, version, expires_at FROM records WHERE kind = ? AND key = ?',
);
const recordsAfter = sql<[kind: string, after: string, now: number, limit: number], RecordRow>(
  `SELECT kind, key, value, version, expires_at FROM records
   WHERE kind = ? AND key > ? AND (expires_at IS NULL OR expires_at > ?) ORDER BY key LIMIT 0 + ?`,
);
const upsertRecord = sql<
  [kind: string, key: string, value: string, version: number, now: number, expiresAt: number | null]
>(
  `INSERT INTO records (kind, key, value, version, changed_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)
   ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, version = excluded.version,
     changed_at = excluded.changed_at, expires_at = excluded.expires_at`,
);
const removeRecord = sql<[kind: string, key: string]>('DELETE FROM records WHERE kind = ? AND key = ?');
const removeExpired = sql<[now: number, limit: number]>(
  `DELETE FROM records WHERE number IN (
     SELECT number FROM records INDEXED BY records_expiring
     WHERE expires_at IS NOT NULL AND expires_at <= ? ORDER BY expires_at LIMIT 0 + ?)`,
);

// Keys are as `agentSessionKey` makes them: "0" is the character behind "/".
const deleteAgentSessions = sql<[kind: string, name: string, name: string]>(
  "DELETE FROM records WHERE kind = ? AND key >= ? || '/' AND key < ? || '0'",
);

export function readRecord(transaction: Transaction, kind: string, key: string): StoredRecord | null {
  const row = transaction.sql.get(recordOf, kind, key);
  return unexpired(row === undefined ? null : toRecord(row), transaction.now);
}

export function readRecords({ sql, now }: Transaction, kind: string, page: PageRequest): Page<StoredRecord> {
  const after = page.after === null ? '' : decodeCursor('records', page.after);
  const rows = sql.all(recordsAfter, kind, after, now, checkLimit(page.limit) + 1);
  return pageOf('records', rows.map(toRecord), page.limit, ({ key }) => key);
}

export function putRecord(
  transaction: Transaction,
  { kind, key, value, expiresInMs = null }: NewRecord,
  expected: ExpectedRecord = 'any',
): RecordOutcome {
  const { sql, now } = transaction;
  const present = expected === 'any' ? null : readRecord(transaction, kind, key);
  if (!isAsExpected(present, expected)) return { outcome: 'conflict', record: present };
  const version = raiseEpoch(transaction);
  const expiresAt = expiresInMs === null ? null : now + expiresInMs;
  sql.run(upsertRecord, kind, key, JSON.stringify(value), version, now, expiresAt);
  return { outcome: 'written', version };
}

export function deleteRecord(
  transaction: Transaction,
  kind: string,
  key: string,
  expected: ExpectedRecord = 'any',
): boolean {
  const present = readRecord(transaction, kind, key);
  if (present === null || !isAsExpected(present, expected)) return false;
  transaction.sql.run(removeRecord, kind, key);
  return true;
}

/** Deletes what agents keep for the session. */
export function forgetAgentSessions({ sql }: Transaction, name: string): void {
  sql.run(deleteAgentSessions, agentSessionKind, name, name);
}

/** Deletes some of those whose time is over; gives how many. */
export function forgetRecords({ sql, now }: Transaction, limit: number): number {
  return sql.run(removeExpired, now, limit).changes;
}

function toRecord({ kind, key, value, version, expires_at }: RecordRow): StoredRecord {
  return { kind, key, value: parseJson(value), version, expiresAt: expires_at };
}
