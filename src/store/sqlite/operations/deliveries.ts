import type { CutOff, DeliveryFailure, DeliveryHold, DeliveryPart } from '../../deliveries.js';
import { noticeIdOf, webhookIdOf } from '../../ids.js';
import type { JsonValue, MessageState, UnknownPolicy } from '../../messages.js';
import { type DeliveryChange, type DeliveryEnd, decideDeliveryEnd } from '../../rules/delivery-end.js';
import { isHeldBy } from './claims.js';
import { idToBytes, idToText, parseJson } from './columns.js';
import { advance, enqueue, moveSession, type NextRow } from './queue.js';
import { sql, valueSql } from './statements.js';
import { countMove, type Transaction } from './transaction.js';

/** A delivery under way, by its message. */
export interface DeliveryRow {
  readonly message: number;
  readonly session: number;
  /** The message's state. */
  readonly state: MessageState;
  readonly attempts: number;
  /** The target's. */
  readonly channel: string;
  readonly notice: 0 | 1;
  readonly idempotent: 0 | 1;
  readonly unknown_policy: UnknownPolicy | null;
  readonly begun_at: number | null;
}

interface HeldDeliveryRow extends DeliveryRow {
  readonly owner: string | null;
  readonly epoch: number;
}

const deliveryColumns = `m.number AS message, m.session, m.state, d.attempts, d.notice, d.begun_at,
   m.reply_channel AS channel, m.reply_idempotent AS idempotent, m.reply_unknown AS unknown_policy`;

const heldDelivery = sql<[id: Buffer], HeldDeliveryRow>(
  `SELECT ${deliveryColumns}, h.owner, h.epoch
   FROM messages m
   JOIN deliveries d ON d.message = m.number
   JOIN heads h ON h.line = 'delivery' AND h.session = m.session AND h.message = m.number
   WHERE m.id = ?`,
);
// Claims of others: at a start all of them, later those whose lease ran out. Oldest message first.
export const expiredDeliveries = sql<[now: number, owner: string, limit: number], DeliveryRow>(
  `SELECT ${deliveryColumns}
   FROM heads h
   JOIN deliveries d ON d.message = h.message
   JOIN messages m ON m.number = h.message
   WHERE h.line = 'delivery' AND h.lease_until IS NOT NULL AND h.lease_until <= ? AND h.owner <> ?
   ORDER BY h.lease_until LIMIT 0 + ?`,
);
const insertDelivery = sql<[message: number, session: number, seq: number, webhookId: string, notice: 0 | 1]>(
  `INSERT INTO deliveries (message, session, seq, webhook_id, state, attempts, notice)
   VALUES (?, ?, ?, ?, 'pending', 0, ?)`,
);
const retriedAt = valueSql<[message: number], number | null>(
  'SELECT retried_at FROM messages WHERE number = ?',
);
const noteBegun = sql<[now: number, message: number]>('UPDATE deliveries SET begun_at = ? WHERE message = ?');
const changePending = sql<[error: string | null, uncounted: 0 | 1, unknown: 0 | 1, message: number]>(
  `UPDATE deliveries SET last_error = coalesce(?, last_error), attempts = attempts - ?, unknown = unknown + ?,
     begun_at = NULL
   WHERE message = ?`,
);
const endDelivery = sql<
  [
    state: 'delivered' | 'dead',
    deliveredAt: number | null,
    error: string | null,
    uncounted: 0 | 1,
    unknown: 0 | 1,
    message: number,
  ]
>(
  `UPDATE deliveries SET state = ?, delivered_at = ?, last_error = ?, attempts = attempts - ?,
     unknown = unknown + ?, begun_at = NULL
   WHERE message = ?`,
);
const setMessage = sql<[state: 'delivered' | 'dead', error: string | null, now: number, message: number]>(
  'UPDATE messages SET state = ?, error = ?, changed_at = ? WHERE number = ?',
);
const nextPending = sql<[session: number], NextRow>(
  `SELECT message AS number, NULL AS sender FROM deliveries
   WHERE session = ? AND state = 'pending' ORDER BY seq LIMIT 1`,
);

/** The outbox: called in the transaction that writes the reply, or that there will be none. */
export function createDelivery(
  transaction: Transaction,
  message: {
    readonly id: Buffer;
    readonly message: number;
    readonly session: number;
    readonly seq: number;
  },
  kind: 'reply' | 'notice',
): void {
  const { sql, counters } = transaction;
  const { id, message: number, session, seq } = message;
  const isNotice = kind === 'notice';
  const webhookId = isNotice
    ? noticeIdOf(idToText(id), sql.get(retriedAt, number) ?? null)
    : webhookIdOf(idToText(id));
  sql.run(insertDelivery, number, session, seq, webhookId, isNotice ? 1 : 0);
  enqueue(transaction, 'delivery', session, { number, sender: null });
  counters.undelivered += 1;
}

export function beginDelivery(transaction: Transaction, delivery: DeliveryHold): boolean {
  const row = heldBy(transaction, delivery);
  if (row !== null) transaction.sql.run(noteBegun, transaction.now, row.message);
  return row !== null;
}

