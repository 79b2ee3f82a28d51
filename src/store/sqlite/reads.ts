import type {
  DeliverySummary,
  Message,
  Metadata,
  Page,
  SessionSummary,
  SettledMessages,
  StoreCounts,
} from '../store.js';
import { StoreError } from '../store.js';
import { decodeCursor, encodeCursor } from './cursor.js';
import { idToBytesOrNull, idToText } from './identifiers.js';
import type { MessageRow, SessionSummaryRow } from './sql.js';
import type { Transaction } from './transaction.js';

/** Items of one page at most: a page is read while every other caller waits. */
const largestPage = 10_000;
/**
 * And so much text, in UTF-16 code units, or one item: it is all in memory at once, here and where it is sent from, and
 * makes one piece of work for both threads.
 */
const largestPageText = 1024 ** 2;
/** For event streams, which read on when their clients have taken it. */
const largestSettledText = 64 * 1024;

interface PageRequest {
  readonly limit: number;
  readonly after: string | null;
}

export function readMessage({ sql }: Transaction, id: string): Message | null {
  const bytes = idToBytesOrNull(id);
  const row = bytes === null ? undefined : sql.message.get(bytes);
  return row === undefined ? null : toMessage(row);
}

/** In the order of their names. */
export function readSessions({ sql }: Transaction, page: PageRequest): Page<SessionSummary> {
  const after = page.after === null ? '' : decodeCursor('sessions', page.after);
  const rows = sql.sessions.all(after, checkLimit(page.limit) + 1);
  const items = rows.slice(0, page.limit).map(toSummary);
  const last = items.at(-1);
  const more = rows.length > page.limit && last !== undefined;
  return { items, next: more ? encodeCursor('sessions', last.session) : null };
}

export function readSession({ sql }: Transaction, name: string): SessionSummary | null {
  const row = sql.sessionSummary.get(name);
  return row === undefined ? null : toSummary(row);
}

function toSummary(row: SessionSummaryRow): SessionSummary {
  return {
    session: row.name,
    lastSeq: row.last_seq,
    waiting: row.unfinished - row.running,
    running: row.running === 1,
    lastAcceptedAt: row.last_accepted_at,
    policy: row.policy,
  };
}

export function readSessionMessages(
  { sql }: Transaction,
  session: string,
  page: PageRequest,
): Page<Message> | null {
  const after = page.after === null ? 0 : Number(decodeCursor('messages', page.after));
  if (!Number.isSafeInteger(after)) throw new StoreError('bad-cursor', `"${page.after}" is not a cursor.`);
  const limit = checkLimit(page.limit);
  const known = sql.session.get(session);
  if (known === undefined) return null;
  const { rows, last } = take(sql.sessionMessages.iterate(known.number, after, limit + 1), limit);
  return {
    items: rows.map(toMessage),
    next: last === null ? null : encodeCursor('messages', String(last.seq)),
  };
}

export function readDeadMessages({ sql }: Transaction, page: PageRequest): Page<Message> {
  const after = page.after === null ? 0 : Number(decodeCursor('dead', page.after));
  if (!Number.isSafeInteger(after)) throw new StoreError('bad-cursor', `"${page.after}" is not a cursor.`);
  const limit = checkLimit(page.limit);
  const { rows, last } = take(sql.deadMessages.iterate(after, limit + 1), limit);
  return {
    items: rows.map(toMessage),
    next: last === null ? null : encodeCursor('dead', String(last.number)),
  };
}

export function readSettledMessages(
  { sql }: Transaction,
  session: string,
  seq: number,
  limit: number,
): SettledMessages {
  const known = sql.session.get(session);
  if (known === undefined) return { items: [], more: false };
  const settled = settledOf(sql.sessionMessages.iterate(known.number, seq, checkLimit(limit) + 1));
  const { rows, last } = take(settled, limit, largestSettledText);
  return { items: rows.map(toMessage), more: last !== null };
}

function* settledOf(rows: Iterable<MessageRow>): Generator<MessageRow> {
  for (const row of rows) {
    if (row.state === 'queued' || row.state === 'running') return;
    yield row;
  }
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
  }
  return { rows, last: null };
}

/** A dead message that is tried again may lie far back: then more is taken for unsettled than is. */
export function readSettledUpTo({ sql }: Transaction, session: string): number {
  const known = sql.session.get(session);
  if (known === undefined) return 0;
  const head = sql.placeOfHead.get(known.number);
  return head === undefined ? known.last_seq : head.seq - 1;
}

export function readCounts({ counters }: Transaction): StoreCounts {
  const { place: _place, round: _round, ...counts } = counters;
  return counts;
}

export function readNextDueInMs({ sql, now }: Transaction, owner: string): number | null {
  const at = sql.nextDueAt.get(owner, owner) ?? null;
  return at === null ? null : Math.max(at - now, 0);
}

function checkLimit(limit: number): number {
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > largestPage) {
    throw new RangeError(`The limit of a page must be from 1 to ${largestPage}, not ${limit}.`);
  }
  return limit;
}

export function parseMetadata(json: string): Metadata {
  return JSON.parse(json);
}

function toMessage(row: MessageRow): Message {
  return {
    id: idToText(row.id),
    session: row.session,
    seq: row.seq,
    state: row.state,
    text: row.text,
    metadata: parseMetadata(row.metadata),
    replyUrl: row.reply_url,
    sender: row.sender,
    channel: row.channel,
    acceptedAt: row.accepted_at,
    attempts: row.attempts,
    reply:
      row.reply_text === null || row.reply_metadata === null || row.replied_at === null
        ? null
        : { text: row.reply_text, metadata: parseMetadata(row.reply_metadata), at: row.replied_at },
    delivery: toDeliverySummary(row),
    error: row.error,
    changedAt: row.changed_at,
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
