import { valueSql } from './statements.js';
import type { Transaction } from './transaction.js';

/**
 * Sessions that are looked at in each condition. Those that come first in the queue have waited longest, or nearly: more
 * would make the look as long as the queue.
 */
const sessions = 100;

const ofReady = valueSql<[], number>(
  `SELECT m.accepted_at FROM heads h JOIN messages m ON m.number = h.message
   WHERE h.line = 'turn' AND h.ready IS NOT NULL ORDER BY h.ready, h.place LIMIT ${sessions}`,
);
const ofRetried = valueSql<[], number>(
  `SELECT m.accepted_at FROM heads h JOIN messages m ON m.number = h.message
   WHERE h.line = 'turn' AND h.retry_at IS NOT NULL ORDER BY h.retry_at LIMIT ${sessions}`,
);
// The next one behind the message that runs.
const behindHeld = valueSql<[], number | null>(
  `SELECT (SELECT m.accepted_at FROM messages m INDEXED BY messages_queued
           WHERE m.session = h.session AND m.state = 'queued' ORDER BY m.seq LIMIT 1)
   FROM heads h WHERE h.line = 'turn' AND h.lease_until IS NOT NULL ORDER BY h.lease_until LIMIT ${sessions}`,
);

/**
 * The age of the oldest message that waits, among the first sessions in each condition; null: none waits. The time that it
 * takes depends on nothing that is stored.
 */
export function readLongestWaitMs({ sql, now }: Transaction): number | null {
  const times = [...sql.all(ofReady), ...sql.all(ofRetried), ...sql.all(behindHeld)];
  const waiting = times.filter((at) => at !== null);
  return waiting.length === 0 ? null : Math.max(0, now - Math.min(...waiting));
}
