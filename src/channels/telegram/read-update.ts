import type { Metadata } from '../../store/messages.js';
import { errorMessage } from '../../text/failure-text.js';
import { markedName, storableText } from '../conversation/plain-text.js';
import { conversationOf } from './address.js';
import {
  type ChatObject,
  type FileObject,
  isServiceMessage,
  type MessageObject,
  messageSchema,
  type UpdateObject,
  type UserObject,
} from './update-schema.js';

/** Reads updates: pure functions. */

/** The bot that the updates are for. */
export interface BotIdentity {
  readonly id: number;
  readonly username: string;
}

/** A file of a message, which is still at Telegram. */
export interface RemoteFile {
  readonly fileId: string;
  readonly name: string | null;
  readonly mediaType: string | null;
  /** Null: Telegram does not say. */
  readonly sizeBytes: number | null;
}

/** A message of a person. */
export interface TelegramMessage {
  /** The chat's id, and the topic's behind a colon. */
  readonly conversation: string;
  readonly chatId: number;
  readonly messageId: number;
  /** The same for a message and its edits, and for no other message to any bot in any chat. */
  readonly id: string;
  readonly text: string;
  readonly person: { readonly id: string; readonly name: string | null } | null;
  readonly isGroup: boolean;
  readonly isAddressed: boolean;
  readonly origin: 'written' | 'forwarded' | 'quoted' | 'edited';
  readonly files: readonly RemoteFile[];
  readonly metadata: Metadata;
  /** The reason if no agent can be given it; `raw` is the update as it came. */
  readonly defect: { readonly reason: string; readonly raw: string } | null;
}

export type ReadUpdate =
  | { readonly kind: 'message'; readonly message: TelegramMessage }
  /** The group has become a supergroup, with another id. */
  | { readonly kind: 'moved'; readonly from: number; readonly to: number }
  /** There is nothing to be taken: its kind was not asked for, or nobody wrote it. */
  | { readonly kind: 'nothing' };

/** Telegram's account that stands for an administrator who writes anonymously. */
const anonymousAdministrator = 1_087_968_824;
const longestQuote = 200;
const longestName = 100;
/** A command has 32 characters at most, and a bot's name as many (core.telegram.org/bots/features). */
const longestCommand = 100;

/** Never throws: Telegram gives an update again until it was taken, and the ones behind it wait. */
export function readUpdate(update: UpdateObject, bot: BotIdentity): ReadUpdate {
  try {
    return readParts(update, bot);
  } catch (error) {
    return { kind: 'message', message: unreadable(update, bot, errorMessage(error)) };
  }
}

function readParts(update: UpdateObject, bot: BotIdentity): ReadUpdate {
  const isEdited = update['edited_message'] !== undefined;
  const value = update['message'] ?? update['edited_message'];
  if (value === undefined) return { kind: 'nothing' };
  const parsed = messageSchema.safeParse(value);
  if (!parsed.success) {
    const [{ path, message } = { path: [], message: '' }] = parsed.error.issues;
    return { kind: 'message', message: unreadable(update, bot, `"${path.join('.')}": ${message}`) };
  }
  const message = parsed.data;
  if (message.migrate_to_chat_id !== undefined) {
    return { kind: 'moved', from: message.chat.id, to: message.migrate_to_chat_id };
  }
  const person = personOf(message);
  if (person === 'bot') return { kind: 'nothing' };
  const files = filesOf(message);
  const body = bodyOf(message, bot);
  if (body === null && files.length === 0) {
    if (isServiceMessage(value as object)) return { kind: 'nothing' };
    const reason = 'it has neither text nor a file, nor anything else that is known';
    return {
      kind: 'message',
      message: { ...readMessage(message, bot, person, isEdited), ...defect(update, reason) },
    };
  }
  return { kind: 'message', message: readMessage(message, bot, person, isEdited) };
}

