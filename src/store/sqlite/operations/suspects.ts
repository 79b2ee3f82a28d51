import { suspectRuns } from '../../rules/suspects.js';
import { valueSql } from './statements.js';
import type { Transaction } from './transaction.js';

// Asked for only where at most one is held, beside those that were cancelled.
const mostCrashesHeld = valueSql<[], number | null>(
  `SELECT max(m.crashes) FROM heads h INDEXED BY heads_lease JOIN messages m ON m.number = h.message
   WHERE h.line = 'turn' AND h.lease_until IS NOT NULL`,
);

/** True if a turn is under way beside which no other may begin. */
export function suspectIsRunning({ sql, counters, maxAttempts }: Transaction): boolean {
  const { running } = counters;
  // The most crashes are looked up only where they can matter.
  const mostCrashes = running <= 1 ? (sql.get(mostCrashesHeld) ?? 0) : 0;
  return suspectRuns({ running, mostCrashes }, maxAttempts);
}
