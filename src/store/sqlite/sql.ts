import type { Database, Statement } from 'better-sqlite3';
import type { MessageState, SessionPolicy, UnknownPolicy } from '../store.js';
import type { Counters } from './transaction.js';

/** Which line a session waits in: to have its oldest message run, or its oldest reply posted. */
export type Line = 'turn' | 'delivery';

export interface SessionRow {
  readonly number: number;
  readonly last_seq: number;
  readonly unfinished: number;
  readonly policy: SessionPolicy | null;
}

export interface SessionSummaryRow {
  readonly name: string;
  readonly last_seq: number;
  readonly unfinished: number;
  readonly last_accepted_at: number;
  readonly running: 0 | 1;
  readonly policy: SessionPolicy | null;
}

export interface KeyRow {
  readonly id: Buffer;
  readonly fingerprint: Buffer;
}

export interface HeadRow {
  readonly session: number;
  readonly message: number;
  readonly owner: string | null;
  readonly sender: string | null;
}

/** A message that waits behind the head of its session. */
export interface NextRow {
  readonly number: number;
  readonly sender: string | null;
}

/** Frames in the log, and those of them that are in the database. */
export interface CheckpointRow {
  readonly busy: 0 | 1;
  readonly log: number;
  readonly checkpointed: number;
}

export interface TicketRow {
  readonly ready: number;
  readonly place: number;
}

export interface MessageRow {
  readonly id: Buffer;
  readonly session: string;
  readonly seq: number;
  readonly state: MessageState;
  readonly attempts: number;
  readonly accepted_at: number;
  readonly changed_at: number;
  readonly channel: string;
  readonly sender: string | null;
  readonly reply_url: string | null;
  readonly error: string | null;
  readonly collected_in: Buffer | null;
  readonly collected_in_state: MessageState | null;
  readonly text: string;
  readonly metadata: string;
  readonly reply_text: string | null;
  readonly reply_metadata: string | null;
  readonly replied_at: number | null;
  readonly webhook_id: string | null;
  readonly delivery_attempts: number | null;
  readonly delivered_at: number | null;
  readonly delivery_error: string | null;
  readonly delivery_unknown: number | null;
  readonly notice: 0 | 1 | null;
  readonly next_attempt_at: number | null;
}

export interface TurnRow extends CollectableRow {
  readonly session_number: number;
  readonly crashes: number;
  readonly session: string;
  readonly policy: SessionPolicy | null;
  readonly ready: number;
}

/** A queued message as far as a turn may be made of it. */
export interface CollectableRow {
  readonly message: number;
  readonly id: Buffer;
  readonly seq: number;
  readonly attempts: number;
  readonly put_backs: number;
  readonly begun: 0 | 1;
  readonly text: string;
  readonly metadata: string;
  readonly sender: string | null;
  readonly reply_url: string | null;
  readonly reply_idempotent: 0 | 1;
  readonly reply_unknown: UnknownPolicy | null;
  readonly accepted_at: number;
}

export type CollectedRow = Pick<CollectableRow, 'id' | 'seq' | 'text' | 'metadata' | 'sender'>;

/** What a claim that ends has to know of the item that it holds. */
export interface HeldRow {
  readonly id: Buffer;
  readonly message: number;
  readonly session: number;
  readonly seq: number;
  readonly attempts: number;
  readonly owner: string | null;
}

export interface HeldTurnRow extends HeldRow {
  readonly state: MessageState;
  readonly reply_url: string | null;
}

export interface HeldDeliveryRow extends HeldRow {
  /** Of the message. */
  readonly state: MessageState;
  readonly notice: 0 | 1;
}

export interface TakenTurnRow extends TakenRow {
  /** Those before the one that it is taken back after. */
  readonly crashes: number;
  readonly cancelled: 0 | 1;
  readonly reply_url: string | null;
}

export interface TakenDeliveryRow extends TakenRow {
  readonly idempotent: 0 | 1;
  readonly unknown_policy: UnknownPolicy | null;
  readonly begun_at: number | null;
  readonly notice: 0 | 1;
}