export function noteDeliveryPart(
  transaction: Transaction,
  delivery: DeliveryHold,
  part: number,
  receipt: JsonValue,
): boolean {
  if (!Number.isSafeInteger(part) || part < 1) throw new RangeError(`There is no part ${part} of a reply.`);
  const row = heldBy(transaction, delivery);
  if (row !== null) notePart(transaction, row.message, part, receipt);
  return row !== null;
}

export function completeDelivery(transaction: Transaction, delivery: DeliveryHold): boolean {
  return endHeld(transaction, delivery, { by: 'receipt' });
}

export function failDelivery(
  transaction: Transaction,
  delivery: DeliveryHold,
  failure: DeliveryFailure,
): boolean {
  return endHeld(transaction, delivery, { by: 'failure', failure });
}

export function putBackDeliveries(
  transaction: Transaction,
  deliveries: readonly (DeliveryHold & CutOff)[],
): number {
  // The last one first, as each goes to the very front.
  return deliveries
    .toReversed()
    .filter((delivery) =>
      endHeld(transaction, delivery, { by: 'stop', unknownOutcome: delivery.unknownOutcome ?? null }),
    ).length;
}

/** Takes deliveries from an owner that is gone. */
export function reclaimDeliveries(
  transaction: Transaction,
  rows: readonly DeliveryRow[],
): { readonly resumed: number; readonly resent: number; readonly setAside: number } {
  let resent = 0;
  let setAside = 0;
  for (const row of rows.toReversed()) {
    const { delivery } = end(transaction, row, { by: 'crash' });
    if (delivery.state === 'dead') setAside += 1;
    else if (delivery.unknown) resent += 1;
  }
  return { resumed: rows.length - setAside, resent, setAside };
}

/** False when the claim was lost: a later one has the delivery now, or none. */
function endHeld(transaction: Transaction, delivery: DeliveryHold, how: DeliveryEnd): boolean {
  const row = heldBy(transaction, delivery);
  if (row !== null) end(transaction, row, how);
  return row !== null;
}

function heldBy({ sql }: Transaction, delivery: DeliveryHold): DeliveryRow | null {
  const held = sql.get(heldDelivery, idToBytes(delivery.messageId));
  return held !== undefined && isHeldBy(held, delivery) ? held : null;
}

/** Does what the rules say of an end. */
function end(transaction: Transaction, row: DeliveryRow, how: DeliveryEnd): DeliveryChange {
  const change = decideDeliveryEnd(
    {
      attempts: row.attempts,
      channel: row.channel,
      isNotice: row.notice === 1,
      state: row.state,
      idempotent: row.idempotent === 1,
      unknownPolicy: row.unknown_policy,
      hasBegun: row.begun_at !== null,
    },
    how,
    transaction.unknownPolicy,
  );
  changeDelivery(transaction, row, change);
  moveSession(transaction, 'delivery', row, change.session, () => nextOf(transaction, row.session));
  return change;
}

function changeDelivery(
  transaction: Transaction,
  { message: number, state: before }: DeliveryRow,
  { delivery, message }: DeliveryChange,
): void {
  const { sql, counters, now } = transaction;
  const { state, error } = delivery;
  const uncounted = delivery.uncounted ? 1 : 0;
  const unknown = delivery.unknown ? 1 : 0;
  if (state === 'pending') {
    sql.run(changePending, error, uncounted, unknown, number);
    return;
  }
  sql.run(endDelivery, state, state === 'delivered' ? now : null, error, uncounted, unknown, number);
  counters.undelivered -= 1;
  if (message === null) return;
  sql.run(setMessage, message.state, message.error, now, number);
  countMove(transaction, before, message.state);
}

function nextOf({ sql }: Transaction, session: number): NextRow | undefined {
  return sql.get(nextPending, session);
}

/** The delivery at the head of its session is given up, or is not to be made: the next one takes its place. */
export function passOver(transaction: Transaction, session: number): void {
  advance(transaction, 'delivery', session, nextOf(transaction, session));
}

const upsertPart = sql<[message: number, part: number, receipt: string, at: number]>(
  `INSERT INTO delivery_parts (message, part, receipt, at) VALUES (?, ?, ?, ?)
   ON CONFLICT (message, part) DO UPDATE SET receipt = excluded.receipt, at = excluded.at`,
);
const partsOf = sql<[message: number], { readonly part: number; readonly receipt: string }>(
  'SELECT part, receipt FROM delivery_parts WHERE message = ? ORDER BY part',
);

export function notePart({ sql, now }: Transaction, message: number, part: number, receipt: JsonValue): void {
  sql.run(upsertPart, message, part, JSON.stringify(receipt), now);
}

/** Parts of the message's reply that a channel has taken, in their order. */
export function readParts({ sql }: Transaction, message: number): readonly DeliveryPart[] {
  return sql.all(partsOf, message).map(({ part, receipt }) => ({ part, receipt: parseJson(receipt) }));
}
