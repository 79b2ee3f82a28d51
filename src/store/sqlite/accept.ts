import type { ArrivalClaim, NewMessage, QueueLimits, SessionCancelled } from '../store.js';
import { cancelSession } from './by-hand.js';
import { idToBytes, idToText } from './identifiers.js';
import { ticketAtEnd } from './lines.js';
import type { Accepted } from './protocol.js';
import { readMessage } from './reads.js';
import type { Transaction } from './transaction.js';
import { suspectRuns } from './turns.js';

/**
 * Takes a message in at the end of its session. A repeated one is answered even if the queue is full. One that nothing
 * waits before is claimed with it where that is asked for: to queue it, and to take it from the queue again in a
 * transaction of its own, would be as much to write once more.
 */
export function accept(
  transaction: Transaction,
  message: NewMessage,
  limits: QueueLimits,
  claim?: ArrivalClaim,
): Accepted {
  const { sql, counters, now } = transaction;
  const known = sql.session.get(message.session);
  if (known !== undefined && message.idempotencyKey !== null) {
    const earlier = sql.messageByKey.get(known.number, message.idempotencyKey);
    if (earlier !== undefined) return repeat(transaction, earlier.id, earlier.fingerprint, message);
  }

  if (counters.queued >= limits.total) {
    return { outcome: 'full', limit: 'total', waiting: counters.queued };
  }
  let head = known === undefined ? undefined : sql.head.get('turn', known.number);
  let interrupted: SessionCancelled['messages'] = [];
  if (head !== undefined && (known?.policy ?? limits.policy) === 'interrupt') {
    const reason = `Interrupted by the message ${message.id}.`;
    interrupted = cancelSession(transaction, message.session, reason)?.messages ?? [];
    head = known === undefined ? undefined : sql.head.get('turn', known.number);
  } else {
    const running = head?.owner == null ? 0 : 1;
    const waiting = (known?.unfinished ?? 0) - running;
    if (waiting >= limits.session) return { outcome: 'full', limit: 'session', waiting };
  }

  const session = known?.number ?? Number(sql.insertSession.run(message.session, now).lastInsertRowid);
  if (known === undefined) counters.sessions += 1;
  else sql.extendSession.run(now, session);
  const seq = (known?.last_seq ?? 0) + 1;
  const claimed =
    claim !== undefined &&
    head === undefined &&
    sql.firstTicket.get('turn') === undefined &&
    !suspectRuns(transaction);
  const number = Number(
    sql.insertMessage.run(
      idToBytes(message.id),
      session,
      seq,
      claimed ? 'running' : 'queued',
      claimed ? 1 : 0,
      now,
      now,
      message.channel,
      message.replyUrl,
      message.replyIdempotent === false ? 0 : 1,
      message.replyUnknown ?? null,
      message.idempotencyKey,
      message.idempotencyKey === null ? null : message.fingerprint,
      message.sender ?? null,
    ).lastInsertRowid,
  );
  sql.insertText.run(number, message.text, JSON.stringify(message.metadata));
  const sender = message.sender ?? null;
  if (head === undefined) {
    const { ready, place } = ticketAtEnd(transaction, 'turn', sender);
    if (claimed) {
      counters.round = Math.max(counters.round, ready);
      sql.insertHeldHead.run('turn', session, number, sender, place, claim.owner, now + claim.leaseMs);
    } else {
      sql.insertHead.run('turn', session, number, sender, ready, place);
    }
  }
  counters[claimed ? 'running' : 'queued'] += 1;

  return { outcome: 'accepted', seq, acceptedAt: now, claimed, interrupted };
}

function repeat(
  transaction: Transaction,
  earlierId: Buffer,
  earlierFingerprint: Buffer,
  message: NewMessage,
): Accepted {
  const id = idToText(earlierId);
  const earlier = readMessage(transaction, id);
  if (earlier === null || message.fingerprint === null || !earlierFingerprint.equals(message.fingerprint)) {
    return { outcome: 'conflict', messageId: id };
  }
  return { outcome: 'repeated', message: earlier };
}
