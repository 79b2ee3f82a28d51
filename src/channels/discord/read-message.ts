import type { Metadata } from '../../store/messages.js';
import { markedName, storableText } from '../conversation/plain-text.js';
import {
  type AttachmentObject,
  type AuthorObject,
  type GivenObject,
  messageSchema,
  snowflake,
} from './message-schema.js';
import { timeOfSnowflake } from './snowflake.js';

/** Reads messages: pure functions. */

/** A file of a message, which is still at Discord. */
export interface HostedFile {
  readonly url: string;
  readonly name: string | null;
  readonly mediaType: string | null;
  readonly sizeBytes: number;
}

/** A message of a person. */
export interface DiscordMessage {
  readonly channelId: string;
  readonly id: string;
  readonly text: string;
  readonly person: { readonly id: string; readonly name: string | null } | null;
  readonly isGroup: boolean;
  readonly isAddressed: boolean;
  readonly origin: 'written' | 'forwarded' | 'quoted' | 'edited';
  readonly files: readonly HostedFile[];
  readonly metadata: Metadata;
  /** The reason if no agent can be given it; `raw` is the message as it came. */
  readonly defect: { readonly reason: string; readonly raw: string } | null;
}

/** Circumstances that the message itself does not tell. */
export interface MessageFacts {
  readonly botId: string;
  /** The server of a message that was read back, where Discord leaves it out; null: it is a private one. Absent: as it says. */
  readonly guildId?: string | null;
  readonly isEdit: boolean;
  readonly now: number;
}

/** Types of messages that somebody has written: DEFAULT and REPLY. */
const writtenTypes: readonly number[] = [0, 19];

/** An edit of an older message is left alone: nobody expects an answer. */
const oldestEditMs = 86_400_000;

const longestQuote = 200;
const longestName = 100;

/** Null: there is nothing to be taken, as nobody wrote it, or a program did. */
export function readDiscordMessage(value: unknown, facts: MessageFacts): DiscordMessage | null {
  const parsed = messageSchema.safeParse(value);
  if (!parsed.success) {
    const [{ path, message } = { path: [], message: '' }] = parsed.error.issues;
    // Such as an edit that tells of a picture alone.
    if (facts.isEdit) return null;
    return unreadable(value, `"${path.join('.')}": ${message}`);
  }
  const message = parsed.data;
  const { author, webhook_id: webhook } = message;
  if (author.bot || author.system || webhook !== undefined) return null;
  if (!writtenTypes.includes(message.type)) return null;
  if (facts.isEdit && !isFreshEdit(message, facts.now)) return null;
  return readWritten(message, facts, value);
}

function isFreshEdit({ id, edited_timestamp: editedAt }: GivenObject, now: number): boolean {
  return editedAt !== null && now - timeOfSnowflake(id) < oldestEditMs;
}

function readWritten(message: GivenObject, facts: MessageFacts, value: unknown): DiscordMessage | null {
  const { channel_id: channelId, id, author, member } = message;
  const guildId = facts.guildId === undefined ? (message.guild_id ?? null) : facts.guildId;
  const isGroup = guildId !== null;
  const addressed = !isGroup || isAddressed(message, facts.botId);
  const body = bodyOf(message, facts.botId);
  const files = filesOf(message);
  if (body === '' && files.length === 0 && isGroup && !addressed) return null;
  const quoted = quotedIn(message, facts.botId);
  const [forwarded] = message.message_snapshots;
  const isEmpty = body === '' && files.length === 0;
  return {
    channelId,
    id,
    text: storableText(`${forwarded === undefined ? '' : '[forwarded]\n'}${quoted ?? ''}${body}`),
    person: { id: author.id, name: nameOf(author, member?.nick) },
    isGroup,
    isAddressed: addressed,
    origin: facts.isEdit
      ? 'edited'
      : forwarded !== undefined
        ? 'forwarded'
        : quoted !== null
          ? 'quoted'
          : 'written',
    files,
    metadata: metadataOf(message, guildId),
    defect: isEmpty ? { reason: emptyReason(id, isGroup), raw: JSON.stringify(value) } : null,
  };
}

function emptyReason(id: string, isGroup: boolean): string {
  const why = `the message ${id} has neither text nor a file`;
  return isGroup
    ? `${why}: Discord keeps the text back where the bot is not mentioned, unless message_content is set (docs/channels/discord.md)`
    : why;
}

