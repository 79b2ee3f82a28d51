import type { Database } from 'better-sqlite3';
import {
  type ArchivedBlob,
  type ArchivedMessage,
  type ArchivedRecord,
  type ArchivedSession,
  ArchiveError,
  type ArchiveItem,
} from '../../archive.js';
import type { SessionPolicy } from '../../messages.js';
import { fromAttachments } from '../operations/blobs.js';
import { fromTarget, idToBytes } from '../operations/columns.js';

export interface Written {
  readonly sessions: number;
  readonly messages: number;
  readonly records: number;
}

/** The owner of imported turns and deliveries under way: the next start finds it gone, and decides as after a crash. */
const goneOwner = 'imported';

/** Puts items into a database; to be called in a transaction of the caller's, and ended by `finish`. */
export class ArchiveWriter {
  readonly #database: Database;
  readonly #statements;
  /** Numbers of messages, and the ids of those whose turns they are part of, which come later. */
  readonly #collected = new Map<number, string>();
  #sessions = 0;
  #messages = 0;
  #records = 0;

  constructor(database: Database) {
    this.#database = database;
    this.#statements = {
      session: database.prepare<[name: string], number>('SELECT number FROM sessions WHERE name = ?').pluck(),
      insertSession: database.prepare<
        [
          name: string,
          lastSeq: number,
          lastAcceptedAt: number,
          policy: SessionPolicy | null,
          agent: string | null,
          generation: number,
          firstSeq: number,
        ]
      >(
        `INSERT INTO sessions (name, last_seq, unfinished, last_accepted_at, policy, agent, generation, first_seq)
         VALUES (?, ?, 0, ?, ?, ?, ?, ?)
         ON CONFLICT (name) DO UPDATE SET last_seq = max(last_seq, excluded.last_seq),
           policy = coalesce(policy, excluded.policy), agent = coalesce(agent, excluded.agent),
           generation = max(generation, excluded.generation), first_seq = max(first_seq, excluded.first_seq),
           last_accepted_at = max(last_accepted_at, excluded.last_accepted_at)`,
      ),
      known: database.prepare<[id: Buffer]>('SELECT 1 FROM messages WHERE id = ?'),
      message: database.prepare(
        `INSERT INTO messages (id, session, seq, state, attempts, accepted_at, changed_at, channel,
           reply_channel, reply_address, reply_options, reply_idempotent, reply_unknown, idempotency_key, fingerprint, error, retried_at, sender, begun, crashes,
           put_backs, generation)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ),
      // One whose turn is not there, as it was lost or refused, or can't be that, has to have its own.
      collect: database.prepare<[into: Buffer, message: number]>(
        `UPDATE messages SET collected_in = (
           SELECT t.number FROM messages t
           WHERE t.id = ? AND t.session = messages.session AND t.seq > messages.seq AND t.state <> 'collected')
         WHERE number = ?`,
      ),
      uncollect: database.prepare<[]>(
        "UPDATE messages SET state = 'queued' WHERE state = 'collected' AND collected_in IS NULL",
      ),
      // The head only moves forward. If it has passed a message, as one that lost its reply, only a retry comes to that.
      retryPassed: database.prepare<[]>(
        `UPDATE messages SET retried_at = changed_at, begun = 1
         WHERE state = 'queued' AND retried_at IS NULL AND seq < max(
           coalesce((SELECT m.seq FROM heads h JOIN messages m ON m.number = h.message
                     WHERE h.line = 'turn' AND h.session = messages.session), 0),
           coalesce((SELECT max(m.seq) FROM messages m INDEXED BY messages_retried
                     WHERE m.session = messages.session AND m.retried_at IS NOT NULL AND m.state = 'queued'), 0))`,
      ),
      text: database.prepare(
        'INSERT INTO message_texts (message, text, metadata, attachments) VALUES (?, ?, ?, ?)',
      ),
      reply: database.prepare(
        'INSERT INTO replies (message, text, metadata, at, attachments, usage) VALUES (?, ?, ?, ?, ?, ?)',
      ),
      blob: database.prepare<[id: string, now: number, message: Buffer]>(
        'INSERT INTO blobs (id, at, message) SELECT ?, ?, number FROM messages WHERE id = ?',
      ),
      chunk: database.prepare<[position: number, data: Buffer, id: string, message: Buffer]>(
        `INSERT INTO blob_chunks (blob, position, data)
         SELECT b.number, ?, ? FROM blobs b JOIN messages m ON m.number = b.message WHERE b.id = ? AND m.id = ?
         ON CONFLICT DO NOTHING`,
      ),
      delivery: database.prepare(
        `INSERT INTO deliveries (message, session, seq, webhook_id, state, attempts, delivered_at, last_error,
           unknown, begun_at, notice)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ),
      part: database.prepare(
        'INSERT INTO delivery_parts (message, part, receipt, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
      ),
      delta: database.prepare(
        'INSERT INTO deltas (message, position, attempt, text) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
      ),
      record: database.prepare(
        `INSERT INTO records (kind, key, value, version, changed_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT DO NOTHING`,
      ),
      hold: database.prepare<[line: string, session: number, message: number, owner: string]>(
        'INSERT INTO heads (line, session, message, owner, lease_until) VALUES (?, ?, ?, ?, 0)',
      ),
    };
  }

  /** Throws an ArchiveError where it does not go with what is there already. */
  write(item: ArchiveItem): void {
    if (item.type === 'session') this.#session(item);
    else if (item.type === 'message') this.#message(item);
    else if (item.type === 'blob') this.#blob(item);
    else this.#record(item);
  }

  /** Says what is to be done next in each session, and counts anew. */
  finish(): Written {
    for (const [message, into] of this.#collected) this.#statements.collect.run(idToBytes(into), message);
    this.#statements.uncollect.run();
    this.#statements.retryPassed.run();
    this.#database.exec(`
      UPDATE sessions SET
        last_seq = max(last_seq, coalesce((SELECT max(seq) FROM messages m WHERE m.session = sessions.number), 0)),
        unfinished =
          (SELECT count(*) FROM messages m WHERE m.session = sessions.number AND m.state IN ('queued', 'running')) +
          (SELECT count(*) FROM heads h JOIN messages m ON m.number = h.message
           WHERE h.line = 'turn' AND h.session = sessions.number AND m.state = 'cancelled');
      INSERT INTO heads (line, session, message, sender, ready, place)
        SELECT 'turn', session, number, sender,
          round + CASE WHEN sender IS NULL THEN 1 ELSE row_number() OVER (PARTITION BY sender ORDER BY number) END,
          place + row_number() OVER (ORDER BY number)
        FROM (SELECT session, number, sender,
                row_number() OVER (PARTITION BY session ORDER BY retried_at IS NULL, seq) AS nth
              FROM messages WHERE state = 'queued'),
          (SELECT place, round FROM counters)
        WHERE nth = 1 AND session NOT IN (SELECT session FROM heads WHERE line = 'turn');
      UPDATE counters SET place = (SELECT max(counters.place, coalesce(max(place), 0)) FROM heads);
      INSERT INTO heads (line, session, message, ready, place)
        SELECT 'delivery', session, message, 1, place + row_number() OVER (ORDER BY message)
        FROM (SELECT session, message, row_number() OVER (PARTITION BY session ORDER BY seq) AS nth
              FROM deliveries WHERE state = 'pending'),
          (SELECT place FROM counters)
        WHERE nth = 1 AND session NOT IN (SELECT session FROM heads WHERE line = 'delivery');
      UPDATE counters SET
        place = (SELECT max(counters.place, coalesce(max(place), 0)) FROM heads),
        sessions = (SELECT count(*) FROM sessions),
        queued = (SELECT count(*) FROM messages WHERE state = 'queued'),
        running = (SELECT count(*) FROM messages WHERE state = 'running'),
        replied = (SELECT count(*) FROM messages WHERE state = 'replied'),
        delivered = (SELECT count(*) FROM messages WHERE state = 'delivered'),
        dead = (SELECT count(*) FROM messages WHERE state = 'dead'),
        cancelled = (SELECT count(*) FROM messages WHERE state = 'cancelled'),
        collected = (SELECT count(*) FROM messages WHERE state = 'collected'),
        undelivered = (SELECT count(*) FROM deliveries WHERE state = 'pending'),
        epoch = (SELECT max(counters.epoch, coalesce(max(version), 0)) FROM records)`);
    return { sessions: this.#sessions, messages: this.#messages, records: this.#records };
  }

  #session(item: ArchivedSession): void {
    const { session, last_seq, last_accepted_at, policy, agent, generation, first_seq } = item;
    this.#statements.insertSession.run(
      session,
      last_seq,
      last_accepted_at,
      policy,
      agent,
      generation,
      first_seq,
    );
    this.#sessions += 1;
  }

  #message(item: ArchivedMessage): void {
    const session = this.#statements.session.get(item.session);
    if (session === undefined) {
      throw new ArchiveError(
        `the message ${item.id} is of the session "${item.session}", which is not there`,
      );
    }
    const mistake = contradiction(item);
    if (mistake !== null) throw new ArchiveError(`the message ${item.id} ${mistake}`);
    // A turn that was under way and is not held by anybody could never end.
    const state = item.state === 'running' && !item.held ? 'queued' : item.state;
    const { reply_to, idempotency, reply, delivery } = item;
    const number = this.#insert(item, state, session);
    const attachments = fromArchived(item.attachments);
    this.#statements.text.run(number, item.text, JSON.stringify(item.metadata), attachments);
    if (reply !== null) {
      const files = fromArchived(reply.attachments);
      const usage = fromArchivedUsage(reply.usage);
      this.#statements.reply.run(number, reply.text, JSON.stringify(reply.metadata), reply.at, files, usage);
    }
    if (delivery !== null) {
      if (reply_to === null) throw new ArchiveError(`the message ${item.id} has a delivery, and no reply_to`);
      this.#statements.delivery.run(
        number,
        session,
        item.seq,
        delivery.webhook_id,
        delivery.state,
        delivery.attempts,
        delivery.delivered_at,
        delivery.last_error,
        delivery.unknown,
        delivery.begun_at,
        delivery.kind === 'notice' ? 1 : 0,
      );
    }
    for (const { part, receipt, at } of item.parts) {
      const { changes } = this.#statements.part.run(number, part, JSON.stringify(receipt), at);
      if (changes === 0) throw new ArchiveError(`the message ${item.id} has part ${part} of its reply twice`);
    }
    for (const { position, attempt, text } of item.deltas) {
      const { changes } = this.#statements.delta.run(number, position, attempt, text);
      if (changes === 0) throw new ArchiveError(`the message ${item.id} has delta ${position} twice`);
    }
    const holds = item.held && (state === 'running' || state === 'cancelled');
    if (holds) this.#hold('turn', item, session, number);
    if (delivery?.state === 'pending' && delivery.held) this.#hold('delivery', item, session, number);
    if (idempotency !== null && idempotency.fingerprint === '') {
      throw new ArchiveError(`the message ${item.id} has an idempotency key without a fingerprint`);
    }
    // Only now: of one that is refused the number is the next one's.
    if (item.state === 'collected' && item.collected_in !== null) {
      this.#collected.set(number, item.collected_in);
    }
    this.#messages += 1;
  }

  /** Its message has come before. */
  #blob({ id, message, position, data }: ArchivedBlob): void {
    const owner = idToBytes(message);
    const refuse = (reason: string) => new ArchiveError(`the file ${id} of the message ${message} ${reason}`);
    if (position === 0) this.#insertBlob(id, owner, refuse);
    const { changes } = this.#statements.chunk.run(position, Buffer.from(data, 'base64'), id, owner);
    if (changes === 0) throw refuse(`can't have this piece ${position}`);
  }

  #insertBlob(id: string, owner: Buffer, refuse: (reason: string) => ArchiveError): void {
    try {
      const { changes } = this.#statements.blob.run(id, 0, owner);
      if (changes === 0) throw refuse('comes before its message');
    } catch (error) {
      if ((error as { readonly code?: string }).code !== 'SQLITE_CONSTRAINT_UNIQUE') throw error;
      throw refuse('is in the store already');
    }
  }

  #record({ kind, key, value, version, changed_at, expires_at }: ArchivedRecord): void {
    const { changes } = this.#statements.record.run(
      kind,
      key,
      JSON.stringify(value),
      version,
      changed_at,
      expires_at,
    );
    if (changes === 0) throw new ArchiveError(`the record ${key} of ${kind} is in the store already`);
    this.#records += 1;
  }

  #insert(item: ArchivedMessage, state: string, session: number): number {
    const { id, seq, reply_to, idempotency } = item;
    const target = fromTarget(reply_to);
    if (this.#statements.known.get(idToBytes(id)) !== undefined) {
      throw new ArchiveError(`the message ${id} is in the store already`);
    }
    try {
      const { lastInsertRowid } = this.#statements.message.run(
        idToBytes(id),
        session,
        seq,
        state,
        item.attempts,
        item.accepted_at,
        item.changed_at,
        item.channel,
        target.reply_channel,
        target.reply_address,
        target.reply_options,
        reply_to?.idempotent === false ? 0 : 1,
        reply_to?.unknown ?? null,
        idempotency?.key ?? null,
        idempotency === null ? null : Buffer.from(idempotency.fingerprint, 'hex'),
        item.error,
        item.retried_at,
        item.sender,
        item.begun ? 1 : 0,
        item.crashes,
        item.put_backs,
        item.generation,
      );
      return Number(lastInsertRowid);
    } catch (error) {
      const taken = takenBy(error, item);
      throw taken === null ? error : new ArchiveError(taken);
    }
  }

  #hold(
    line: 'turn' | 'delivery',
    { session: name }: ArchivedMessage,
    session: number,
    number: number,
  ): void {
    try {
      this.#statements.hold.run(line, session, number, goneOwner);
    } catch (error) {
      if ((error as { readonly code?: string }).code !== 'SQLITE_CONSTRAINT_PRIMARYKEY') throw error;
      throw new ArchiveError(`two messages of the session "${name}" are under way at the same time`);
    }
  }
}

