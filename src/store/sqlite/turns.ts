import type { Claim, Metadata, Turn } from '../store.js';
import { createDelivery } from './deliveries.js';
import { idToBytes, idToText, turnIdOf } from './identifiers.js';
import { admitRetries, moveOn, putBack } from './lines.js';
import { parseMetadata } from './reads.js';
import type { HeldRow, TakenRow } from './sql.js';
import type { Transaction } from './transaction.js';

export function claimTurns(transaction: Transaction, claim: Claim): Turn[] {
  const { sql, counters } = transaction;
  if (claim.limit < 1) return [];
  takeBackTurns(transaction, sql.expiredTurns.all(claim.now, claim.owner, claim.limit), claim.now);
  admitRetries(transaction, 'turn', claim);
  return sql.readyTurns.all(claim.limit).map((row) => {
    sql.holdHead.run(claim.owner, claim.leaseUntil, 'turn', row.session_number);
    sql.beginTurn.run(claim.now, row.message);
    counters.queued -= 1;
    counters.running += 1;
    const messageId = idToText(row.id);
    return {
      turnId: turnIdOf(messageId),
      messageId,
      session: row.session,
      seq: row.seq,
      text: row.text,
      metadata: parseMetadata(row.metadata),
      replyUrl: row.reply_url,
      acceptedAt: row.accepted_at,
      attempt: row.attempts + 1,
      owner: claim.owner,
    };
  });
}

export function completeTurn(
  transaction: Transaction,
  turn: Turn,
  reply: { readonly text: string; readonly metadata: Metadata },
  now: number,
): boolean {
  const { sql, counters } = transaction;
  const held = heldTurn(transaction, turn);
  if (held === null) return false;
  sql.insertReply.run(held.message, reply.text, JSON.stringify(reply.metadata), now);
  sql.setState.run('replied', null, now, held.message);
  counters.running -= 1;
  counters.replied += 1;
  if (held.reply_url !== null) createDelivery(transaction, held, idToBytes(turn.messageId));
  finish(transaction, held);
  return true;
}

export function failTurn(
  transaction: Transaction,
  turn: Turn,
  error: string,
  retryAt: number | null,
  now: number,
): boolean {
  const { sql, counters } = transaction;
  const held = heldTurn(transaction, turn);
  if (held === null) return false;
  if (retryAt === null) {
    endDead(transaction, held, error, now);
    return true;
  }
  sql.setState.run('queued', error, now, held.message);
  sql.retryHead.run(retryAt, 'turn', held.session);
  counters.running -= 1;
  counters.queued += 1;
  return true;
}

export function putBackTurns(transaction: Transaction, turns: readonly Turn[], now: number): number {
  const { sql, counters } = transaction;
  let count = 0;
  // The last one first, as each goes to the very front: they end in the order that they were given.
  for (const turn of turns.toReversed()) {
    const held = heldTurn(transaction, turn);
    if (held === null) continue;
    sql.requeueUncounted.run(now, held.message);
    putBack(transaction, 'turn', held.session, held.message);
    counters.running -= 1;
    counters.queued += 1;
    count += 1;
  }
  return count;
}

/**
 * Takes turns from an owner that is gone. The attempt that it had begun counts; one that was the last attempt is set
 * aside, so that a message that brings the gateway down can't do so for ever.
 */
export function takeBackTurns(
  transaction: Transaction,
  taken: readonly TakenRow[],
  now: number,
): { readonly resumed: number; readonly dead: number } {
  const { sql, counters, maxAttempts } = transaction;
  let resumed = 0;
  for (const row of taken.toReversed()) {
    if (row.attempts >= maxAttempts) {
      const reason =
        `Set aside after attempt ${row.attempts}: the gateway that ran it went down, and ` +
        `dispatch.max_attempts is ${maxAttempts}.`;
      endDead(transaction, row, reason, now);
      continue;
    }
    sql.requeue.run(now, row.message);
    putBack(transaction, 'turn', row.session, row.message);
    counters.running -= 1;
    counters.queued += 1;
    resumed += 1;
  }
  return { resumed, dead: taken.length - resumed };
}

/** Null when the claim was lost: another owner, or another attempt, has the turn now. */
function heldTurn({ sql }: Transaction, turn: Turn): HeldRow | null {
  const held = sql.heldTurn.get(idToBytes(turn.messageId));
  return held !== undefined && held.owner === turn.owner && held.attempts === turn.attempt ? held : null;
}

function endDead(
  transaction: Transaction,
  turn: Pick<HeldRow, 'message' | 'session' | 'seq'>,
  error: string,
  now: number,
): void {
  transaction.sql.setState.run('dead', error, now, turn.message);
  transaction.counters.running -= 1;
  transaction.counters.dead += 1;
  finish(transaction, turn);
}

/** The session's next message takes the place of one that has ended. */
function finish(transaction: Transaction, turn: Pick<HeldRow, 'session' | 'seq'>): void {
  const { sql } = transaction;
  sql.finishInSession.run(turn.session);
  moveOn(transaction, 'turn', turn.session, sql.nextQueued.get(turn.session, turn.seq));
}
