import type { Claim } from '../store.js';
import type { Line } from './sql.js';
import type { Transaction } from './transaction.js';

/**
 * The two lines of sessions, one for turns and one for deliveries. A session that becomes ready takes a ticket at
 * the end of its line, also when it has just been served: so a session with a thousand messages waits one round for
 * each, and starves nobody. Work that was cut off goes back to the front.
 */
export function ticketAtEnd({ sql }: Transaction, line: Line): number {
  return (sql.lastTicket.get(line) ?? 0) + 1;
}

export function ticketAtFront({ sql }: Transaction, line: Line): number {
  return (sql.firstTicket.get(line) ?? 1) - 1;
}

/** Makes `message` the head of its session, whose line it joins at the end; does nothing if the session has a head. */
export function join(transaction: Transaction, line: Line, session: number, message: number): void {
  if (transaction.sql.head.get(line, session) !== undefined) return;
  transaction.sql.insertHead.run(line, session, message, ticketAtEnd(transaction, line));
}

/** The session's head is done with: `next` takes its place, or the session leaves the line. */
export function moveOn(
  transaction: Transaction,
  line: Line,
  session: number,
  next: number | undefined,
): void {
  const { sql } = transaction;
  if (next === undefined) sql.deleteHead.run(line, session);
  else sql.readyHead.run(next, ticketAtEnd(transaction, line), line, session);
}

/** The session's head stays its head and goes back to the front of the line. */
export function putBack(transaction: Transaction, line: Line, session: number, message: number): void {
  transaction.sql.readyHead.run(message, ticketAtFront(transaction, line), line, session);
}

/** Lets the retries that are due join the end of the line: as many as one claim can take, so its cost is bounded. */
export function admitRetries(transaction: Transaction, line: Line, claim: Claim): void {
  const due = transaction.sql.dueRetries.all(line, claim.now, claim.limit);
  if (due.length === 0) return;
  let ticket = ticketAtEnd(transaction, line);
  for (const head of due) {
    transaction.sql.readyHead.run(head.message, ticket, line, head.session);
    ticket += 1;
  }
}
