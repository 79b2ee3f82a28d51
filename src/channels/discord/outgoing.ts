import { hash } from 'node:crypto';
import { z } from 'zod';
import type { Delivery } from '../../store/deliveries.js';
import type { Attachment } from '../../store/messages.js';
import { boundedList } from '../bounded-list.js';
import { discordMarkdown, plainDiscordText } from '../reply-text/discord-markdown.js';
import { formBeginning, formReply } from '../reply-text/reply-form.js';
import { snowflake } from './message-schema.js';
import { timeOfSnowflake } from './snowflake.js';

/** Decides which messages a reply becomes, and finds them again: pure functions. */

export type OutgoingPart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'file'; readonly file: Attachment };

/** Largest file that a bot may send to a server without boosts, in bytes. */
const largestFileBytes = 10 * 1024 ** 2;

const form = discordMarkdown();

/** The same for each attempt. None: there is nothing to say. */
export function outgoingParts(
  delivery: Pick<Delivery, 'notice' | 'replyText' | 'replyAttachments'>,
): readonly OutgoingPart[] {
  const { notice, replyText, replyAttachments = [] } = delivery;
  const texts = formReply(notice ?? replyText, form).map(
    ({ formed }) => ({ kind: 'text', text: formed }) as const,
  );
  return [...texts, ...(notice === null ? replyAttachments.map(fileOrWords) : [])];
}

/** The beginning of a text that grows, as one message shows it; null: there is nothing to be seen yet. */
export function outgoingPreview(text: string): string | null {
  return formBeginning(text, form)?.formed ?? null;
}

export function wordsPart(text: string): OutgoingPart {
  return { kind: 'text', text: plainDiscordText(text) };
}

function fileOrWords(file: Attachment): OutgoingPart {
  if (file.sizeBytes <= largestFileBytes) return { kind: 'file', file };
  const megabytes = Math.ceil(file.sizeBytes / 1_000_000);
  return wordsPart(`[the file ${JSON.stringify(file.name)} of ${megabytes} MB is larger than Discord takes]`);
}

/** Numbers a message: the same for each attempt, and no other message's. Discord takes 25 characters. */
export function nonceOf(delivery: Pick<Delivery, 'webhookId' | 'target'>, number: number): string {
  const { webhookId, target } = delivery;
  return hash('sha256', JSON.stringify([webhookId, target.address, number]), 'base64url').slice(0, 24);
}

/** The signs of a message of ours. */
export interface SentSearch {
  readonly botId: string;
  readonly nonce: string;
  readonly part: OutgoingPart;
  /** The message that it answers; null: none. */
  readonly answers: string | null;
  /** It was not sent before, in milliseconds since the Unix epoch. */
  readonly since: number;
  /** Ids of the messages of other parts. */
  readonly others: ReadonlySet<string>;
}

/** `unknown`: the messages do not go back so far, or the bot may not see them. */
export type SearchEnd =
  | { readonly kind: 'found'; readonly id: string }
  | { readonly kind: 'absent' | 'unknown' };

const sentSchema = z.object({
  id: snowflake,
  author: z.object({ id: z.string() }),
  content: z.string().default(''),
  nonce: z.union([z.string(), z.number()]).nullable().optional(),
  message_reference: z.object({ message_id: z.string().optional() }).nullable().optional(),
  attachments: boundedList(z.object({ size: z.int() })).default([]),
});

/** The clocks of Discord and of this machine may differ. */
const clockDifferenceMs = 10_000;

/**
 * Looks for a message among the newest ones of its channel.
 *
 * @param most so many messages there would have been
 */
export function findSent(messages: unknown, most: number, search: SentSearch): SearchEnd {
  const parsed = boundedList(sentSchema).safeParse(messages);
  // A bot that may not read the history is given none.
  if (!parsed.success || parsed.data.length === 0) return { kind: 'unknown' };
  const since = search.since - clockDifferenceMs;
  const later = parsed.data.filter(({ id }) => timeOfSnowflake(id) >= since);
  const found = later.find((message) => isSent(message, search));
  if (found !== undefined) return { kind: 'found', id: found.id };
  return { kind: later.length >= most ? 'unknown' : 'absent' };
}

function isSent(
  { id, author, content, nonce, message_reference: reference, attachments }: z.output<typeof sentSchema>,
  search: SentSearch,
): boolean {
  if (author.id !== search.botId || search.others.has(id)) return false;
  if (nonce !== null && nonce !== undefined) return String(nonce) === search.nonce;
  if (
    search.answers !== null &&
    reference?.message_id !== undefined &&
    reference.message_id !== search.answers
  )
    return false;
  const { part } = search;
  if (part.kind === 'file') return attachments[0]?.size === part.file.sizeBytes && content === '';
  return content.trim() === part.text.trim() && attachments.length === 0;
}