/** What a change by a person has to know of a message. */
export interface PlaceRow {
  readonly id: Buffer;
  readonly message: number;
  readonly session: number;
  readonly seq: number;
  readonly state: MessageState;
  readonly error: string | null;
  readonly changed_at: number;
  readonly sender: string | null;
  readonly reply_url: string | null;
  readonly replied: 0 | 1;
  /** Of its delivery; null when there is none. */
  readonly delivery: 'pending' | 'delivered' | 'dead' | null;
  readonly delivery_error: string | null;
}

export interface OldMessageRow {
  readonly number: number;
  readonly session: number;
  readonly state: MessageState;
  /** The message whose turn it is part of; null: it has its own, or that message is not there. */
  readonly turn: number | null;
  readonly accepted_at: number;
  readonly changed_at: number;
  readonly delivery: 'pending' | 'delivered' | 'dead' | null;
}

export interface CancelledRow {
  readonly id: Buffer;
  readonly seq: number;
}

export interface DeliveryRow {
  readonly message: number;
  readonly session_number: number;
  readonly id: Buffer;
  readonly session: string;
  readonly seq: number;
  readonly url: string;
  readonly webhook_id: string;
  readonly text: string;
  readonly metadata: string;
  /** Null for a notice. */
  readonly reply_text: string | null;
  readonly reply_metadata: string | null;
  readonly replied_at: number | null;
  readonly notice: 0 | 1;
  readonly error: string | null;
  readonly changed_at: number;
  readonly retried_at: number | null;
  readonly attempts: number;
  readonly idempotent: 0 | 1;
  readonly unknown_policy: UnknownPolicy | null;
}

export interface TakenRow {
  readonly session: number;
  readonly message: number;
  readonly seq: number;
  readonly attempts: number;
}

const messageColumns = `
  m.id, s.name AS session, m.seq, m.state, m.attempts, m.accepted_at, m.changed_at, m.channel, m.sender, m.reply_url,
  m.error, c.id AS collected_in, c.state AS collected_in_state,
  t.text, t.metadata,
  r.text AS reply_text, r.metadata AS reply_metadata, r.at AS replied_at,
  d.webhook_id, d.attempts AS delivery_attempts, d.delivered_at, d.last_error AS delivery_error,
  d.unknown AS delivery_unknown, d.notice,
  h.retry_at AS next_attempt_at`;

const messageJoins = `
  JOIN message_texts t ON t.message = m.number
  LEFT JOIN messages c ON c.number = m.collected_in
  LEFT JOIN replies r ON r.message = coalesce(m.collected_in, m.number)
  LEFT JOIN deliveries d ON d.message = m.number
  LEFT JOIN heads h ON h.line = 'delivery' AND h.session = m.session AND h.message = m.number`;

/**
 * All SQL of the store in use (the schema apart), prepared once. Every one finds its rows by an index. SQLite prepares a
 * statement anew each time that a parameter is bound that alone is its limit, as the plan may depend on it; hence the sum.
 */
