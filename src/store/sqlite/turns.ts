import type { Metadata, Turn, TurnClaim, TurnHold, TurnToPutBack } from '../store.js';
import { collect, collectedOf, turnText } from './collect.js';
import { createDelivery } from './deliveries.js';
import { idToBytes, idToText, turnIdOf } from './identifiers.js';
import { admitRetries, leaseRanOut, moveOn, putAllBack, putBack } from './lines.js';
import { parseMetadata } from './reads.js';
import type { HeldTurnRow, TakenTurnRow, TurnRow } from './sql.js';
import type { Transaction } from './transaction.js';

/** Turns that are taken from owners that are gone in one step. */
const expiredAtOnce = 1_000;

export function claimTurns(transaction: Transaction, claim: TurnClaim): Turn[] {
  const { sql } = transaction;
  if (claim.limit < 1) return [];
  takeBackExpired(transaction, claim.owner);
  admitRetries(transaction, 'turn', claim.limit);
  if (suspectRuns(transaction)) return [];
  const turns: Turn[] = [];
  for (const head of sql.readyTurns.all(claim.limit)) {
    const suspect = isSuspect(transaction, head.crashes);
    if (suspect && (turns.length > 0 || sql.firstLease.get('turn') !== undefined)) break;
    turns.push(claimHead(transaction, head, claim));
    if (suspect) break;
  }
  return turns;
}

/** All of them, so that what is held is what runs. */
function takeBackExpired(transaction: Transaction, owner: string): void {
  const { sql, now } = transaction;
  if (!leaseRanOut(transaction, 'turn')) return;
  // Beside one that was cancelled no turn was alone, as long as that had not ended.
  const alone = sql.secondLease.get('turn') === undefined;
  while (leaseRanOut(transaction, 'turn')) {
    const expired = sql.expiredTurns.all(now, owner, expiredAtOnce);
    if (expired.length === 0) return;
    takeBackTurns(transaction, expired, { alone });
  }
}

function claimHead(transaction: Transaction, head: TurnRow, claim: TurnClaim): Turn {
  const { sql, counters, now } = transaction;
  counters.round = Math.max(counters.round, head.ready);
  const row = collect(transaction, head, claim);
  const collected = collectedOf(transaction, row);
  sql.holdHead.run(row.message, claim.owner, now + claim.leaseMs, 'turn', head.session_number);
  sql.beginTurn.run(now, row.message);
  counters.queued -= 1;
  counters.running += 1;
  const messageId = idToText(row.id);
  return {
    turnId: turnIdOf(messageId),
    messageId,
    session: head.session,
    seq: row.seq,
    text: turnText(collected, row.text),
    metadata: parseMetadata(row.metadata),
    sender: row.sender,
    collected,
    replyUrl: row.reply_url,
    acceptedAt: row.accepted_at,
    attempt: row.attempts + 1,
    putBacks: row.put_backs,
    owner: claim.owner,
  };
}

/**
 * A turn that was under way at `dispatch.max_attempts` crashes may be what brings the gateway down, or may have been
 * beside it each time. It is run once more by itself: what happens then is its own doing. Attempts that failed are no
 * sign of that: while an agent is down all turns have them, and would run one by one.
 */
function isSuspect({ maxAttempts }: Transaction, crashes: number): boolean {
  return crashes >= maxAttempts;
}

/** Whether such a turn runs: then no other is to begin beside it, also while it ends after it was cancelled. */
export function suspectRuns(transaction: Transaction): boolean {
  const { sql, counters } = transaction;
  return counters.running <= 1 && isSuspect(transaction, sql.mostCrashesHeld.get() ?? 0);
}

export function completeTurn(
  transaction: Transaction,
  turn: TurnHold,
  reply: { readonly text: string; readonly metadata: Metadata },
): boolean {
  const { sql, counters, now } = transaction;
  const held = heldTurn(transaction, turn);
  if (held === null || endIfCancelled(transaction, held)) return false;
  sql.insertReply.run(held.message, reply.text, JSON.stringify(reply.metadata), now);
  sql.setState.run('replied', null, now, held.message);
  counters.running -= 1;
  counters.replied += 1;
  if (held.reply_url !== null) createDelivery(transaction, held, 'reply');
  finish(transaction, held);
  return true;
}

export function failTurn(
  transaction: Transaction,
  turn: TurnHold,
  error: string,
  retryInMs: number | null,
): boolean {
  const { sql, counters, now } = transaction;
  const held = heldTurn(transaction, turn);
  if (held === null || endIfCancelled(transaction, held)) return false;
  if (retryInMs === null) {
    endDead(transaction, held, error);
    return true;
  }
  sql.setState.run('queued', error, now, held.message);
  sql.retryHead.run(now + retryInMs, now, 'turn', held.session);
  counters.running -= 1;
  counters.queued += 1;
  return true;
}

