import type {
  DeliverySummary,
  HistoryBounds,
  Message,
  MessageState,
  Page,
  PageRequest,
  SessionSummary,
  SettledMessages,
  StoreCounts,
  TurnWait,
} from '../../messages.js';
import { checkLimit, decodeCursor, decodeNumber, encodeCursor, pageOf } from '../../pages.js';
import { toAttachments } from './blobs.js';
import {
  idToBytesOrNull,
  idToText,
  parseMetadata,
  type TargetRow,
  targetColumns,
  toTarget,
} from './columns.js';
import { headMessage } from './queue.js';
import { type SessionSummaryRow, sessionNamed, summaryColumns, toSummary } from './sessions.js';
import { sql, valueSql } from './statements.js';
import type { Transaction } from './transaction.js';

/**
 * The text of a page ends near so many UTF-16 code units: it is all in memory at once, here and where it is sent from,
 * and makes one piece of work for both threads.
 */
const largestPageText = 1024 ** 2;
/** The same for event streams, which read on when their clients have taken it. */
const largestSettledText = 64 * 1024;

interface MessageRow extends TargetRow {
  readonly id: Buffer;
  readonly session: string;
  readonly seq: number;
  readonly state: MessageState;
  readonly attempts: number;
  readonly accepted_at: number;
  readonly changed_at: number;
  readonly channel: string;
  readonly sender: string | null;
  readonly error: string | null;
  readonly generation: number;
  readonly waiting_for: TurnWait | null;
  readonly collected_in: Buffer | null;
  readonly collected_in_state: MessageState | null;
  readonly text: string;
  readonly metadata: string;
  readonly attachments: string | null;
  readonly reply_text: string | null;
  readonly reply_metadata: string | null;
  readonly reply_attachments: string | null;
  readonly reply_usage: string | null;
  readonly replied_at: number | null;
  readonly webhook_id: string | null;
  readonly delivery_attempts: number | null;
  readonly delivered_at: number | null;
  readonly delivery_error: string | null;
  readonly delivery_unknown: number | null;
  readonly notice: 0 | 1 | null;
  readonly next_attempt_at: number | null;
}

const messageColumns = `
  m.id, s.name AS session, m.seq, m.state, m.attempts, m.accepted_at, m.changed_at, m.channel, m.sender,
  m.generation, m.waiting_for, ${targetColumns},
  m.error, c.id AS collected_in, c.state AS collected_in_state,
  t.text, t.metadata, t.attachments,
  r.text AS reply_text, r.metadata AS reply_metadata, r.attachments AS reply_attachments,
  r.usage AS reply_usage, r.at AS replied_at,
  d.webhook_id, d.attempts AS delivery_attempts, d.delivered_at, d.last_error AS delivery_error,
  d.unknown AS delivery_unknown, d.notice,
  h.retry_at AS next_attempt_at`;

const messageJoins = `
  JOIN message_texts t ON t.message = m.number
  LEFT JOIN messages c ON c.number = m.collected_in
  LEFT JOIN replies r ON r.message = coalesce(m.collected_in, m.number)
  LEFT JOIN deliveries d ON d.message = m.number
  LEFT JOIN heads h ON h.line = 'delivery' AND h.session = m.session AND h.message = m.number`;

