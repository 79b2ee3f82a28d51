import type { Line, NextRow, TicketRow } from './sql.js';
import type { Transaction } from './transaction.js';

/**
 * The two lines of sessions, one for turns and one for deliveries. A session that becomes ready takes a ticket at
 * the end of its line, also when it has just been served: so a session with a thousand messages waits one round for
 * each, and starves nobody. Work that was cut off goes back to the front.
 *
 * In the line of turns a sender that is named has one session in each round, so that one with a thousand sessions
 * starves nobody either (start-time fair queueing, Goyal et al., 1996). A session without one counts for itself.
 */
export function ticketAtEnd(
  { sql, counters }: Transaction,
  line: Line,
  sender: string | null = null,
): TicketRow {
  counters.place += 1;
  const lastOfSender = sender === null ? undefined : sql.lastRoundOfSender.get(line, sender);
  // The line of deliveries knows no senders: there the place alone is the order.
  const round = line === 'delivery' ? 1 : Math.max(counters.round, lastOfSender ?? 0) + 1;
  return { ready: round, place: counters.place };
}

function ticketAtFront(transaction: Transaction, line: Line): TicketRow {
  const first = transaction.sql.firstTicket.get(line);
  return first === undefined
    ? ticketAtEnd(transaction, line)
    : { ready: first.ready, place: first.place - 1 };
}

/** Makes `message` the head of its session, whose line it joins at the end; does nothing if the session has a head. */
export function join(
  transaction: Transaction,
  line: Line,
  session: number,
  { number, sender }: NextRow,
): void {
  const { sql } = transaction;
  if (sql.head.get(line, session) !== undefined) return;
  const { ready, place } = ticketAtEnd(transaction, line, sender);
  sql.insertHead.run(line, session, number, sender, ready, place);
}

/** The session's head is done with: `next` takes its place, or the session leaves the line. */
export function moveOn(
  transaction: Transaction,
  line: Line,
  session: number,
  next: NextRow | undefined,
): void {
  const { sql } = transaction;
  if (next === undefined) {
    sql.deleteHead.run(line, session);
    return;
  }
  const { ready, place } = ticketAtEnd(transaction, line, next.sender);
  sql.readyHead.run(next.number, next.sender, ready, place, line, session);
}

/** The session's head stays its head and goes back to the front of the line. */
export function putBack(transaction: Transaction, line: Line, session: number, message: number): void {
  const { ready, place } = ticketAtFront(transaction, line);
  const sender = transaction.sql.head.get(line, session)?.sender ?? null;
  transaction.sql.readyHead.run(message, sender, ready, place, line, session);
}

/** The heads of these sessions go back to the front of the line in their order, as by `putBack` from the last one on. */
export function putAllBack(transaction: Transaction, line: Line, sessions: readonly number[]): void {
  if (sessions.length === 0) return;
  const { ready, place } = ticketAtFront(transaction, line);
  transaction.sql.readyHeads.run(ready, place - sessions.length + 1, JSON.stringify(sessions), line);
}

/** Lets the retries that are due join the end of the line: as many as one claim can take, so its cost is bounded. */
export function admitRetries(transaction: Transaction, line: Line, limit: number): void {
  const { sql, now } = transaction;
  if ((sql.firstRetry.get(line) ?? Number.POSITIVE_INFINITY) > now) return;
  for (const { message, session, sender } of sql.dueRetries.all(line, now, limit)) {
    const { ready, place } = ticketAtEnd(transaction, line, sender);
    sql.readyHead.run(message, sender, ready, place, line, session);
  }
}

/** Whether a claim may have outlived its lease: then it is to be taken from its owner. */
export function leaseRanOut({ sql, now }: Transaction, line: Line): boolean {
  return (sql.firstLease.get(line) ?? Number.POSITIVE_INFINITY) <= now;
}
