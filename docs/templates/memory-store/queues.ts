import {
  nextInSession,
  type Queue,
  type SessionMove,
  type Ticket,
  ticketAtEnd,
  ticketBefore,
} from '../../../src/store/rules/ready-queue.js';
import type { Database, Head, MessageRow, SessionRow } from './rows.js';

export interface Fence {
  readonly owner: string;
  readonly epoch: number;
}

/** The next message of a session in a queue, once its head has ended. */
export function nextOf(queue: Queue, { session, seq }: MessageRow): MessageRow | undefined {
  const { messages } = session;
  if (queue === 'delivery') return messages.find(({ delivery }) => delivery?.state === 'pending');
  const queued = messages.filter(({ state }) => state === 'queued');
  return nextInSession(
    queued.find(({ retriedAt }) => retriedAt !== null),
    queued.find((row) => row.seq > seq),
  );
}

export function ready(database: Database, queue: Queue): Head[] {
  const order = ({ ticket }: Head) => ticket ?? { round: 0, position: 0 };
  return [...database.heads[queue].values()]
    .filter(({ ticket }) => ticket !== null)
    .sort((a, b) => order(a).round - order(b).round || order(a).position - order(b).position);
}

export function held(database: Database, queue: Queue): Head[] {
  return [...database.heads[queue].values()].filter(({ owner }) => owner !== null);
}

/** Messages whose owners are gone, in the order of their leases. */
export function expired(database: Database, queue: Queue, owner: string, now: number): MessageRow[] {
  return held(database, queue)
    .filter((head) => head.owner !== owner && (head.leaseUntil ?? 0) <= now)
    .sort((a, b) => (a.leaseUntil ?? 0) - (b.leaseUntil ?? 0))
    .map(({ message }) => message);
}

function giveTicket(database: Database, queue: Queue, sender: string | null): Ticket {
  const rounds = ready(database, queue)
    .filter((head) => sender !== null && head.sender === sender)
    .map(({ ticket }) => ticket?.round ?? 0);
  const last = rounds.length === 0 ? null : Math.max(...rounds);
  const ticket = ticketAtEnd(queue, database, last);
  database.lastPosition = ticket.position;
  return ticket;
}

/** Makes the message the head of its session, ready at the end of the queue. */
function makeReady(database: Database, queue: Queue, message: MessageRow, ticket?: Ticket): Head {
  const sender = queue === 'turn' ? (message.sent.sender ?? null) : null;
  const given = ticket ?? giveTicket(database, queue, sender);
  const head = { message, sender, ticket: given, retryAt: null, owner: null, epoch: 0, leaseUntil: null };
  database.heads[queue].set(message.session, head);
  return head;
}

/** Nothing happens if the session has a head. */
export function enqueue(database: Database, queue: Queue, message: MessageRow): void {
  if (!database.heads[queue].has(message.session)) makeReady(database, queue, message);
}

/** The session's head is done with: `next` takes its place, or the session leaves the queue. */
export function advance(
  database: Database,
  queue: Queue,
  session: SessionRow,
  next: MessageRow | undefined,
): void {
  if (next === undefined) database.heads[queue].delete(session);
  else makeReady(database, queue, next);
}

/** Does with a session what a rule says. */
export function moveSession(
  database: Database,
  queue: Queue,
  message: MessageRow,
  move: SessionMove,
  now: number,
): void {
  switch (move.to) {
    case 'next':
      advance(database, queue, message.session, nextOf(queue, message));
      break;
    case 'front': {
      const first = ready(database, queue)[0]?.ticket;
      makeReady(database, queue, message, first == null ? undefined : ticketBefore(first));
      break;
    }
    case 'wait':
      Object.assign(makeReady(database, queue, message), { ticket: null, retryAt: now + move.delayMs });
      break;
    case 'stay':
      break;
  }
}

/** Lets the retries that are due join the end of the queue. */
export function admitRetries(database: Database, queue: Queue, limit: number, now: number): void {
  const due = [...database.heads[queue].values()]
    .filter(({ retryAt }) => retryAt !== null && retryAt <= now)
    .sort((a, b) => (a.retryAt ?? 0) - (b.retryAt ?? 0));
  for (const { message } of due.slice(0, limit)) makeReady(database, queue, message);
}

/** Claims the session, whose head is `message` from now on. */
export function hold(
  database: Database,
  queue: Queue,
  message: MessageRow,
  claim: { readonly owner: string; readonly leaseMs: number },
  now: number,
): Fence {
  const head = database.heads[queue].get(message.session) ?? makeReady(database, queue, message);
  if (queue === 'turn') database.presentRound = Math.max(database.presentRound, head.ticket?.round ?? 0);
  database.epoch += 1;
  const fence = { owner: claim.owner, epoch: database.epoch };
  Object.assign(head, { message, ticket: null, retryAt: null, leaseUntil: now + claim.leaseMs, ...fence });
  return fence;
}

/** The message that is held by just this claim. Undefined when the claim was lost. */
export function heldBy(database: Database, queue: Queue, claim: Fence & { readonly messageId: string }) {
  const message = database.message(claim.messageId);
  const head = message && database.heads[queue].get(message.session);
  const stands = head?.message === message && head?.owner === claim.owner && head.epoch === claim.epoch;
  return stands ? message : undefined;
}

export function placeIn(database: Database, queue: Queue, message: MessageRow): 'held' | 'head' | 'none' {
  const head = database.heads[queue].get(message.session);
  if (head?.message !== message) return 'none';
  return head.owner === null ? 'head' : 'held';
}