const messageById = sql<[id: Buffer], MessageRow>(
  `SELECT ${messageColumns} FROM messages m JOIN sessions s ON s.number = m.session ${messageJoins}
   WHERE m.id = ?`,
);
const messagesOfSession = sql<[session: number, after: number, limit: number], MessageRow>(
  `SELECT ${messageColumns} FROM messages m JOIN sessions s ON s.number = m.session ${messageJoins}
   WHERE m.session = ? AND m.seq > ? ORDER BY m.seq LIMIT 0 + ?`,
);
const repliedMessages = sql<[session: number, before: number], MessageRow>(
  `SELECT ${messageColumns} FROM messages m JOIN sessions s ON s.number = m.session ${messageJoins}
   WHERE m.session = ? AND m.seq < ? AND coalesce(c.state, m.state) IN ('replied', 'delivered')
   ORDER BY m.seq DESC`,
);
const deadMessages = sql<[after: number, limit: number], MessageRow & { readonly number: number }>(
  `SELECT m.number, ${messageColumns}
   FROM messages m INDEXED BY messages_dead JOIN sessions s ON s.number = m.session ${messageJoins}
   WHERE m.state = 'dead' AND m.number > ? ORDER BY m.number LIMIT 0 + ?`,
);
const sessionsAfter = sql<[after: string, limit: number], SessionSummaryRow>(
  `SELECT ${summaryColumns}
   FROM sessions s LEFT JOIN heads h ON h.line = 'turn' AND h.session = s.number
   WHERE s.name > ? ORDER BY s.name LIMIT 0 + ?`,
);
const nextDueAt = valueSql<[owner: string, owner: string], number | null>(
  `SELECT min(at) FROM (
     SELECT (SELECT retry_at FROM heads WHERE line = 'turn' AND retry_at IS NOT NULL
             ORDER BY retry_at LIMIT 1) AS at
     UNION ALL SELECT (SELECT retry_at FROM heads WHERE line = 'delivery' AND retry_at IS NOT NULL
             ORDER BY retry_at LIMIT 1)
     UNION ALL SELECT (SELECT lease_until FROM heads WHERE line = 'turn' AND lease_until IS NOT NULL
             AND owner <> ? ORDER BY lease_until LIMIT 1)
     UNION ALL SELECT (SELECT lease_until FROM heads WHERE line = 'delivery' AND lease_until IS NOT NULL
             AND owner <> ? ORDER BY lease_until LIMIT 1))`,
);

export function readMessage({ sql }: Transaction, id: string): Message | null {
  const bytes = idToBytesOrNull(id);
  const row = bytes === null ? undefined : sql.get(messageById, bytes);
  return row === undefined ? null : toMessage(row);
}

/** In the order of their names. */
export function readSessions({ sql }: Transaction, page: PageRequest): Page<SessionSummary> {
  const after = page.after === null ? '' : decodeCursor('sessions', page.after);
  const rows = sql.all(sessionsAfter, after, checkLimit(page.limit) + 1);
  return pageOf('sessions', rows.map(toSummary), page.limit, ({ session }) => session);
}

export function readSessionMessages(
  transaction: Transaction,
  session: string,
  page: PageRequest,
): Page<Message> | null {
  const after = decodeNumber('messages', page.after);
  const limit = checkLimit(page.limit);
  const known = sessionNamed(transaction, session);
  if (known === undefined) return null;
  const { rows, last } = take(
    transaction.sql.iterate(messagesOfSession, known.number, after, limit + 1),
    limit,
  );
  return {
    items: rows.map(toMessage),
    next: last === null ? null : encodeCursor('messages', String(last.seq)),
  };
}

export function readDeadMessages({ sql }: Transaction, page: PageRequest): Page<Message> {
  const after = decodeNumber('dead', page.after);
  const limit = checkLimit(page.limit);
  const { rows, last } = take(sql.iterate(deadMessages, after, limit + 1), limit);
  return {
    items: rows.map(toMessage),
    next: last === null ? null : encodeCursor('dead', String(last.number)),
  };
}

export function readHistory(
  transaction: Transaction,
  session: string,
  limit: number,
  of?: HistoryBounds,
): readonly Message[] {
  const known = sessionNamed(transaction, session);
  if (known === undefined) return [];
  const { generation, before } = of ?? { generation: known.generation, before: known.last_seq + 1 };
  const newest = ofGeneration(transaction.sql.iterate(repliedMessages, known.number, before), generation);
  return take(newest, checkLimit(limit)).rows.map(toMessage).reverse();
}

/** From the newest on: generations only go back. */
function* ofGeneration(rows: Iterable<MessageRow>, generation: number): Generator<MessageRow> {
  for (const row of rows) {
    if (row.generation < generation) return;
    if (row.generation === generation) yield row;
  }
}

