import type { MessageState } from '../../messages.js';
import type { Place } from '../../rules/operator-actions.js';
import {
  type Queue,
  type SessionMove,
  type Ticket,
  ticketAtEnd,
  ticketBefore,
} from '../../rules/ready-queue.js';
import { sql, valueSql } from './statements.js';
import type { Transaction } from './transaction.js';

/**
 * The queues of sessions in the table `heads`, whose rows are sessions with something to do, by the message that is next
 * in each: ready with a ticket, waiting for its time, or held by an owner.
 */

export interface HeadRow {
  readonly session: number;
  readonly message: number;
  readonly owner: string | null;
  readonly sender: string | null;
}

/** A message that waits behind the head of its session. */
export interface NextRow {
  readonly number: number;
  readonly sender: string | null;
}

/** The message that is the head of its session in the queue of turns. */
export interface HeadMessageRow {
  readonly id: Buffer;
  readonly message: number;
  readonly seq: number;
  readonly state: MessageState;
}

interface TicketRow {
  readonly ready: number;
  readonly place: number;
}

const headOf = sql<[queue: Queue, session: number], HeadRow>(
  'SELECT session, message, owner, sender FROM heads WHERE line = ? AND session = ?',
);
const firstTicketOf = sql<[queue: Queue], TicketRow>(
  'SELECT ready, place FROM heads WHERE line = ? AND ready IS NOT NULL ORDER BY ready, place LIMIT 1',
);
const firstReadyBeside = valueSql<[queue: Queue, session: number], number>(
  `SELECT session FROM heads WHERE line = ? AND ready IS NOT NULL AND session <> ?
   ORDER BY ready, place LIMIT 1`,
);
const lastRoundOfSender = valueSql<[queue: Queue, sender: string], number>(
  `SELECT ready FROM heads INDEXED BY heads_of_sender
   WHERE line = ? AND sender = ? AND sender IS NOT NULL AND ready IS NOT NULL ORDER BY ready DESC LIMIT 1`,
);
const insertHead = sql<
  [queue: Queue, session: number, message: number, sender: string | null, ready: number, place: number]
>('INSERT INTO heads (line, session, message, sender, ready, place) VALUES (?, ?, ?, ?, ?, ?)');
const readyHead = sql<
  [message: number, sender: string | null, ready: number, place: number, queue: Queue, session: number]
>(
  `UPDATE heads SET message = ?, sender = ?, ready = ?, place = ?, retry_at = NULL, owner = NULL,
     lease_until = NULL
   WHERE line = ? AND session = ?`,
);
// Many at a time, none of which is made by it. `sessions` is a JSON array, in the order of their places. An UPDATE FROM
// would read the whole queue for each; a CROSS JOIN is done in the order in which it is written.
const readyHeads = sql<[ready: number, firstPlace: number, sessions: string, queue: Queue]>(
  `INSERT INTO heads (line, session, message, ready, place)
   SELECT h.line, h.session, h.message, ?, ? + j.key
   FROM json_each(?) j CROSS JOIN heads h WHERE h.line = ? AND h.session = j.value
   ON CONFLICT (line, session) DO UPDATE SET ready = excluded.ready, place = excluded.place, retry_at = NULL,
     owner = NULL, lease_until = NULL`,
);
const retryHead = sql<[retryAt: number, now: number, queue: Queue, session: number]>(
  `UPDATE heads SET retry_at = ?, waits_since = ?, ready = NULL, owner = NULL, lease_until = NULL
   WHERE line = ? AND session = ?`,
);
const deleteHead = sql<[queue: Queue, session: number]>('DELETE FROM heads WHERE line = ? AND session = ?');
const endWaitOfHead = sql<[now: number, queue: Queue, session: number, message: number, now: number]>(
  'UPDATE heads SET retry_at = ? WHERE line = ? AND session = ? AND message = ? AND retry_at > ?',
);
const dueRetries = sql<[queue: Queue, now: number, limit: number], HeadRow>(
  `SELECT session, message, owner, sender FROM heads
   WHERE line = ? AND retry_at IS NOT NULL AND retry_at <= ? ORDER BY retry_at LIMIT 0 + ?`,
);
// Looked at before each claim, to save it the two that find all that is due.
const firstRetry = valueSql<[queue: Queue], number>(
  'SELECT retry_at FROM heads WHERE line = ? AND retry_at IS NOT NULL ORDER BY retry_at LIMIT 1',
);
// Only at a start. `retry_at` is always later than `waits_since`, so that the index narrows it down.
const endWaitsOfLaterClock = sql<[now: number, queue: Queue, now: number, now: number]>(
  'UPDATE heads SET retry_at = ? WHERE line = ? AND retry_at IS NOT NULL AND retry_at > ? AND waits_since > ?',
);

const headMessageOf = sql<[session: number], HeadMessageRow>(
  `SELECT m.id, m.number AS message, m.seq, m.state
   FROM heads h JOIN messages m ON m.number = h.message WHERE h.line = 'turn' AND h.session = ?`,
);

