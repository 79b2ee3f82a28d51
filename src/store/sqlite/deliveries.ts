import type { Claim, CutOff, Delivery, DeliveryFailure, DeliveryHold } from '../store.js';
import { settleUnknown } from '../unknown-delivery.js';
import { idToBytes, idToText, noticeIdOf, webhookIdOf } from './identifiers.js';
import { admitRetries, join, leaseRanOut, moveOn, putBack } from './lines.js';
import { parseMetadata } from './reads.js';
import type { HeldDeliveryRow, TakenDeliveryRow } from './sql.js';
import type { Transaction } from './transaction.js';

/** The outbox: called in the transaction that writes the reply, or that there will be none. */
export function createDelivery(
  transaction: Transaction,
  message: Pick<HeldDeliveryRow, 'id' | 'message' | 'session' | 'seq'>,
  kind: 'reply' | 'notice',
): void {
  const { id, message: number, session, seq } = message;
  const isNotice = kind === 'notice';
  const webhookId = isNotice
    ? noticeIdOf(id, transaction.sql.retriedAt.get(number) ?? null)
    : webhookIdOf(id);
  transaction.sql.insertDelivery.run(number, session, seq, webhookId, isNotice ? 1 : 0);
  join(transaction, 'delivery', message.session, { number: message.message, sender: null });
  transaction.counters.undelivered += 1;
}

export function claimDeliveries(transaction: Transaction, claim: Claim): Delivery[] {
  const { sql, now } = transaction;
  if (claim.limit < 1) return [];
  if (leaseRanOut(transaction, 'delivery')) {
    takeBackDeliveries(transaction, sql.expiredDeliveries.all(now, claim.owner, claim.limit));
  }
  admitRetries(transaction, 'delivery', claim.limit);
  return sql.readyDeliveries.all(claim.limit).map((row) => {
    const repliedAt = row.replied_at ?? row.changed_at;
    sql.holdHead.run(row.message, claim.owner, now + claim.leaseMs, 'delivery', row.session_number);
    // One that may be sent twice counts as begun from now on: that costs no write of its own.
    sql.claimDelivery.run(row.idempotent === 1 ? now : null, row.message);
    return {
      messageId: idToText(row.id),
      session: row.session,
      seq: row.seq,
      url: row.url,
      webhookId: row.webhook_id,
      text: row.text,
      metadata: parseMetadata(row.metadata),
      collected: sql.idsCollectedIn.all(row.message).map(({ id, seq }) => ({ messageId: idToText(id), seq })),
      notice: row.notice === 1 ? (row.error ?? '') : null,
      replyText: row.reply_text ?? '',
      replyMetadata: row.reply_metadata === null ? {} : parseMetadata(row.reply_metadata),
      repliedAt,
      // What was tried again may have been the turn, whose end came later.
      dueSince: Math.max(row.retried_at ?? repliedAt, repliedAt),
      attempt: row.attempts + 1,
      idempotent: row.idempotent === 1,
      unknownPolicy: row.unknown_policy,
      owner: claim.owner,
    };
  });
}

export function beginDelivery(transaction: Transaction, delivery: DeliveryHold): boolean {
  const held = heldDelivery(transaction, delivery);
  if (held !== null) transaction.sql.beginDelivery.run(transaction.now, held.message);
  return held !== null;
}

export function completeDelivery(transaction: Transaction, delivery: DeliveryHold): boolean {
  const { sql, counters, now } = transaction;
  const held = heldDelivery(transaction, delivery);
  if (held === null) return false;
  sql.endDelivery.run('delivered', now, null, held.message);
  if (held.notice === 0) {
    sql.setState.run('delivered', null, now, held.message);
    counters.delivered += 1;
  }
  finish(transaction, held);
  return true;
}

export function failDelivery(
  transaction: Transaction,
  delivery: DeliveryHold,
  failure: DeliveryFailure,
): boolean {
  const { sql, now } = transaction;
  const held = heldDelivery(transaction, delivery);
  if (held === null) return false;
  if (!failure.attempted) sql.uncountDelivery.run(held.message);
  if (failure.unknown) sql.noteUnknownDelivery.run(held.message);
  // The notice of a message that somebody has discarded is not tried again.
  if (failure.retryInMs === null || held.state === 'cancelled') {
    endDead(transaction, held, failure.error ?? 'it was given up');
    return true;
  }
  sql.noteDeliveryError.run(failure.error, held.message);
  sql.retryHead.run(now + failure.retryInMs, now, 'delivery', held.session);
  return true;
}

export function putBackDeliveries(
  transaction: Transaction,
  deliveries: readonly (DeliveryHold & CutOff)[],
): number {
  const { sql } = transaction;
  let count = 0;
  for (const delivery of deliveries.toReversed()) {
    const held = heldDelivery(transaction, delivery);
    if (held === null) continue;
    sql.uncountDelivery.run(held.message);
    if (delivery.unknownOutcome !== undefined) {
      sql.noteUnknownDelivery.run(held.message);
      sql.noteDeliveryError.run(delivery.unknownOutcome, held.message);
    }
    putBack(transaction, 'delivery', held.session, held.message);
    count += 1;
  }
  return count;
}

/**
 * Takes deliveries from an owner that is gone. An attempt that had begun counts, as it may have reached the receiver;
 * one that was only claimed does not.
 */
export function takeBackDeliveries(
  transaction: Transaction,
  taken: readonly TakenDeliveryRow[],
): { readonly resumed: number; readonly resent: number; readonly setAside: number } {
  const { sql, unknownPolicy } = transaction;
  let resent = 0;
  let setAside = 0;
  for (const row of taken.toReversed()) {
    const idempotent = row.idempotent === 1;
    if (row.begun_at === null && !idempotent) {
      sql.uncountDelivery.run(row.message);
      putBack(transaction, 'delivery', row.session, row.message);
      continue;
    }
    const { resend, record } = settleUnknown(
      {
        attempt: row.attempts,
        idempotent,
        unknownPolicy: row.unknown_policy,
        cause: 'the gateway went down',
      },
      unknownPolicy,
    );
    sql.noteUnknownDelivery.run(row.message);
    if (resend) {
      sql.noteDeliveryError.run(record, row.message);
      putBack(transaction, 'delivery', row.session, row.message);
      resent += 1;
    } else {
      endDead(transaction, row, record);
      setAside += 1;
    }
  }
  return { resumed: taken.length - setAside, resent, setAside };
}

function heldDelivery({ sql }: Transaction, delivery: DeliveryHold): HeldDeliveryRow | null {
  const held = sql.heldDelivery.get(idToBytes(delivery.messageId));
  return held !== undefined && held.owner === delivery.owner && held.attempts === delivery.attempt
    ? held
    : null;
}

function endDead(
  transaction: Transaction,
  delivery: Pick<HeldDeliveryRow, 'message' | 'session' | 'notice'>,
  error: string,
): void {
  const { sql, counters, now } = transaction;
  sql.endDelivery.run('dead', null, error, delivery.message);
  // Of a notice the message was dead before, and for its own reason.
  if (delivery.notice === 0) {
    sql.setState.run('dead', `The reply could not be delivered: ${error}`, now, delivery.message);
    counters.dead += 1;
  }
  finish(transaction, delivery);
}

function finish(transaction: Transaction, delivery: Pick<HeldDeliveryRow, 'session' | 'notice'>): void {
  const { sql, counters } = transaction;
  if (delivery.notice === 0) counters.replied -= 1;
  counters.undelivered -= 1;
  moveOn(transaction, 'delivery', delivery.session, sql.nextPending.get(delivery.session));
}
