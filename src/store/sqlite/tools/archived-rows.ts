import type { ArchivedBlob, ArchivedMessage, ArchivedRecord, ArchivedSession } from '../../archive.js';
import type { Attachment, MessageState, SessionPolicy, TokenUsage, UnknownPolicy } from '../../messages.js';
import { tokenUsage } from '../../token-usage.js';
import { idToText, parseJson, parseMetadata } from '../operations/columns.js';

export interface StoredSessionRow {
  readonly number: number;
  readonly name: string;
  readonly last_seq: number;
  readonly last_accepted_at: number;
  readonly policy: SessionPolicy | null;
  readonly agent: string | null;
  readonly generation: number;
  readonly first_seq: number;
}

export interface MessageRow {
  readonly number: number;
  readonly id: Buffer;
  readonly session: number;
  readonly seq: number;
  readonly state: MessageState;
  readonly attempts: number;
  readonly crashes: number;
  readonly put_backs: number;
  readonly generation: number;
  readonly accepted_at: number;
  readonly changed_at: number;
  readonly retried_at: number | null;
  readonly sender: string | null;
  readonly begun: 0 | 1;
  readonly collected_in: number | null;
  readonly channel: string;
  readonly reply_channel: string;
  readonly reply_address: string | null;
  readonly reply_options: string | null;
  readonly reply_idempotent: 0 | 1;
  readonly reply_unknown: UnknownPolicy | null;
  readonly idempotency_key: string | null;
  readonly fingerprint: Buffer | null;
  readonly error: string | null;
}

export interface TextRow {
  readonly message: number;
  readonly text: string;
  readonly metadata: string;
  /** JSON; earlier versions have no such column. */
  readonly attachments?: string | null;
}

export interface ReplyRow extends TextRow {
  readonly at: number;
  /** JSON; earlier versions have no such column. */
  readonly usage?: string | null;
}

export interface StoredDeliveryRow {
  readonly message: number;
  readonly webhook_id: string;
  readonly state: 'pending' | 'delivered' | 'dead';
  readonly attempts: number;
  readonly delivered_at: number | null;
  readonly last_error: string | null;
  readonly unknown: number;
  readonly begun_at: number | null;
  readonly notice: 0 | 1;
}

export interface PartRow {
  readonly message: number;
  readonly part: number;
  readonly receipt: string;
  readonly at: number;
}

export interface DeltaRow {
  readonly message: number;
  readonly position: number;
  readonly attempt: number;
  readonly text: string;
}

export interface BlobRow {
  readonly number: number;
  readonly id: string;
  /** Its message; null if it belongs to nothing yet. */
  readonly message: number | null;
}

export interface RecordRow {
  readonly number: number;
  readonly kind: string;
  readonly key: string;
  readonly value: string;
  readonly version: number;
  readonly changed_at: number;
  readonly expires_at: number | null;
}

/** All that belongs to one message. */
export interface MessageParts {
  readonly message: MessageRow;
  readonly session: string;
  readonly text: TextRow;
  readonly reply: ReplyRow | null;
  readonly delivery: StoredDeliveryRow | null;
  readonly parts: readonly PartRow[];
  readonly deltas: readonly DeltaRow[];
  /** The id of the message whose turn it is part of. */
  readonly collectedIn: Buffer | null;
  /** Lines in which somebody holds it. */
  readonly held: { readonly turn: boolean; readonly delivery: boolean };
}

export function archivedSession(row: StoredSessionRow): ArchivedSession {
  const { name, last_seq, last_accepted_at, policy, agent, generation, first_seq } = row;
  return {
    type: 'session',
    session: name,
    last_seq,
    last_accepted_at,
    policy,
    agent,
    generation,
    first_seq,
  };
}

export function archivedBlob(id: string, message: Buffer, position: number, data: Buffer): ArchivedBlob {
  return { type: 'blob', id, message: idToText(message), position, data: data.toString('base64') };
}

/** A member for what has files; nothing where there are none. */
function archivedUsage(
  json: string | null | undefined,
): Pick<NonNullable<ArchivedMessage['reply']>, 'usage'> {
  if (json === null || json === undefined) return {};
  const { inputTokens, outputTokens }: Partial<TokenUsage> = JSON.parse(json);
  const usage = tokenUsage(inputTokens, outputTokens);
  // An earlier version kept what an agent told, whatever it was.
  if (usage === null) return {};
  return { usage: { input_tokens: usage.inputTokens, output_tokens: usage.outputTokens } };
}

function archivedAttachments(json: string | null | undefined) {
  if (json == null) return {};
  const attachments: readonly Attachment[] = JSON.parse(json);
  return {
    attachments: attachments.map(({ id, name, mediaType, sizeBytes, sha256 }) => ({
      id,
      name,
      media_type: mediaType,
      size: sizeBytes,
      sha256,
    })),
  };
}

export function archivedRecord(row: RecordRow): ArchivedRecord {
  const { kind, key, value, version, changed_at, expires_at } = row;
  return { type: 'record', kind, key, value: parseJson(value), version, changed_at, expires_at };
}

export function archivedMessage({
  message,
  session,
  text,
  reply,
  delivery,
  parts,
  deltas,
  collectedIn,
  held,
}: MessageParts): ArchivedMessage {
  const { seq, state, sender, channel, generation, accepted_at, changed_at, retried_at } = message;
  const { attempts, crashes, put_backs, error } = message;
  return {
    type: 'message',
    id: idToText(message.id),
    session,
    seq,
    state,
    text: text.text,
    metadata: parseMetadata(text.metadata),
    sender,
    ...archivedAttachments(text.attachments),
    channel,
    generation,
    accepted_at,
    changed_at,
    retried_at,
    attempts,
    crashes,
    put_backs,
    error,
    held: held.turn,
    begun: message.begun === 1,
    collected_in: collectedIn === null ? null : idToText(collectedIn),
    reply_to:
      message.reply_address === null
        ? null
        : {
            channel: message.reply_channel,
            address: message.reply_address,
            options: message.reply_options === null ? {} : parseMetadata(message.reply_options),
            idempotent: message.reply_idempotent === 1,
            unknown: message.reply_unknown,
          },
    idempotency:
      message.idempotency_key === null
        ? null
        : { key: message.idempotency_key, fingerprint: message.fingerprint?.toString('hex') ?? '' },
    reply:
      reply === null
        ? null
        : {
            text: reply.text,
            metadata: parseMetadata(reply.metadata),
            ...archivedAttachments(reply.attachments),
            ...archivedUsage(reply.usage),
            at: reply.at,
          },
    delivery:
      delivery === null
        ? null
        : {
            kind: delivery.notice === 1 ? 'notice' : 'reply',
            webhook_id: delivery.webhook_id,
            state: delivery.state,
            attempts: delivery.attempts,
            delivered_at: delivery.delivered_at,
            last_error: delivery.last_error,
            unknown: delivery.unknown,
            begun_at: delivery.begun_at,
            held: held.delivery,
          },
    deltas: deltas.map(({ position, attempt, text }) => ({ position, attempt, text })),
    parts: parts.map(({ part, receipt, at }) => ({ part, receipt: parseJson(receipt), at })),
  };
}
