import type { Claim, Delivery } from '../store.js';
import { idToBytes, idToText, webhookIdOf } from './identifiers.js';
import { admitRetries, join, moveOn, putBack } from './lines.js';
import { parseMetadata } from './reads.js';
import type { HeldRow, TakenRow } from './sql.js';
import type { Transaction } from './transaction.js';

/** The outbox: called in the transaction that writes the reply. */
export function createDelivery(
  transaction: Transaction,
  message: Pick<HeldRow, 'message' | 'session' | 'seq'>,
  messageId: Buffer,
): void {
  transaction.sql.insertDelivery.run(message.message, message.session, message.seq, webhookIdOf(messageId));
  join(transaction, 'delivery', message.session, message.message);
  transaction.counters.undelivered += 1;
}

export function claimDeliveries(transaction: Transaction, claim: Claim): Delivery[] {
  const { sql } = transaction;
  if (claim.limit < 1) return [];
  takeBackDeliveries(transaction, sql.expiredDeliveries.all(claim.now, claim.owner, claim.limit));
  admitRetries(transaction, 'delivery', claim);
  return sql.readyDeliveries.all(claim.limit).map((row) => {
    sql.holdHead.run(claim.owner, claim.leaseUntil, 'delivery', row.session_number);
    sql.beginDelivery.run(row.message);
    return {
      messageId: idToText(row.id),
      session: row.session,
      seq: row.seq,
      url: row.url,
      webhookId: row.webhook_id,
      text: row.text,
      metadata: parseMetadata(row.metadata),
      replyText: row.reply_text,
      replyMetadata: parseMetadata(row.reply_metadata),
      repliedAt: row.replied_at,
      attempt: row.attempts + 1,
      owner: claim.owner,
    };
  });
}

export function completeDelivery(transaction: Transaction, delivery: Delivery, now: number): boolean {
  const { sql, counters } = transaction;
  const held = heldDelivery(transaction, delivery);
  if (held === null) return false;
  sql.endDelivery.run('delivered', now, null, held.message);
  sql.setState.run('delivered', null, now, held.message);
  counters.delivered += 1;
  finish(transaction, held);
  return true;
}

export function failDelivery(
  transaction: Transaction,
  delivery: Delivery,
  error: string,
  retryAt: number | null,
  now: number,
): boolean {
  const { sql, counters } = transaction;
  const held = heldDelivery(transaction, delivery);
  if (held === null) return false;
  if (retryAt !== null) {
    sql.noteDeliveryError.run(error, held.message);
    sql.retryHead.run(retryAt, 'delivery', held.session);
    return true;
  }
  sql.endDelivery.run('dead', null, error, held.message);
  sql.setState.run('dead', `The reply could not be delivered: ${error}`, now, held.message);
  counters.dead += 1;
  finish(transaction, held);
  return true;
}

export function putBackDeliveries(transaction: Transaction, deliveries: readonly Delivery[]): number {
  const { sql } = transaction;
  let count = 0;
  for (const delivery of deliveries.toReversed()) {
    const held = heldDelivery(transaction, delivery);
    if (held === null) continue;
    sql.uncountDelivery.run(held.message);
    putBack(transaction, 'delivery', held.session, held.message);
    count += 1;
  }
  return count;
}

/** Takes deliveries from an owner that is gone. The attempt counts: it may have reached the receiver. */
export function takeBackDeliveries(transaction: Transaction, taken: readonly TakenRow[]): number {
  for (const row of taken.toReversed()) putBack(transaction, 'delivery', row.session, row.message);
  return taken.length;
}

function heldDelivery({ sql }: Transaction, delivery: Delivery): HeldRow | null {
  const held = sql.heldDelivery.get(idToBytes(delivery.messageId));
  return held !== undefined && held.owner === delivery.owner && held.attempts === delivery.attempt
    ? held
    : null;
}

function finish(transaction: Transaction, delivery: Pick<HeldRow, 'session'>): void {
  const { sql, counters } = transaction;
  counters.replied -= 1;
  counters.undelivered -= 1;
  moveOn(transaction, 'delivery', delivery.session, sql.nextPending.get(delivery.session));
}