function nameOf(
  { global_name: shown, username }: AuthorObject,
  nick: string | null | undefined,
): string | null {
  return short(nick ?? shown ?? username);
}

function short(name: string): string | null {
  return name === '' ? null : storableText(name.slice(0, longestName));
}

function bodyOf(message: GivenObject, botId: string): string {
  const [forwarded] = message.message_snapshots;
  const { content, sticker_items: stickers } = forwarded?.message ?? message;
  const words = [
    plainMentions(content, message.mentions, botId),
    ...stickers.map(({ name }) => `[sticker ${markedName(name) ?? ''}]`),
    ...(message.poll === undefined
      ? []
      : [`[poll: ${message.poll.question.text.slice(0, longestQuote).replace(/[\s\p{Cc}]+/gu, ' ')}]`]),
  ];
  return words.filter((word) => word !== '').join('\n');
}

/** Takes the bot's own name off the beginning, and puts names in the place of others' ids. */
function plainMentions(content: string, mentions: readonly AuthorObject[], botId: string): string {
  const withoutOwn = content.replace(new RegExp(`^\\s*<@!?${botId}>[\\s,:]*`), '');
  const names = new Map(mentions.map((user) => [user.id, markedName(nameOf(user, null)) ?? user.id]));
  return withoutOwn
    .replace(/<@!?(\d{1,20})>/g, (whole, id: string) => (names.has(id) ? `@${names.get(id)}` : whole))
    .replace(/<a?:(\w{2,32}):\d{1,20}>/g, ':$1:')
    .trim();
}

/** True if it mentions the bot, or answers one of its messages. */
function isAddressed({ mentions, referenced_message: replied }: GivenObject, botId: string): boolean {
  return replied?.author.id === botId || mentions.some(({ id }) => id === botId);
}

/** The beginning of what is answered, unless it is a message of the bot, which its agent knows. */
function quotedIn({ referenced_message: replied }: GivenObject, botId: string): string | null {
  if (replied === undefined || replied === null || replied.author.id === botId) return null;
  if (replied.content === '') return null;
  const { content, author } = replied;
  const cut = content.length > longestQuote ? `${content.slice(0, longestQuote)}…` : content;
  return `[in reply to ${markedName(nameOf(author, null)) ?? 'somebody'}: ${cut.replace(/[\s\p{Cc}]+/gu, ' ')}]\n`;
}

function filesOf(message: GivenObject): readonly HostedFile[] {
  const [forwarded] = message.message_snapshots;
  return [...message.attachments, ...(forwarded?.message.attachments ?? [])].map(fileOf);
}

function fileOf({ url, filename, title, content_type: type, size }: AttachmentObject): HostedFile {
  // The title has no ending.
  const ending = /\.\w{1,10}$/.exec(filename)?.[0] ?? '';
  const named = title === undefined || title === '' ? filename : `${title}${ending}`;
  return {
    url,
    name: named === '' ? null : named,
    mediaType: type?.split(';')[0]?.trim() ?? null,
    sizeBytes: size,
  };
}

function metadataOf(message: GivenObject, guildId: string | null): Metadata {
  const { id, author, timestamp, edited_timestamp: editedAt } = message;
  return {
    discord: {
      message_id: id,
      ...(guildId === null ? {} : { guild_id: guildId }),
      ...(author.username === '' ? {} : { username: storableText(author.username.slice(0, longestName)) }),
      date: storableText((editedAt ?? timestamp).slice(0, 40)),
    },
  };
}

/** It is kept as it came. Whose it is may not be known, nor where it was written. */
function unreadable(value: unknown, mistake: string): DiscordMessage {
  const { id, channel_id: channel } = (value ?? {}) as {
    readonly id?: unknown;
    readonly channel_id?: unknown;
  };
  const known = (given: unknown) => snowflake.safeParse(given).data ?? null;
  const messageId = known(id);
  return {
    channelId: known(channel) ?? 'unreadable',
    id: messageId ?? '',
    text: '',
    person: null,
    isGroup: false,
    isAddressed: false,
    origin: 'written',
    files: [],
    metadata: {},
    defect: {
      reason: `the message ${messageId ?? 'without an id'} can't be read: ${mistake}`,
      raw: JSON.stringify(value) ?? '',
    },
  };
}