function readMessage(
  message: MessageObject,
  bot: BotIdentity,
  person: TelegramMessage['person'],
  isEdited: boolean,
): TelegramMessage {
  const { chat, message_id: messageId } = message;
  const isForwarded = message.forward_origin !== undefined;
  const quoted = quotedIn(message, bot);
  const isGroup = chat.type !== 'private';
  return {
    conversation: conversationOf(
      chat.id,
      message.is_topic_message ? (message.message_thread_id ?? null) : null,
    ),
    chatId: chat.id,
    messageId,
    id: idOf(bot, chat.id, messageId),
    text: storableText(`${forwardMark(message)}${quoted ?? ''}${bodyOf(message, bot) ?? ''}`),
    person,
    isGroup,
    isAddressed: !isGroup || isAddressed(message, bot),
    origin: isEdited ? 'edited' : isForwarded ? 'forwarded' : quoted !== null ? 'quoted' : 'written',
    files: filesOf(message),
    metadata: metadataOf(message),
    defect: null,
  };
}

/** Somebody who can't be told apart is nobody. "bot": a program, which no agent should talk to. */
function personOf({ from, sender_chat: group }: MessageObject): TelegramMessage['person'] | 'bot' {
  if (group !== undefined && (from === undefined || from.id === anonymousAdministrator || from.is_bot)) {
    return { id: String(group.id), name: chatName(group) };
  }
  if (from === undefined) return null;
  return from.is_bot ? 'bot' : { id: String(from.id), name: userName(from) };
}

function userName({ first_name: first, last_name: last, username }: UserObject): string | null {
  return short([first, last].filter((part) => (part ?? '') !== '').join(' ') || username);
}

function chatName({ title, first_name: first, username }: ChatObject): string | null {
  return short(title ?? first ?? username);
}

function short(name: string | undefined): string | null {
  return name === undefined || name === '' ? null : storableText(name.slice(0, longestName));
}

/** The text, the caption, or words for what has neither. Null: there is nothing of it. */
function bodyOf(message: MessageObject, bot: BotIdentity): string | null {
  const { text, caption, sticker, location, contact } = message;
  const written = text ?? caption;
  if (written !== undefined) return withoutOwnName(written, message, bot);
  if (sticker !== undefined) return `[sticker${sticker.emoji === undefined ? '' : ` ${sticker.emoji}`}]`;
  if (location !== undefined) return `[location ${location.latitude}, ${location.longitude}]`;
  if (contact === undefined) return null;
  const { first_name: first, last_name: last, phone_number: number } = contact;
  return `[contact ${[first, last, number].flatMap((part) => markedName(part) ?? []).join(' ')}]`;
}

/** A command in a group may name the bot: "/help@the_bot" is "/help". */
function withoutOwnName(text: string, message: MessageObject, bot: BotIdentity): string {
  const command = entitiesOf(message).find(({ type, offset }) => type === 'bot_command' && offset === 0);
  if (command === undefined) return text;
  const name = text.slice(0, command.length);
  const suffix = `@${bot.username}`;
  return name.toLowerCase().endsWith(suffix.toLowerCase())
    ? name.slice(0, -suffix.length) + text.slice(command.length)
    : text;
}

function entitiesOf({ text, entities, caption_entities }: MessageObject): MessageObject['entities'] {
  return text === undefined ? caption_entities : entities;
}

/** True if it mentions the bot, or answers one of its messages. */
function isAddressed(message: MessageObject, bot: BotIdentity): boolean {
  const { reply_to_message: replied } = message;
  if (replied?.from?.id === bot.id && replied.forum_topic_created === undefined) return true;
  const text = message.text ?? message.caption ?? '';
  const ownName = `@${bot.username}`.toLowerCase();
  return entitiesOf(message).some(({ type, offset, length, user }) => {
    if (type === 'text_mention') return user?.id === bot.id;
    // There may be many, each of the whole text.
    if (length > longestCommand) return false;
    const part = text.slice(offset, offset + length).toLowerCase();
    if (type === 'mention') return part === ownName;
    return type === 'bot_command' && part.endsWith(ownName);
  });
}