export function prepareStatements(database: Database) {
  return {
    // Sessions and acceptance.
    session: database.prepare<[name: string], SessionRow>(
      'SELECT number, last_seq, unfinished, policy FROM sessions WHERE name = ?',
    ),
    insertSession: database.prepare<[name: string, acceptedAt: number]>(
      'INSERT INTO sessions (name, last_seq, unfinished, last_accepted_at) VALUES (?, 1, 1, ?)',
    ),
    setPolicy: database.prepare<[name: string, now: number, policy: SessionPolicy | null]>(
      `INSERT INTO sessions (name, last_seq, unfinished, last_accepted_at, policy) VALUES (?, 0, 0, ?, ?)
       ON CONFLICT (name) DO UPDATE SET policy = excluded.policy`,
    ),
    extendSession: database.prepare<[acceptedAt: number, session: number]>(
      'UPDATE sessions SET last_seq = last_seq + 1, unfinished = unfinished + 1, last_accepted_at = ? WHERE number = ?',
    ),
    addUnfinished: database.prepare<[count: number, session: number]>(
      'UPDATE sessions SET unfinished = unfinished + ? WHERE number = ?',
    ),
    messageByKey: database.prepare<[session: number, key: string], KeyRow>(
      'SELECT id, fingerprint FROM messages WHERE session = ? AND idempotency_key = ?',
    ),
    insertMessage: database.prepare<
      [
        id: Buffer,
        session: number,
        seq: number,
        state: 'queued' | 'running',
        attempts: 0 | 1,
        acceptedAt: number,
        changedAt: number,
        channel: string,
        replyUrl: string | null,
        replyIdempotent: 0 | 1,
        replyUnknown: UnknownPolicy | null,
        key: string | null,
        fingerprint: Uint8Array | null,
        sender: string | null,
      ]
    >(
      `INSERT INTO messages (id, session, seq, state, attempts, accepted_at, changed_at, channel, reply_url,
         reply_idempotent, reply_unknown, idempotency_key, fingerprint, sender)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    insertText: database.prepare<[message: number, text: string, metadata: string]>(
      'INSERT INTO message_texts (message, text, metadata) VALUES (?, ?, ?)',
    ),

    // The two lines of sessions.
    head: database.prepare<[line: Line, session: number], HeadRow>(
      'SELECT session, message, owner, sender FROM heads WHERE line = ? AND session = ?',
    ),
    firstTicket: database.prepare<[line: Line], TicketRow>(
      'SELECT ready, place FROM heads WHERE line = ? AND ready IS NOT NULL ORDER BY ready, place LIMIT 1',
    ),
    lastRoundOfSender: database
      .prepare<[line: Line, sender: string], number>(
        `SELECT ready FROM heads INDEXED BY heads_of_sender
         WHERE line = ? AND sender = ? AND sender IS NOT NULL AND ready IS NOT NULL ORDER BY ready DESC LIMIT 1`,
      )
      .pluck(),
    insertHead: database.prepare<
      [line: Line, session: number, message: number, sender: string | null, ready: number, place: number]
    >('INSERT INTO heads (line, session, message, sender, ready, place) VALUES (?, ?, ?, ?, ?, ?)'),
    insertHeldHead: database.prepare<
      [
        line: Line,
        session: number,
        message: number,
        sender: string | null,
        place: number,
        owner: string,
        leaseUntil: number,
      ]
    >(
      'INSERT INTO heads (line, session, message, sender, place, owner, lease_until) VALUES (?, ?, ?, ?, ?, ?, ?)',
    ),
    readyHead: database.prepare<
      [message: number, sender: string | null, ready: number, place: number, line: Line, session: number]
    >(
      `UPDATE heads SET message = ?, sender = ?, ready = ?, place = ?, retry_at = NULL, owner = NULL,
         lease_until = NULL
       WHERE line = ? AND session = ?`,
    ),
    // Many at a time, none of which is made by it. `sessions` is a JSON array, in the order of their places. An UPDATE FROM
    // would read the whole line for each; a CROSS JOIN is done in the order in which it is written.
    readyHeads: database.prepare<[ready: number, firstPlace: number, sessions: string, line: Line]>(
      `INSERT INTO heads (line, session, message, ready, place)
       SELECT h.line, h.session, h.message, ?, ? + j.key
       FROM json_each(?) j CROSS JOIN heads h WHERE h.line = ? AND h.session = j.value
       ON CONFLICT (line, session) DO UPDATE SET ready = excluded.ready, place = excluded.place, retry_at = NULL,
         owner = NULL, lease_until = NULL`,
    ),
    retryHead: database.prepare<[retryAt: number, now: number, line: Line, session: number]>(
      `UPDATE heads SET retry_at = ?, waits_since = ?, ready = NULL, owner = NULL, lease_until = NULL
       WHERE line = ? AND session = ?`,
    ),
    holdHead: database.prepare<
      [message: number, owner: string, leaseUntil: number, line: Line, session: number]
    >(
      `UPDATE heads SET message = ?, owner = ?, lease_until = ?, ready = NULL, retry_at = NULL
       WHERE line = ? AND session = ?`,
    ),
    // Of one that waits for its next attempt.
    endWait: database.prepare<[now: number, line: Line, session: number, message: number, now: number]>(
      'UPDATE heads SET retry_at = ? WHERE line = ? AND session = ? AND message = ? AND retry_at > ?',
    ),
    deleteHead: database.prepare<[line: Line, session: number]>(
      'DELETE FROM heads WHERE line = ? AND session = ?',
    ),
    dueRetries: database.prepare<[line: Line, now: number, limit: number], HeadRow>(
      `SELECT session, message, owner, sender FROM heads
       WHERE line = ? AND retry_at IS NOT NULL AND retry_at <= ? ORDER BY retry_at LIMIT 0 + ?`,
    ),
    // Looked at before each claim, to save it the two that find all that is due.
    firstRetry: database
      .prepare<[line: Line], number>(
        'SELECT retry_at FROM heads WHERE line = ? AND retry_at IS NOT NULL ORDER BY retry_at LIMIT 1',
      )
      .pluck(),
    firstLease: database
      .prepare<[line: Line], number>(
        'SELECT lease_until FROM heads WHERE line = ? AND lease_until IS NOT NULL ORDER BY lease_until LIMIT 1',
      )
      .pluck(),
    secondLease: database
      .prepare<[line: Line], number>(
        `SELECT lease_until FROM heads WHERE line = ? AND lease_until IS NOT NULL
         ORDER BY lease_until LIMIT 1 OFFSET 1`,
      )
      .pluck(),
    // Asked for only where at most one is held, beside those that were cancelled.
    mostCrashesHeld: database
      .prepare<[], number | null>(
        `SELECT max(m.crashes) FROM heads h INDEXED BY heads_lease JOIN messages m ON m.number = h.message
         WHERE h.line = 'turn' AND h.lease_until IS NOT NULL`,
      )
      .pluck(),
    // Only at a start. `retry_at` is always later than `waits_since`, so that the index narrows it down.
    endWaitsOfLaterClock: database.prepare<[now: number, line: Line, now: number, now: number]>(
      `UPDATE heads SET retry_at = ? WHERE line = ? AND retry_at IS NOT NULL AND retry_at > ? AND waits_since > ?`,
    ),
    // The index is named because the planner would rather read the whole line.
    renewLeases: database.prepare<[leaseUntil: number, line: Line, owner: string]>(
      `UPDATE heads INDEXED BY heads_lease SET lease_until = ?
       WHERE line = ? AND lease_until IS NOT NULL AND owner = ?`,
    ),
    nextDueAt: database
      .prepare<[owner: string, owner: string], number | null>(
        `SELECT min(at) FROM (
           SELECT (SELECT retry_at FROM heads WHERE line = 'turn' AND retry_at IS NOT NULL
                   ORDER BY retry_at LIMIT 1) AS at
           UNION ALL SELECT (SELECT retry_at FROM heads WHERE line = 'delivery' AND retry_at IS NOT NULL
                   ORDER BY retry_at LIMIT 1)
           UNION ALL SELECT (SELECT lease_until FROM heads WHERE line = 'turn' AND lease_until IS NOT NULL
                   AND owner <> ? ORDER BY lease_until LIMIT 1)
           UNION ALL SELECT (SELECT lease_until FROM heads WHERE line = 'delivery' AND lease_until IS NOT NULL
                   AND owner <> ? ORDER BY lease_until LIMIT 1))`,
      )
      .pluck(),

    // Turns.
    readyTurns: database.prepare<[limit: number], TurnRow>(
      `SELECT m.number AS message, h.session AS session_number, h.ready, m.id, s.name AS session, s.policy, m.seq,
         m.attempts, m.crashes, m.put_backs, m.begun, t.text, t.metadata, m.sender, m.reply_url, m.reply_idempotent,
         m.reply_unknown, m.accepted_at
       FROM heads h
       JOIN messages m ON m.number = h.message
       JOIN message_texts t ON t.message = h.message
       JOIN sessions s ON s.number = h.session
       WHERE h.line = 'turn' AND h.ready IS NOT NULL ORDER BY h.ready, h.place LIMIT 0 + ?`,
    ),
    collectable: database.prepare<[session: number, seq: number, limit: number], CollectableRow>(
      `SELECT m.number AS message, m.id, m.seq, m.attempts, m.put_backs, m.begun, t.text, t.metadata, m.sender,
         m.reply_url, m.reply_idempotent, m.reply_unknown, m.accepted_at
       FROM messages m INDEXED BY messages_queued JOIN message_texts t ON t.message = m.number
       WHERE m.session = ? AND m.seq > ? AND m.state = 'queued' ORDER BY m.seq LIMIT 0 + ?`,
    ),
    collect: database.prepare<[now: number, into: number, message: number]>(
      "UPDATE messages SET state = 'collected', changed_at = ?, collected_in = ? WHERE number = ?",
    ),
    idsCollectedIn: database.prepare<[message: number], Pick<CollectedRow, 'id' | 'seq'>>(
      `SELECT id, seq FROM messages INDEXED BY messages_collected
       WHERE collected_in = ? AND collected_in IS NOT NULL ORDER BY number`,
    ),
    // By their numbers, which is the order in which they were accepted.
    collectedIn: database.prepare<[message: number], CollectedRow>(
      `SELECT m.id, m.seq, t.text, t.metadata, m.sender
       FROM messages m INDEXED BY messages_collected JOIN message_texts t ON t.message = m.number
       WHERE m.collected_in = ? AND m.collected_in IS NOT NULL ORDER BY m.number`,
    ),
    beginTurn: database.prepare<[now: number, message: number]>(
      "UPDATE messages SET state = 'running', attempts = attempts + 1, changed_at = ? WHERE number = ?",
    ),
    heldTurn: database.prepare<[id: Buffer], HeldTurnRow>(
      `SELECT m.id, m.number AS message, m.session, m.seq, m.state, m.attempts, m.reply_url, h.owner
       FROM messages m
       JOIN heads h ON h.line = 'turn' AND h.session = m.session AND h.message = m.number
       WHERE m.id = ?`,
    ),
    idOf: database
      .prepare<[message: number], Buffer>('SELECT id FROM messages WHERE number = ?')
      .pluck() as Statement<[message: number], Buffer>,
    retriedAt: database
      .prepare<[message: number], number | null>('SELECT retried_at FROM messages WHERE number = ?')
      .pluck() as Statement<[message: number], number | null>,
    insertReply: database.prepare<[message: number, text: string, metadata: string, at: number]>(
      'INSERT INTO replies (message, text, metadata, at) VALUES (?, ?, ?, ?)',
    ),
    setState: database.prepare<[state: MessageState, error: string | null, now: number, message: number]>(
      'UPDATE messages SET state = ?, error = ?, changed_at = ? WHERE number = ?',
    ),
    // `messages` is a JSON array.
    requeueAll: database.prepare<[now: number, messages: string]>(
      `UPDATE messages SET state = 'queued', crashes = crashes + 1, changed_at = ?
       WHERE number IN (SELECT value FROM json_each(?))`,
    ),
    countCrash: database.prepare<[message: number]>(
      'UPDATE messages SET crashes = crashes + 1 WHERE number = ?',
    ),
    requeueUncounted: database.prepare<[cutOff: 0 | 1, now: number, message: number]>(
      `UPDATE messages SET state = 'queued', attempts = attempts - 1, put_backs = put_backs + ?, begun = 1,
         changed_at = ?
       WHERE number = ?`,
    ),
    // Those that were dead come first: the head has gone past their places.
    nextRetried: database.prepare<[session: number], NextRow>(
      `SELECT number, sender FROM messages INDEXED BY messages_retried
       WHERE session = ? AND retried_at IS NOT NULL AND state = 'queued' ORDER BY seq LIMIT 1`,
    ),
    // Messages that are no longer queued (cancelled ones, say) are stepped over once: the head only moves forward.
    nextQueued: database.prepare<[session: number, seq: number], NextRow>(
      `SELECT number, sender FROM messages INDEXED BY messages_queued
       WHERE session = ? AND seq > ? AND state = 'queued' ORDER BY seq LIMIT 1`,
    ),

    // What people do: cancel, try again, discard.
    place: database.prepare<[id: Buffer], PlaceRow>(
      `SELECT m.id, m.number AS message, m.session, m.seq, m.state, m.error, m.changed_at, m.sender, m.reply_url,
         r.message IS NOT NULL AS replied, d.state AS delivery, d.last_error AS delivery_error
       FROM messages m
       LEFT JOIN replies r ON r.message = m.number
       LEFT JOIN deliveries d ON d.message = m.number
       WHERE m.id = ?`,
    ),
    placeOfHead: database.prepare<
      [session: number],
      { id: Buffer; message: number; seq: number; state: MessageState }
    >(
      `SELECT m.id, m.number AS message, m.seq, m.state
       FROM heads h JOIN messages m ON m.number = h.message WHERE h.line = 'turn' AND h.session = ?`,
    ),
    cancelQueuedFrom: database.prepare<
      [error: string | null, now: number, session: number, seq: number],
      CancelledRow
    >(
      `UPDATE messages INDEXED BY messages_queued SET state = 'cancelled', error = coalesce(?, error), changed_at = ?
       WHERE session = ? AND seq >= ? AND state = 'queued' RETURNING id, seq`,
    ),
    cancelRetried: database.prepare<[error: string | null, now: number, session: number], CancelledRow>(
      `UPDATE messages INDEXED BY messages_retried SET state = 'cancelled', error = coalesce(?, error), changed_at = ?
       WHERE session = ? AND retried_at IS NOT NULL AND state = 'queued' RETURNING id, seq`,
    ),
    deadMessages: database.prepare<[after: number, limit: number], MessageRow & { readonly number: number }>(
      `SELECT m.number, ${messageColumns}
       FROM messages m INDEXED BY messages_dead JOIN sessions s ON s.number = m.session ${messageJoins}
       WHERE m.state = 'dead' AND m.number > ? ORDER BY m.number LIMIT 0 + ?`,
    ),
    retryTurn: database.prepare<[now: number, now: number, message: number]>(
      `UPDATE messages SET state = 'queued', attempts = 0, crashes = 0, put_backs = 0, begun = 1, error = NULL,
         retried_at = ?, changed_at = ?
       WHERE number = ?`,
    ),
    retryReply: database.prepare<[now: number, now: number, message: number]>(
      `UPDATE messages SET state = 'replied', error = NULL, retried_at = ?, changed_at = ? WHERE number = ?`,
    ),
    retryDelivery: database.prepare<[message: number]>(
      "UPDATE deliveries SET state = 'pending', attempts = 0, begun_at = NULL WHERE message = ?",
    ),
    deleteDelivery: database.prepare<[message: number]>('DELETE FROM deliveries WHERE message = ?'),
    giveUpDelivery: database.prepare<[message: number]>(
      "UPDATE deliveries SET state = 'dead', begun_at = NULL WHERE message = ?",
    ),

    // Deliveries.
    insertDelivery: database.prepare<
      [message: number, session: number, seq: number, webhookId: string, notice: 0 | 1]
    >(
      `INSERT INTO deliveries (message, session, seq, webhook_id, state, attempts, notice)
       VALUES (?, ?, ?, ?, 'pending', 0, ?)`,
    ),
    readyDeliveries: database.prepare<[limit: number], DeliveryRow>(
      `SELECT m.number AS message, h.session AS session_number, m.id, s.name AS session, m.seq, m.reply_url AS url,
         d.webhook_id, t.text, t.metadata, r.text AS reply_text, r.metadata AS reply_metadata, r.at AS replied_at,
         d.attempts, d.notice, m.error, m.changed_at, m.retried_at, m.reply_idempotent AS idempotent,
         m.reply_unknown AS unknown_policy
       FROM heads h
       JOIN messages m ON m.number = h.message
       JOIN deliveries d ON d.message = h.message
       JOIN message_texts t ON t.message = h.message
       LEFT JOIN replies r ON r.message = h.message
       JOIN sessions s ON s.number = h.session
       WHERE h.line = 'delivery' AND h.ready IS NOT NULL ORDER BY h.ready, h.place LIMIT 0 + ?`,
    ),
    claimDelivery: database.prepare<[begunAt: number | null, message: number]>(
      'UPDATE deliveries SET attempts = attempts + 1, begun_at = ? WHERE message = ?',
    ),
    beginDelivery: database.prepare<[now: number, message: number]>(
      'UPDATE deliveries SET begun_at = ? WHERE message = ?',
    ),
    heldDelivery: database.prepare<[id: Buffer], HeldDeliveryRow>(
      `SELECT m.id, m.number AS message, m.session, m.seq, m.state, d.attempts, d.notice, h.owner
       FROM messages m
       JOIN deliveries d ON d.message = m.number
       JOIN heads h ON h.line = 'delivery' AND h.session = m.session AND h.message = m.number
       WHERE m.id = ?`,
    ),
    endDelivery: database.prepare<
      [state: 'delivered' | 'dead', deliveredAt: number | null, error: string | null, message: number]
    >('UPDATE deliveries SET state = ?, delivered_at = ?, last_error = ?, begun_at = NULL WHERE message = ?'),
    noteDeliveryError: database.prepare<[error: string | null, message: number]>(
      'UPDATE deliveries SET last_error = coalesce(?, last_error), begun_at = NULL WHERE message = ?',
    ),
    noteUnknownDelivery: database.prepare<[message: number]>(
      'UPDATE deliveries SET unknown = unknown + 1 WHERE message = ?',
    ),
    uncountDelivery: database.prepare<[message: number]>(
      'UPDATE deliveries SET attempts = attempts - 1, begun_at = NULL WHERE message = ?',
    ),
    nextPending: database.prepare<[session: number], NextRow>(
      `SELECT message AS number, NULL AS sender FROM deliveries
       WHERE session = ? AND state = 'pending' ORDER BY seq LIMIT 1`,
    ),

    // Claims of others: at a start all of them, later those whose lease ran out. Oldest message first.
    expiredTurns: database.prepare<[now: number, owner: string, limit: number], TakenTurnRow>(
      `SELECT h.session, h.message, m.seq, m.attempts, m.crashes, m.state = 'cancelled' AS cancelled, m.reply_url
       FROM heads h JOIN messages m ON m.number = h.message
       WHERE h.line = 'turn' AND h.lease_until IS NOT NULL AND h.lease_until <= ? AND h.owner <> ?
       ORDER BY h.lease_until LIMIT 0 + ?`,
    ),
    expiredDeliveries: database.prepare<[now: number, owner: string, limit: number], TakenDeliveryRow>(
      `SELECT h.session, h.message, d.seq, d.attempts, d.begun_at, d.notice, m.reply_idempotent AS idempotent,
         m.reply_unknown AS unknown_policy
       FROM heads h
       JOIN deliveries d ON d.message = h.message
       JOIN messages m ON m.number = h.message
       WHERE h.line = 'delivery' AND h.lease_until IS NOT NULL AND h.lease_until <= ? AND h.owner <> ?
       ORDER BY h.lease_until LIMIT 0 + ?`,
    ),

    // Reading.
    message: database.prepare<[id: Buffer], MessageRow>(
      `SELECT ${messageColumns} FROM messages m JOIN sessions s ON s.number = m.session ${messageJoins}
       WHERE m.id = ?`,
    ),
    sessionMessages: database.prepare<[session: number, after: number, limit: number], MessageRow>(
      `SELECT ${messageColumns} FROM messages m JOIN sessions s ON s.number = m.session ${messageJoins}
       WHERE m.session = ? AND m.seq > ? ORDER BY m.seq LIMIT 0 + ?`,
    ),
    sessionSummary: database.prepare<[name: string], SessionSummaryRow>(
      `SELECT s.name, s.last_seq, s.unfinished, s.last_accepted_at, h.owner IS NOT NULL AS running, s.policy
       FROM sessions s LEFT JOIN heads h ON h.line = 'turn' AND h.session = s.number
       WHERE s.name = ?`,
    ),
    sessions: database.prepare<[after: string, limit: number], SessionSummaryRow>(
      `SELECT s.name, s.last_seq, s.unfinished, s.last_accepted_at, h.owner IS NOT NULL AS running, s.policy
       FROM sessions s LEFT JOIN heads h ON h.line = 'turn' AND h.session = s.number
       WHERE s.name > ? ORDER BY s.name LIMIT 0 + ?`,
    ),
    counters: database.prepare<[], Counters>(
      `SELECT sessions, queued, running, replied, delivered, dead, cancelled, collected, undelivered, place, round
       FROM counters WHERE number = 1`,
    ),
    writeCounters: database.prepare<Counters>(
      `UPDATE counters SET sessions = @sessions, queued = @queued, running = @running, replied = @replied,
         delivered = @delivered, dead = @dead, cancelled = @cancelled, collected = @collected,
         undelivered = @undelivered, place = @place, round = @round WHERE number = 1`,
    ),

    // Forgetting.
    oldestMessages: database.prepare<[after: number, limit: number], OldMessageRow>(
      `SELECT m.number, m.session, m.state, c.number AS turn, m.accepted_at, m.changed_at, d.state AS delivery
       FROM messages m
       LEFT JOIN messages c ON c.number = m.collected_in
       LEFT JOIN deliveries d ON d.message = m.number
       WHERE m.number > ? ORDER BY m.number LIMIT 0 + ?`,
    ),
    deleteMessage: database.prepare<[message: number]>('DELETE FROM messages WHERE number = ?'),
    deleteCollectedIn: database.prepare<[message: number]>(
      'DELETE FROM messages INDEXED BY messages_collected WHERE collected_in = ? AND collected_in IS NOT NULL',
    ),

    // Runs.
    insertRun: database.prepare<[id: Buffer, record: string]>('INSERT INTO runs (id, record) VALUES (?, ?)'),
    updateRun: database.prepare<[record: string, id: Buffer]>('UPDATE runs SET record = ? WHERE id = ?'),
    forgetRuns: database.prepare<[kept: number]>(
      'DELETE FROM runs WHERE number <= (SELECT max(number) FROM runs) - ?',
    ),
    // No more than the newest so many by their numbers, which have no gaps but at the old end.
    runs: database
      .prepare<[newest: number], string>(
        'SELECT record FROM runs WHERE number > (SELECT max(number) FROM runs) - ? ORDER BY number DESC',
      )
      .pluck() as Statement<[newest: number], string>,

    // The write-ahead log: how long it is, and into the database with it.
    checkpointNothing: database.prepare<[], CheckpointRow>('PRAGMA wal_checkpoint(NOOP)'),
    checkpointPassively: database.prepare<[], CheckpointRow>('PRAGMA wal_checkpoint(PASSIVE)'),

    // Transactions.
    begin: database.prepare<[]>('BEGIN IMMEDIATE'),
    commit: database.prepare<[]>('COMMIT'),
    rollback: database.prepare<[]>('ROLLBACK'),
    savepoint: database.prepare<[]>('SAVEPOINT operation'),
    release: database.prepare<[]>('RELEASE operation'),
    rollbackToSavepoint: database.prepare<[]>('ROLLBACK TO operation'),
  };
}

export type Statements = ReturnType<typeof prepareStatements>;
