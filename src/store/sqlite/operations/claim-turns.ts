import { turnIdOf } from '../../ids.js';
import { turnText, withinSlots } from '../../rules/ready-queue.js';
import { mayBegin } from '../../rules/turn-end.js';
import type { Turn, TurnClaim } from '../../turns.js';
import { toAttachments } from './blobs.js';
import { countHeld, hold, leaseRanOut, poisonSuspectIsRunning } from './claims.js';
import { collect, collectedOf, type ReadyTurnRow } from './collect.js';
import { idToText, parseMetadata, targetColumns, toTarget } from './columns.js';
import { countDeltas } from './deltas.js';
import { admitRetries } from './queue.js';
import { sql } from './statements.js';
import { countMove, type Transaction } from './transaction.js';
import { expiredTurns, reclaimTurns } from './turns.js';

const readyColumns = `SELECT m.number AS message, h.session AS session_number, h.ready, m.id, s.name AS session, s.policy, s.agent, m.seq,
     m.attempts, m.crashes, m.put_backs, m.begun, m.generation, t.text, t.metadata, t.attachments, m.sender, m.channel, ${targetColumns},
     m.reply_idempotent, m.reply_unknown, m.accepted_at
   FROM heads h
   JOIN messages m ON m.number = h.message
   JOIN message_texts t ON t.message = h.message
   JOIN sessions s ON s.number = h.session`;
const readyTurns = sql<[limit: number], ReadyTurnRow>(
  `${readyColumns} WHERE h.line = 'turn' AND h.ready IS NOT NULL ORDER BY h.ready, h.place LIMIT 0 + ?`,
);
const readyTurnOf = sql<[session: number], ReadyTurnRow>(
  `${readyColumns} WHERE h.line = 'turn' AND h.session = ?`,
);
const readySessions = sql<[], { readonly session: number; readonly agent: string | null }>(
  `SELECT h.session, s.agent FROM heads h JOIN sessions s ON s.number = h.session
   WHERE h.line = 'turn' AND h.ready IS NOT NULL ORDER BY h.ready, h.place`,
);
const beginTurn = sql<[now: number, message: number]>(
  "UPDATE messages SET state = 'running', attempts = attempts + 1, changed_at = ? WHERE number = ?",
);

/** Turns that are taken from owners that are gone in one step. */
const reclaimedAtOnce = 1_000;

export function claimTurns(transaction: Transaction, claim: TurnClaim): Turn[] {
  const { maxAttempts } = transaction;
  if (claim.limit < 1) return [];
  reclaimExpired(transaction, claim.owner);
  admitRetries(transaction, 'turn', claim.limit);
  if (poisonSuspectIsRunning(transaction)) return [];
  const ready = readyFor(transaction, claim);
  const crashes = ready.map((row) => row.crashes);
  const begins = mayBegin(crashes, countHeld(transaction, 'turn') !== 0, maxAttempts);
  return ready.slice(0, begins).map((head) => claimHead(transaction, head, claim));
}

function readyFor({ sql }: Transaction, { limit, agentSlots }: TurnClaim): readonly ReadyTurnRow[] {
  if (agentSlots === undefined) return sql.all(readyTurns, limit);
  const sessions = withinSlots(sql.iterate(readySessions), limit, agentSlots);
  return sessions.flatMap(({ session }) => sql.all(readyTurnOf, session));
}

/** All of them, so that what is held is what runs. */
function reclaimExpired(transaction: Transaction, owner: string): void {
  const { sql, now } = transaction;
  if (!leaseRanOut(transaction, 'turn')) return;
  // Beside one that was cancelled no turn was alone, as long as that had not ended.
  const alone = countHeld(transaction, 'turn') === 1;
  while (leaseRanOut(transaction, 'turn')) {
    const expired = sql.all(expiredTurns, now, owner, reclaimedAtOnce);
    if (expired.length === 0) return;
    // It is not known here how its owner ended.
    reclaimTurns(transaction, expired, { alone, isOwnFault: true });
  }
}

function claimHead(transaction: Transaction, head: ReadyTurnRow, claim: TurnClaim): Turn {
  const { sql, counters, now } = transaction;
  counters.round = Math.max(counters.round, head.ready);
  const row = collect(transaction, head, claim);
  const collected = collectedOf(transaction, row);
  const epoch = hold(transaction, 'turn', head.session_number, row.message, claim);
  sql.run(beginTurn, now, row.message);
  countMove(transaction, 'queued', 'running');
  const messageId = idToText(row.id);
  return {
    turnId: turnIdOf(messageId),
    messageId,
    session: head.session,
    seq: row.seq,
    text: turnText(collected, row.text),
    metadata: parseMetadata(row.metadata),
    sender: row.sender,
    channel: row.channel,
    ...toAttachments(row.attachments),
    collected,
    replyTo: toTarget(row),
    acceptedAt: row.accepted_at,
    agent: head.agent,
    generation: row.generation,
    attempt: row.attempts + 1,
    putBacks: row.put_backs,
    deltas: countDeltas(transaction, row.message),
    owner: claim.owner,
    epoch,
  };
}