export function head({ sql }: Transaction, queue: Queue, session: number): HeadRow | undefined {
  return sql.get(headOf, queue, session);
}

export function headMessage({ sql }: Transaction, session: number): HeadMessageRow | undefined {
  return sql.get(headMessageOf, session);
}

/** The message's place in the queue of its session. */
export function placeIn(
  transaction: Transaction,
  queue: Queue,
  { session, message }: { readonly session: number; readonly message: number },
): Place {
  const first = head(transaction, queue, session);
  if (first?.message !== message) return 'none';
  return first.owner === null ? 'head' : 'held';
}

/** True if another session than this one is ready to be claimed. */
export function anyReadyBeside({ sql }: Transaction, queue: Queue, session: number): boolean {
  return sql.get(firstReadyBeside, queue, session) !== undefined;
}

export function giveTicket({ sql, counters }: Transaction, queue: Queue, sender: string | null): Ticket {
  const last = sender === null ? undefined : sql.get(lastRoundOfSender, queue, sender);
  const facts = { lastPosition: counters.place, presentRound: counters.round };
  const ticket = ticketAtEnd(queue, facts, last ?? null);
  counters.place = ticket.position;
  return ticket;
}

function giveFirstTicket(transaction: Transaction, queue: Queue): Ticket {
  const first = transaction.sql.get(firstTicketOf, queue);
  return first === undefined
    ? giveTicket(transaction, queue, null)
    : ticketBefore({ round: first.ready, position: first.place });
}

/** Makes `message` the head of its session, which joins the queue at its end; nothing happens if there is a head. */
export function enqueue(
  transaction: Transaction,
  queue: Queue,
  session: number,
  { number, sender }: NextRow,
): void {
  if (head(transaction, queue, session) !== undefined) return;
  const { round, position } = giveTicket(transaction, queue, sender);
  transaction.sql.run(insertHead, queue, session, number, sender, round, position);
}

/** The session's head is done with: `next` takes its place, or the session leaves the queue. */
export function advance(
  transaction: Transaction,
  queue: Queue,
  session: number,
  next: NextRow | undefined,
): void {
  if (next === undefined) {
    transaction.sql.run(deleteHead, queue, session);
    return;
  }
  const { round, position } = giveTicket(transaction, queue, next.sender);
  transaction.sql.run(readyHead, next.number, next.sender, round, position, queue, session);
}

/** The session's head stays its head and goes back to the front of the queue. */
function requeueAtFront(transaction: Transaction, queue: Queue, session: number, message: number): void {
  const { round, position } = giveFirstTicket(transaction, queue);
  const sender = head(transaction, queue, session)?.sender ?? null;
  transaction.sql.run(readyHead, message, sender, round, position, queue, session);
}

/** The heads of these sessions go back to the front in their order, as by `requeueAtFront` from the last one on. */
export function requeueAllAtFront(transaction: Transaction, queue: Queue, sessions: readonly number[]): void {
  if (sessions.length === 0) return;
  const { round, position } = giveFirstTicket(transaction, queue);
  const firstPlace = position - sessions.length + 1;
  transaction.sql.run(readyHeads, round, firstPlace, JSON.stringify(sessions), queue);
}

/** Does with a session what a rule says. `next` is asked for what the session has next. */
export function moveSession(
  transaction: Transaction,
  queue: Queue,
  { session, message }: { readonly session: number; readonly message: number },
  move: SessionMove,
  next: () => NextRow | undefined,
): void {
  const { sql, now } = transaction;
  switch (move.to) {
    case 'next':
      advance(transaction, queue, session, next());
      break;
    case 'front':
      requeueAtFront(transaction, queue, session, message);
      break;
    case 'wait':
      sql.run(retryHead, now + move.delayMs, now, queue, session);
      break;
    case 'stay':
      break;
  }
}

/** A message that waits for its next attempt is due now. */
export function endWait({ sql, now }: Transaction, queue: Queue, session: number, message: number): void {
  sql.run(endWaitOfHead, now, queue, session, message, now);
}

/** A clock that was set back while nothing ran must not hold up what was to be tried again soon. */
export function endWaitsOfClockAhead({ sql, now }: Transaction): void {
  for (const queue of ['turn', 'delivery'] as const) sql.run(endWaitsOfLaterClock, now, queue, now, now);
}

/** Lets the retries that are due join the end of the queue: as many as one claim can take, so its cost is bounded. */
export function admitRetries(transaction: Transaction, queue: Queue, limit: number): void {
  const { sql, now } = transaction;
  if ((sql.get(firstRetry, queue) ?? Number.POSITIVE_INFINITY) > now) return;
  for (const { message, session, sender } of sql.all(dueRetries, queue, now, limit)) {
    advance(transaction, queue, session, { number: message, sender });
  }
}