function fromArchivedUsage(usage: NonNullable<ArchivedMessage['reply']>['usage']): string | null {
  if (usage === undefined) return null;
  return JSON.stringify({ inputTokens: usage.input_tokens, outputTokens: usage.output_tokens });
}

function fromArchived(attachments: ArchivedMessage['attachments']): string | null {
  return fromAttachments(
    attachments?.map(({ id, name, media_type, size, sha256 }) => ({
      id,
      name,
      mediaType: media_type,
      sizeBytes: size,
      sha256,
    })),
  );
}

/** Names a contradiction that could never come to an end in a store, as in an edited archive; null if there is none. */
function contradiction({ state, reply, delivery }: ArchivedMessage): string | null {
  const isToRun = state === 'queued' || state === 'running' || state === 'collected';
  if (isToRun && (reply !== null || delivery !== null)) {
    return `is ${state}, and has a ${reply !== null ? 'reply' : 'delivery'}`;
  }
  if (delivery === null) return null;
  const { kind } = delivery;
  if ((kind === 'reply') !== (reply !== null)) {
    return kind === 'reply'
      ? 'has a delivery of a reply, and no reply'
      : 'has a reply, and a notice that it is dead';
  }
  if (kind === 'reply' && (delivery.state === 'pending') !== (state === 'replied')) {
    return `is ${state}, and the delivery of its reply is ${delivery.state}`;
  }
  return null;
}

function takenBy(error: unknown, { session, seq, idempotency }: ArchivedMessage): string | null {
  const { code, message } = error as { readonly code?: string; readonly message?: string };
  if (code !== 'SQLITE_CONSTRAINT_UNIQUE') return null;
  if (message?.includes('messages.seq')) return `the session "${session}" has another message ${seq} already`;
  return `the session "${session}" has another message with the key ${JSON.stringify(idempotency?.key)} already`;
}
