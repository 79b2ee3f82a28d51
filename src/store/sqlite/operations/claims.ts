import type { Queue } from '../../rules/ready-queue.js';
import { poisonSuspectRuns } from '../../rules/turn-end.js';
import { giveTicket, type NextRow } from './queue.js';
import { sql, valueSql } from './statements.js';
import type { Transaction } from './transaction.js';

/**
 * Claims on sessions: an owner holds the head of one in a queue until its lease is over. Each claim has an epoch that is
 * higher than those of all claims before it, so that what was claimed earlier is told from what is held now.
 */

const insertHeldHead = sql<
  [
    queue: Queue,
    session: number,
    message: number,
    sender: string | null,
    place: number,
    owner: string,
    epoch: number,
    leaseUntil: number,
  ]
>(
  'INSERT INTO heads (line, session, message, sender, place, owner, epoch, lease_until) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
);
const holdHead = sql<
  [message: number, owner: string, epoch: number, leaseUntil: number, queue: Queue, session: number]
>(
  `UPDATE heads SET message = ?, owner = ?, epoch = ?, lease_until = ?, ready = NULL, retry_at = NULL
   WHERE line = ? AND session = ?`,
);
const firstLease = valueSql<[queue: Queue], number>(
  'SELECT lease_until FROM heads WHERE line = ? AND lease_until IS NOT NULL ORDER BY lease_until LIMIT 1',
);
const secondLease = valueSql<[queue: Queue], number>(
  `SELECT lease_until FROM heads WHERE line = ? AND lease_until IS NOT NULL
   ORDER BY lease_until LIMIT 1 OFFSET 1`,
);
// The index is named because the planner would rather read the whole queue.
const renewLeasesOf = sql<[leaseUntil: number, queue: Queue, owner: string]>(
  `UPDATE heads INDEXED BY heads_lease SET lease_until = ?
   WHERE line = ? AND lease_until IS NOT NULL AND owner = ?`,
);
export interface ClaimRequest {
  readonly owner: string;
  readonly leaseMs: number;
}

/** By what a write shows that its claim still stands. */
export interface Fence {
  readonly owner: string;
  readonly epoch: number;
}

/** True if the session is held by just this claim: what comes too late must change nothing. */
export function isHeldBy(
  { owner, epoch }: { readonly owner: string | null; readonly epoch: number },
  fence: Fence,
): boolean {
  return owner === fence.owner && epoch === fence.epoch;
}

/** The epoch of a claim that is made now. */
export function raiseEpoch({ counters }: Transaction): number {
  counters.epoch += 1;
  return counters.epoch;
}

/** Makes `message` the head of its session and claims it: nothing is ready before it. Gives the epoch. */
export function enqueueHeld(
  transaction: Transaction,
  session: number,
  { number, sender }: NextRow,
  { owner, leaseMs }: ClaimRequest,
): number {
  const { sql, counters, now } = transaction;
  const { round, position } = giveTicket(transaction, 'turn', sender);
  const epoch = raiseEpoch(transaction);
  counters.round = Math.max(counters.round, round);
  sql.run(insertHeldHead, 'turn', session, number, sender, position, owner, epoch, now + leaseMs);
  return epoch;
}

/** Claims the session, whose head is `message` from now on. Gives the epoch. */
export function hold(
  transaction: Transaction,
  queue: Queue,
  session: number,
  message: number,
  { owner, leaseMs }: ClaimRequest,
): number {
  const { sql, now } = transaction;
  const epoch = raiseEpoch(transaction);
  sql.run(holdHead, message, owner, epoch, now + leaseMs, queue, session);
  return epoch;
}

/** True if a claim has outlived its lease: then it is to be taken from its owner. */
export function leaseRanOut({ sql, now }: Transaction, queue: Queue): boolean {
  return (sql.get(firstLease, queue) ?? Number.POSITIVE_INFINITY) <= now;
}

/** Counts the sessions that are held: none, one, or more. */
export function countHeld({ sql }: Transaction, queue: Queue): 0 | 1 | 'more' {
  if (sql.get(firstLease, queue) === undefined) return 0;
  return sql.get(secondLease, queue) === undefined ? 1 : 'more';
}

/** Has all that `owner` holds last for `leaseMs` from now on. */
export function renewLeases({ sql, now }: Transaction, owner: string, leaseMs: number) {
  const renew = (queue: Queue) => sql.run(renewLeasesOf, now + leaseMs, queue, owner).changes;
  return { turns: renew('turn'), deliveries: renew('delivery') };
}

// Asked for only where at most one is held, beside those that were cancelled.
const mostCrashesHeld = valueSql<[], number | null>(
  `SELECT max(m.crashes) FROM heads h INDEXED BY heads_lease JOIN messages m ON m.number = h.message
   WHERE h.line = 'turn' AND h.lease_until IS NOT NULL`,
);

/** True if a turn is under way beside which no other may begin. */
export function poisonSuspectIsRunning({ sql, counters, maxAttempts }: Transaction): boolean {
  const { running } = counters;
  // The most crashes are looked up only where they can matter.
  const mostCrashes = running <= 1 ? (sql.get(mostCrashesHeld) ?? 0) : 0;
  return poisonSuspectRuns({ running, mostCrashes }, maxAttempts);
}
