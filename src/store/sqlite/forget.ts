import type { Transaction } from './transaction.js';

export interface ForgetRequest {
  /** What came to its end before that is forgotten, in milliseconds since the Unix epoch. */
  readonly before: number;
  /** Number of the message behind which to go on; 0 to begin with. */
  readonly after: number;
  /** Messages looked at, at most, and forgotten, but for the rest of a turn: while it goes on nobody else is served. */
  readonly limit: number;
  /** Whether to go on behind messages that are too young: see `forget`. */
  readonly all: boolean;
}

export interface Forgotten {
  readonly count: number;
  /** Of these: dead, and nobody had tried them again or discarded them. */
  readonly dead: number;
  /** Where to go on; null: there is nothing more. */
  readonly after: number | null;
}

/**
 * Deletes messages that are older than they have to be kept, oldest first. What waits, runs or has still to be
 * delivered stays whatever its age, and sessions stay so that their numbers never begin again. What is part of another's
 * turn goes with that one, so that no turn is ever run again without some of its texts.
 *
 * Behind a message that is too young the others are younger, so that it ends there; but for those that were accepted
 * while a clock was ahead. Those in the future are passed over, and to look behind all others is what `all` is for.
 */
export function forget(transaction: Transaction, { before, after, limit, all }: ForgetRequest): Forgotten {
  const { sql, counters, now } = transaction;
  let count = 0;
  let dead = 0;
  let last = after;
  const rows = sql.oldestMessages.all(after, limit);
  for (const row of rows) {
    if (count >= limit) return { count, dead, after: last };
    if (!all && row.accepted_at >= before && row.accepted_at <= now) return { count, dead, after: null };
    last = row.number;
    if (row.turn !== null || row.state === 'queued' || row.state === 'running') continue;
    if (row.delivery === 'pending' || row.changed_at >= before) continue;
    // A cancelled one whose turn has not ended yet.
    if (sql.head.get('turn', row.session)?.message === row.number) continue;
    const { changes: collected } = sql.deleteCollectedIn.run(row.number);
    sql.deleteMessage.run(row.number);
    counters.collected -= collected;
    counters[row.state] -= 1;
    count += 1 + collected;
    if (row.state === 'dead') dead += 1;
  }
  return { count, dead, after: rows.length < limit ? null : last };
}
