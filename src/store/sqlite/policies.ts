import type { SessionPolicy, SessionSummary } from '../store.js';
import { readSession } from './reads.js';
import type { Transaction } from './transaction.js';

/** What becomes of the session's messages from the next one on; a session that is not there yet is made. */
export function setPolicy(
  transaction: Transaction,
  name: string,
  policy: SessionPolicy | null,
): SessionSummary {
  const { sql, counters, now } = transaction;
  if (sql.session.get(name) === undefined) counters.sessions += 1;
  sql.setPolicy.run(name, now, policy);
  const session = readSession(transaction, name);
  if (session === null) throw new Error(`The session ${name} is gone within its own transaction.`);
  return session;
}
