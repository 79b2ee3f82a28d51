import type { Delivery } from '../../deliveries.js';
import type { UnknownPolicy } from '../../messages.js';
import type { Claim } from '../../turns.js';
import { toAttachments } from './blobs.js';
import { type Fence, hold, leaseRanOut } from './claims.js';
import { idToText, parseMetadata, type TargetRow, targetColumns, toTarget } from './columns.js';
import { expiredDeliveries, readParts, reclaimDeliveries } from './deliveries.js';
import { admitRetries } from './queue.js';
import { sql } from './statements.js';
import type { Transaction } from './transaction.js';

interface ReadyDeliveryRow extends TargetRow {
  readonly message: number;
  readonly session_number: number;
  readonly id: Buffer;
  readonly session: string;
  readonly seq: number;
  readonly webhook_id: string;
  readonly text: string;
  readonly metadata: string;
  /** A notice has null. */
  readonly reply_text: string | null;
  readonly reply_metadata: string | null;
  readonly reply_attachments: string | null;
  readonly replied_at: number | null;
  readonly notice: 0 | 1;
  readonly error: string | null;
  readonly changed_at: number;
  readonly retried_at: number | null;
  readonly attempts: number;
  readonly idempotent: 0 | 1;
  readonly unknown_policy: UnknownPolicy | null;
}

const readyDeliveries = sql<[limit: number], ReadyDeliveryRow>(
  `SELECT m.number AS message, h.session AS session_number, m.id, s.name AS session, m.seq, ${targetColumns},
     d.webhook_id, t.text, t.metadata, r.text AS reply_text, r.metadata AS reply_metadata, r.attachments AS reply_attachments, r.at AS replied_at,
     d.attempts, d.notice, m.error, m.changed_at, m.retried_at, m.reply_idempotent AS idempotent,
     m.reply_unknown AS unknown_policy
   FROM heads h
   JOIN messages m ON m.number = h.message
   JOIN deliveries d ON d.message = h.message
   JOIN message_texts t ON t.message = h.message
   LEFT JOIN replies r ON r.message = h.message
   JOIN sessions s ON s.number = h.session
   WHERE h.line = 'delivery' AND h.ready IS NOT NULL ORDER BY h.ready, h.place LIMIT 0 + ?`,
);
const claimDelivery = sql<[begunAt: number | null, message: number]>(
  'UPDATE deliveries SET attempts = attempts + 1, begun_at = ? WHERE message = ?',
);
const idsCollectedIn = sql<[message: number], { readonly id: Buffer; readonly seq: number }>(
  `SELECT id, seq FROM messages INDEXED BY messages_collected
   WHERE collected_in = ? AND collected_in IS NOT NULL ORDER BY number`,
);

export function claimDeliveries(transaction: Transaction, claim: Claim): Delivery[] {
  const { sql, now } = transaction;
  const { owner, limit } = claim;
  if (limit < 1) return [];
  if (leaseRanOut(transaction, 'delivery')) {
    reclaimDeliveries(transaction, sql.all(expiredDeliveries, now, owner, limit));
  }
  admitRetries(transaction, 'delivery', limit);
  return sql.all(readyDeliveries, limit).map((row) => {
    const epoch = hold(transaction, 'delivery', row.session_number, row.message, claim);
    // One that may be sent twice counts as begun from now on: that costs no write of its own.
    sql.run(claimDelivery, row.idempotent === 1 ? now : null, row.message);
    return toDelivery(transaction, row, { owner, epoch });
  });
}

function toDelivery(transaction: Transaction, row: ReadyDeliveryRow, fence: Fence): Delivery {
  const { sql } = transaction;
  const target = toTarget(row);
  if (target === null) throw new Error(`The delivery of message ${row.message} goes nowhere.`);
  const repliedAt = row.replied_at ?? row.changed_at;
  const { attachments: replyAttachments } = toAttachments(row.reply_attachments);
  return {
    messageId: idToText(row.id),
    session: row.session,
    seq: row.seq,
    target,
    parts: readParts(transaction, row.message),
    webhookId: row.webhook_id,
    text: row.text,
    metadata: parseMetadata(row.metadata),
    collected: sql.all(idsCollectedIn, row.message).map(({ id, seq }) => ({ messageId: idToText(id), seq })),
    notice: row.notice === 1 ? (row.error ?? '') : null,
    replyText: row.reply_text ?? '',
    replyMetadata: row.reply_metadata === null ? {} : parseMetadata(row.reply_metadata),
    repliedAt,
    // A retry may have run the turn again, whose end came later.
    dueSince: Math.max(row.retried_at ?? repliedAt, repliedAt),
    attempt: row.attempts + 1,
    idempotent: row.idempotent === 1,
    unknownPolicy: row.unknown_policy,
    ...(replyAttachments === undefined ? {} : { replyAttachments }),
    ...fence,
  };
}