export function putBackTurns(transaction: Transaction, turns: readonly TurnToPutBack[]): number {
  const { sql, counters, now } = transaction;
  let count = 0;
  // The last one first, as each goes to the very front: they end in the order that they were given.
  for (const turn of turns.toReversed()) {
    const held = heldTurn(transaction, turn);
    if (held === null || endIfCancelled(transaction, held)) continue;
    sql.requeueUncounted.run(turn.cutOff === true ? 1 : 0, now, held.message);
    putBack(transaction, 'turn', held.session, held.message);
    counters.running -= 1;
    counters.queued += 1;
    count += 1;
  }
  return count;
}

/** The turn of a cancelled message has ended: the session goes on. */
export function releaseTurn(transaction: Transaction, turn: TurnHold): boolean {
  const held = heldTurn(transaction, turn);
  return held !== null && endIfCancelled(transaction, held);
}

/**
 * Takes turns from an owner that is gone. The attempt that it had begun counts, and so does the crash; one that must not
 * be repeated is set aside, and so is one that had its last crash and ran `alone`, so that a message that brings the
 * gateway down can't do so for ever.
 */
export function takeBackTurns(
  transaction: Transaction,
  taken: readonly TakenTurnRow[],
  { alone }: { readonly alone: boolean },
): { readonly resumed: number; readonly dead: number } {
  const { sql } = transaction;
  let resumed = 0;
  let dead = 0;
  // Neighbours that go on are put back together: a start may have ten thousand of them.
  const goOn: TakenTurnRow[] = [];
  for (const row of taken.toReversed()) {
    const why = row.cancelled === 1 ? null : whyNotAgain(transaction, row.crashes + 1, alone);
    if (row.cancelled === 0 && why === null) {
      goOn.push(row);
      continue;
    }
    resumed += requeueAll(transaction, goOn.splice(0).reverse());
    if (why === null) {
      finish(transaction, row);
      continue;
    }
    const reason = `Set aside after attempt ${row.attempts}: the gateway that ran it went down, and ${why}.`;
    sql.countCrash.run(row.message);
    endDead(transaction, row, reason);
    dead += 1;
  }
  resumed += requeueAll(transaction, goOn.reverse());
  return { resumed, dead };
}

/** Puts turns back to the front of the line, in their order. Their attempts stay counted, and the crash is. */
function requeueAll(transaction: Transaction, turns: readonly TakenTurnRow[]): number {
  const { sql, counters, now } = transaction;
  if (turns.length === 0) return 0;
  sql.requeueAll.run(now, JSON.stringify(turns.map(({ message }) => message)));
  putAllBack(
    transaction,
    'turn',
    turns.map(({ session }) => session),
  );
  counters.running -= turns.length;
  counters.queued += turns.length;
  return turns.length;
}

/** @param crashes that it was under way at, this one among them */
function whyNotAgain(transaction: Transaction, crashes: number, alone: boolean): string | null {
  if (!transaction.repeatable) return 'agent.retry is "never"';
  if (!alone || !isSuspect(transaction, crashes)) return null;
  return `nothing else ran beside it; that was crash ${crashes} with its turn under way, and dispatch.max_attempts is ${transaction.maxAttempts}`;
}

/** Null when the claim was lost: another owner, or another attempt, has the turn now. */
function heldTurn({ sql }: Transaction, turn: TurnHold): HeldTurnRow | null {
  const held = sql.heldTurn.get(idToBytes(turn.messageId));
  return held !== undefined && held.owner === turn.owner && held.attempts === turn.attempt ? held : null;
}

/** Whether it was cancelled while it ran: then its turn is over, whatever came of it. */
function endIfCancelled(
  transaction: Transaction,
  turn: Pick<HeldTurnRow, 'state' | 'session' | 'seq'>,
): boolean {
  if (turn.state !== 'cancelled') return false;
  finish(transaction, turn);
  return true;
}

function endDead(
  transaction: Transaction,
  turn: Pick<HeldTurnRow, 'message' | 'session' | 'seq' | 'reply_url'>,
  error: string,
): void {
  const { sql, counters, notices, now } = transaction;
  sql.setState.run('dead', error, now, turn.message);
  counters.running -= 1;
  counters.dead += 1;
  if (turn.reply_url !== null && notices) {
    const id = sql.idOf.get(turn.message);
    if (id === undefined) throw new Error(`Message ${turn.message} is gone within its own transaction.`);
    createDelivery(transaction, { ...turn, id }, 'notice');
  }
  finish(transaction, turn);
}

/** The session's next message takes the place of one that has ended. */
export function finish(transaction: Transaction, turn: Pick<HeldTurnRow, 'session' | 'seq'>): void {
  const { sql } = transaction;
  sql.addUnfinished.run(-1, turn.session);
  const next = sql.nextRetried.get(turn.session) ?? sql.nextQueued.get(turn.session, turn.seq);
  moveOn(transaction, 'turn', turn.session, next);
}
