import { hash } from 'node:crypto';
import { z } from 'zod';
import type { Delivery } from '../../store/deliveries.js';
import type { Attachment } from '../../store/messages.js';
import { hasMarkup, matrixHtml } from '../reply-text/matrix-html.js';
import { type FormedPart, formBeginning, formReply } from '../reply-text/reply-form.js';
import { eventsIn, messagesSchema } from './event-schema.js';

/** Decides which messages a reply becomes, and finds them again: pure functions. */

export type MatrixPart =
  | ({ readonly kind: 'text'; readonly isNotice: boolean } & FormedPart)
  | { readonly kind: 'file'; readonly file: Attachment };

const html = matrixHtml();

/** The same for each attempt. None: there is nothing to say. */
export function outgoingParts(
  delivery: Pick<Delivery, 'notice' | 'replyText' | 'replyAttachments'>,
): readonly MatrixPart[] {
  const { notice, replyText, replyAttachments = [] } = delivery;
  const texts = formReply(notice ?? replyText, html).map(
    (part) => ({ kind: 'text', isNotice: notice !== null, ...part }) as const,
  );
  const files = notice === null ? replyAttachments.map((file) => ({ kind: 'file', file }) as const) : [];
  return [...texts, ...files];
}

/** The beginning of a text that grows, as one message shows it; null: there is nothing to be seen yet. */
export function outgoingPreview(text: string): MatrixPart | null {
  const first = formBeginning(text, html);
  return first === null ? null : { kind: 'text', isNotice: false, ...first };
}

/** A text of the gateway itself. Programs leave notices alone, so that two of them do not go on for ever. */
export function wordsPart(text: string): MatrixPart & { readonly kind: 'text' } {
  return { kind: 'text', isNotice: true, formed: '', plain: text };
}

/** The way in which a message belongs to others. */
export interface MessageRelation {
  /** The event that its thread began with; null: none. */
  readonly threadId: string | null;
  /** The event that it answers; null: none. */
  readonly answers: string | null;
  /** The person who is called by it; null: nobody. */
  readonly calls: string | null;
}

type Content = Readonly<Record<string, unknown>>;

/** The member of our events that has their transaction. Homeservers tell it to nobody else for ever. */
const ownMember = 'sd-gateway.transaction';

/** The content of an event (spec.matrix.org, "m.room.message"). */
export function contentOf(body: Content, transaction: string, relation: MessageRelation): Content {
  const { threadId, answers, calls } = relation;
  const reply = answers === null ? {} : { 'm.in_reply_to': { event_id: answers } };
  const thread =
    threadId === null ? {} : { rel_type: 'm.thread', event_id: threadId, is_falling_back: answers !== null };
  const relatesTo = { ...thread, ...reply };
  return {
    ...body,
    [ownMember]: transaction,
    'm.mentions': calls === null ? {} : { user_ids: [calls] },
    ...(Object.keys(relatesTo).length === 0 ? {} : { 'm.relates_to': relatesTo }),
  };
}

/** The content of an event that takes the place of another one's (spec.matrix.org, "Event replacements"). */
export function editOf(
  eventId: string,
  body: Content,
  transaction: string,
  { calls }: MessageRelation,
): Content {
  const mentions = { 'm.mentions': calls === null ? {} : { user_ids: [calls] } };
  const { msgtype, body: text } = body;
  return {
    msgtype,
    body: `* ${text}`,
    [ownMember]: transaction,
    ...mentions,
    'm.new_content': { ...body, ...mentions },
    'm.relates_to': { rel_type: 'm.replace', event_id: eventId },
  };
}

export function textBody(part: MatrixPart & { readonly kind: 'text' }): Content {
  const { plain, formed, isNotice } = part;
  const plainBody = { msgtype: isNotice ? 'm.notice' : 'm.text', body: plain };
  if (formed === '' || !hasMarkup(part)) return plainBody;
  return { ...plainBody, format: 'org.matrix.custom.html', formatted_body: formed };
}

/** @param uri as the media repository has given it */
export function fileBody({ name, mediaType, sizeBytes }: Attachment, uri: string): Content {
  const kind = /^(?:image|audio|video)(?=\/)/.exec(mediaType)?.[0] ?? 'file';
  return {
    msgtype: `m.${kind}`,
    body: name,
    filename: name,
    url: uri,
    info: { mimetype: mediaType, size: sizeBytes },
  };
}

/** Numbers a message: the same for each attempt, and no other message's. */
export function transactionOf(
  { webhookId, target }: Pick<Delivery, 'webhookId' | 'target'>,
  number: number,
  way: 'new' | 'edit',
): string {
  const whole = JSON.stringify([webhookId, target.address, number, way]);
  return hash('sha256', whole, 'base64url').slice(0, 32);
}

/** `earlier`: it is not among these, and may be among older ones, which follow from the token. */
export type SentSearchEnd =
  | { readonly kind: 'found'; readonly eventId: string }
  | { readonly kind: 'absent' | 'unknown' }
  | { readonly kind: 'earlier'; readonly from: string };

/** The clocks of the homeserver and of this machine may differ. */
const clockDifferenceMs = 600_000;

/**
 * Looks for a message of ours among the newest ones of the account in its room.
 *
 * @param since it was not sent before, in milliseconds since the Unix epoch
 */
export function findSent(answer: unknown, transaction: string, since: number): SentSearchEnd {
  const parsed = messagesSchema.safeParse(answer).data;
  if (parsed === undefined) return { kind: 'unknown' };
  const events = eventsIn(parsed.chunk);
  const found = events.find(({ content }) => content[ownMember] === transaction);
  if (found !== undefined) return { kind: 'found', eventId: found.event_id };
  const isPast = events.some(({ origin_server_ts: at }) => at < since - clockDifferenceMs);
  if (isPast || parsed.end === undefined) return { kind: 'absent' };
  return { kind: 'earlier', from: parsed.end };
}

/** The receipt of a message. */
export const receiptSchema = z.object({ event_id: z.string() });