function forwardMark({ forward_origin: origin }: MessageObject): string {
  if (origin === undefined) return '';
  const { sender_user: user, sender_user_name: hidden, sender_chat: group, chat } = origin;
  const name = markedName(
    (user === undefined ? short(hidden) : userName(user)) ??
      ((group ?? chat) === undefined ? null : chatName((group ?? chat) as ChatObject)),
  );
  return `[forwarded${name === null ? '' : ` from ${name}`}]\n`;
}

/** The beginning of what is answered, unless it is a message of the bot, which its agent knows. */
function quotedIn({ reply_to_message: replied, quote }: MessageObject, bot: BotIdentity): string | null {
  if (quote === undefined && (replied === undefined || replied.from?.id === bot.id)) return null;
  if (replied?.forum_topic_created !== undefined) return null;
  const text = quote?.text ?? replied?.text ?? replied?.caption;
  if (text === undefined) return null;
  const author = replied?.from === undefined ? null : markedName(userName(replied.from));
  const cut = text.length > longestQuote ? `${text.slice(0, longestQuote)}…` : text;
  return `[in reply to ${author ?? 'somebody'}: ${cut.replace(/[\s\p{Cc}]+/gu, ' ')}]\n`;
}

function filesOf(message: MessageObject): readonly RemoteFile[] {
  const largestPhoto = message.photo?.at(-1);
  const photo = largestPhoto === undefined ? [] : [remote(largestPhoto, 'photo.jpg', 'image/jpeg')];
  // An animation stands in `document` as well.
  const one = message.animation ?? message.document ?? message.audio ?? message.video;
  const others = [
    ...(one === undefined ? [] : [remote(one, null, null)]),
    ...(message.voice === undefined ? [] : [remote(message.voice, 'voice.ogg', 'audio/ogg')]),
    ...(message.video_note === undefined ? [] : [remote(message.video_note, 'video.mp4', 'video/mp4')]),
  ];
  return [...photo, ...others];
}

function remote(file: FileObject, name: string | null, mediaType: string | null): RemoteFile {
  return {
    fileId: file.file_id,
    name: file.file_name ?? name,
    mediaType: file.mime_type ?? mediaType,
    sizeBytes: file.file_size ?? null,
  };
}

function metadataOf(message: MessageObject): Metadata {
  const { chat, from, message_id, date, edit_date } = message;
  const title =
    chat.title === undefined ? {} : { chat_title: storableText(chat.title.slice(0, longestName)) };
  return {
    telegram: {
      message_id,
      chat_type: chat.type,
      ...title,
      ...(from?.username === undefined
        ? {}
        : { username: storableText(from.username.slice(0, longestName)) }),
      date: new Date((edit_date ?? date) * 1_000).toISOString(),
    },
  };
}

function idOf(bot: BotIdentity, chatId: number, messageId: number): string {
  return `${bot.id}/${chatId}/${messageId}`;
}

/** Takes of it what can be read, so that it is kept where it belongs. */
function unreadable(update: UpdateObject, bot: BotIdentity, mistake: string): TelegramMessage {
  const value = (update['message'] ?? update['edited_message']) as {
    readonly chat?: { readonly id?: unknown };
    readonly from?: { readonly id?: unknown };
  } | null;
  const chatId = Number.isSafeInteger(value?.chat?.id) ? Number(value?.chat?.id) : null;
  const personId = Number.isSafeInteger(value?.from?.id) ? Number(value?.from?.id) : null;
  return {
    conversation: chatId === null ? 'unreadable' : String(chatId),
    chatId: chatId ?? 0,
    messageId: 0,
    id: `${bot.id}/update/${update.update_id}`,
    text: '',
    person: personId === null ? null : { id: String(personId), name: null },
    isGroup: false,
    isAddressed: true,
    origin: 'written',
    files: [],
    metadata: {},
    ...defect(update, mistake),
  };
}

function defect(update: UpdateObject, reason: string): Pick<TelegramMessage, 'defect'> {
  return {
    defect: {
      reason: `the update ${update.update_id} can't be read: ${reason}`,
      raw: JSON.stringify(update),
    },
  };
}