export function readSettledMessages(
  transaction: Transaction,
  session: string,
  seq: number,
  limit: number,
): SettledMessages {
  const known = sessionNamed(transaction, session);
  if (known === undefined) return { items: [], more: false, next: null };
  const { sql } = transaction;
  let next: SettledMessages['next'] = null;
  function* settledOf(rows: Iterable<MessageRow>): Generator<MessageRow> {
    for (const row of rows) {
      const { state } = row;
      if (state === 'queued' || state === 'running') {
        next = { id: idToText(row.id), state };
        return;
      }
      yield row;
    }
  }
  const settled = settledOf(sql.iterate(messagesOfSession, known.number, seq, checkLimit(limit) + 1));
  const { rows, last } = take(settled, limit, largestSettledText);
  return { items: rows.map(toMessage), more: last !== null, next };
}

/** The rows of one page; `last` is its last one if there are others behind it. */
function take<Row extends MessageRow>(
  from: Iterable<Row>,
  limit: number,
  largestText = largestPageText,
): { readonly rows: readonly Row[]; readonly last: Row | null } {
  const rows: Row[] = [];
  let text = 0;
  for (const row of from) {
    if (rows.length === limit || text >= largestText) return { rows, last: rows.at(-1) ?? null };
    rows.push(row);
    text += row.text.length + row.metadata.length;
    text += (row.reply_text?.length ?? 0) + (row.reply_metadata?.length ?? 0);
    text += (row.error?.length ?? 0) + (row.delivery_error?.length ?? 0);
  }
  return { rows, last: null };
}

/** A dead message that is tried again may lie far back: then more is taken for unsettled than is. */
export function readSettledUpTo(transaction: Transaction, session: string): number {
  const known = sessionNamed(transaction, session);
  if (known === undefined) return 0;
  const head = headMessage(transaction, known.number);
  return head === undefined ? known.last_seq : head.seq - 1;
}

export function readCounts({ counters }: Transaction): StoreCounts {
  const { place: _place, round: _round, epoch: _epoch, ...counts } = counters;
  return counts;
}

export function readNextDueInMs({ sql, now }: Transaction, owner: string): number | null {
  const at = sql.get(nextDueAt, owner, owner) ?? null;
  return at === null ? null : Math.max(at - now, 0);
}

function toMessage(row: MessageRow): Message {
  return {
    id: idToText(row.id),
    session: row.session,
    seq: row.seq,
    state: row.state,
    text: row.text,
    metadata: parseMetadata(row.metadata),
    replyTo: toTarget(row),
    sender: row.sender,
    channel: row.channel,
    acceptedAt: row.accepted_at,
    attempts: row.attempts,
    reply:
      row.reply_text === null || row.reply_metadata === null || row.replied_at === null
        ? null
        : {
            text: row.reply_text,
            metadata: parseMetadata(row.reply_metadata),
            at: row.replied_at,
            ...toAttachments(row.reply_attachments),
            ...(row.reply_usage === null ? {} : { usage: JSON.parse(row.reply_usage) }),
          },
    delivery: toDeliverySummary(row),
    error: row.error,
    changedAt: row.changed_at,
    generation: row.generation,
    waitingFor: row.waiting_for,
    ...toAttachments(row.attachments),
    collectedIn:
      row.collected_in === null || row.collected_in_state === null
        ? null
        : { id: idToText(row.collected_in), state: row.collected_in_state },
  };
}

function toDeliverySummary(row: MessageRow): DeliverySummary | null {
  if (row.webhook_id === null || row.delivery_attempts === null) return null;
  return {
    kind: row.notice === 1 ? 'notice' : 'reply',
    webhookId: row.webhook_id,
    attempts: row.delivery_attempts,
    nextAttemptAt: row.next_attempt_at,
    deliveredAt: row.delivered_at,
    lastError: row.delivery_error,
    unknown: row.delivery_unknown ?? 0,
  };
}
