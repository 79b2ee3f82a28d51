import type { Metadata } from '../../store/messages.js';
import { storableText } from '../conversation/plain-text.js';
import { conversationOf, isDirect } from './address.js';
import {
  changeSchema,
  deletionSchema,
  type EventObject,
  type FileEvent,
  type MessageEvent,
  messageSchema,
} from './event-schema.js';
import { mentions, type NameOf, readText } from './message-text.js';

/** Reads events: pure functions. */

/** The bot that the events are for. */
export interface SlackBot {
  readonly userId: string;
  readonly botId: string | null;
  readonly teamId: string;
  readonly name: string;
}

/** A file of a message, which is still at Slack. */
export interface SlackFile {
  /** Null: it can't be had; `missing` says why. */
  readonly url: string | null;
  readonly missing: string | null;
  readonly name: string | null;
  readonly mediaType: string | null;
}

/** A message of a person. */
export interface SlackMessage {
  readonly channel: string;
  readonly ts: string;
  /** The thread that it stands in, or begins; null: it is none. */
  readonly thread: string | null;
  readonly conversation: string;
  /** The same for a message and its edits, whichever way it comes, and for no other message of any workspace. */
  readonly id: string;
  /** As Slack has it: `textOf` gives it as people see it. */
  readonly markup: string;
  /** Null: the message can't be read, and names nobody. */
  readonly userId: string | null;
  readonly isGroup: boolean;
  /** True if the message itself calls the bot, or the thread is one that the bot has begun. */
  readonly isAddressed: boolean;
  readonly origin: 'written' | 'edited' | 'deleted';
  readonly files: readonly SlackFile[];
  readonly metadata: Metadata;
  /** The reason if no agent can be given it; `raw` is the event as it came. */
  readonly defect: { readonly reason: string; readonly raw: string } | null;
}

export interface ReadOptions {
  readonly bot: SlackBot;
  /** Answers go into a thread of the message. */
  readonly threads: boolean;
}

/** Kinds of messages that people write. All others tell of something that has happened. */
const written: ReadonlySet<string | undefined> = new Set([
  undefined,
  'file_share',
  'me_message',
  'thread_broadcast',
]);

/** Null: there is nothing to be taken. Its kind was not asked for, or no person wrote it. */
export function readEvent(event: EventObject, options: ReadOptions): SlackMessage | null {
  if (event.type !== 'message' && event.type !== 'app_mention') return null;
  if (event['subtype'] === 'message_changed') return readChange(event, options);
  if (event['subtype'] === 'message_deleted') return readDeletion(event, options);
  const parsed = messageSchema.safeParse(event);
  if (!parsed.success) {
    if (typeof event['subtype'] === 'string' && !written.has(event['subtype'])) return null;
    const [{ path, message } = { path: [], message: '' }] = parsed.error.issues;
    return unreadable(event, options.bot, `"${path.join('.')}": ${message}`);
  }
  return readMessage(parsed.data, parsed.data.channel, options, 'written');
}

/** An edit counts if a person has changed the text: Slack also tells of previews of links in this way. */
function readChange(event: EventObject, options: ReadOptions): SlackMessage | null {
  const change = changeSchema.safeParse(event);
  if (!change.success) return null;
  const message = messageSchema.safeParse(change.data.message);
  const { channel, previous_message: previous } = change.data;
  if (!message.success) return null;
  if (message.data.subtype === 'tombstone') {
    return deletedMessage({ ...message.data, channel }, options);
  }
  if (message.data.edited === undefined) return null;
  if (message.data.edited.ts === previous?.edited?.ts) return null;
  if (message.data.text === previous?.text) return null;
  return readMessage(message.data, channel, options, 'edited');
}

/** The first message of a thread leaves a stone behind, which comes as a change. */
function readDeletion(event: EventObject, options: ReadOptions): SlackMessage | null {
  const deletion = deletionSchema.safeParse(event);
  if (!deletion.success) return null;
  const { channel, deleted_ts: ts, previous_message: previous } = deletion.data;
  if (previous?.user === options.bot.userId) return null;
  return deletedMessage({ channel, ts, thread_ts: previous?.thread_ts }, options);
}

function deletedMessage(
  of: {
    readonly channel: string;
    readonly ts: string;
    readonly thread_ts?: string | undefined;
  },
  options: ReadOptions,
): SlackMessage {
  return {
    ...placeOf(of, options),
    markup: '',
    userId: null,
    isAddressed: true,
    origin: 'deleted',
    files: [],
    metadata: {},
    defect: null,
  };
}

/** Reads a message of a history, which has no channel. */
export function readMessage(
  message: MessageEvent,
  channel: string | undefined,
  { bot, threads }: ReadOptions,
  origin: SlackMessage['origin'],
): SlackMessage | null {
  const { user, text, files } = message;
  if (channel === undefined || !written.has(message.subtype) || message.hidden === true) return null;
  // Two programs that answer each other would not end.
  if (user === undefined || user === bot.userId || user === 'USLACKBOT') return null;
  if ((message.bot_id ?? null) !== null) return null;
  if (text.trim() === '' && files.length === 0) return null;
  const place = placeOf({ ...message, channel }, { bot, threads });
  return {
    ...place,
    markup: text,
    userId: user,
    isAddressed: !place.isGroup || mentions(text, bot.userId) || message.parent_user_id === bot.userId,
    origin,
    files: files.map(fileOf),
    metadata: metadataOf(message, channel, place.isGroup),
    defect: null,
  };
}

/** The conversation of a message, and its name in all of them. */
function placeOf(
  {
    channel,
    ts,
    thread_ts,
  }: {
    readonly channel: string;
    readonly ts: string;
    readonly thread_ts?: string | undefined;
  },
  { bot, threads }: ReadOptions,
): Pick<SlackMessage, 'channel' | 'ts' | 'thread' | 'conversation' | 'id' | 'isGroup'> {
  // The kind of the conversation does not stand in each event; the id does.
  const isGroup = !isDirect(channel);
  // The first message of a thread names the thread once there are others.
  const inThread = thread_ts === undefined || thread_ts === ts ? null : thread_ts;
  const thread = inThread ?? (isGroup && threads ? ts : null);
  const conversation = conversationOf({ channel, thread });
  return { channel, ts, thread, conversation, id: `${bot.teamId}/${channel}/${ts}`, isGroup };
}

/** The text for the agent. */
export function textOf({ markup, defect }: SlackMessage, bot: SlackBot, nameOf: NameOf): string {
  return defect === null ? readText(markup, bot, nameOf) : '';
}

function fileOf({ name, title, mimetype, mode, ...file }: FileEvent): SlackFile {
  const url = file.url_private_download ?? file.url_private ?? null;
  const missing =
    mode === 'tombstone'
      ? 'was deleted'
      : mode === 'hidden_by_limit'
        ? 'is too old for the plan of the workspace'
        : mode === 'external' || url === null
          ? 'is not kept by Slack'
          : null;
  return {
    url: missing === null ? url : null,
    missing,
    name: name ?? title ?? null,
    mediaType: mimetype ?? null,
  };
}

function metadataOf(message: MessageEvent, channel: string, isGroup: boolean): Metadata {
  const { ts, thread_ts: thread, team } = message;
  return {
    slack: {
      channel,
      channel_type: message.channel_type ?? (isGroup ? 'channel' : 'im'),
      ts,
      ...(thread === undefined ? {} : { thread_ts: thread }),
      ...(team === undefined ? {} : { team: storableText(team.slice(0, 30)) }),
      date: new Date(Number(ts) * 1_000).toISOString(),
    },
  };
}

/** Takes of it what can be read, so that it is kept where it belongs. */
function unreadable(event: EventObject, bot: SlackBot, mistake: string): SlackMessage | null {
  if ((event['bot_id'] ?? null) !== null) return null;
  const { user, channel, ts } = event;
  const channelId = typeof channel === 'string' && /^[CDG][A-Z0-9]{1,30}$/.test(channel) ? channel : null;
  const userId = typeof user === 'string' && /^[UW][A-Z0-9]{1,30}$/.test(user) ? user : null;
  if (userId === bot.userId) return null;
  const raw = JSON.stringify(event);
  const named = typeof ts === 'string' && ts.length <= 40 ? ts : '';
  return {
    channel: channelId ?? '',
    ts: '',
    thread: null,
    conversation: channelId ?? 'unreadable',
    id: `${bot.teamId}/${channelId ?? ''}/unreadable/${storableText(named)}`,
    markup: '',
    userId,
    isGroup: channelId !== null && !isDirect(channelId),
    isAddressed: true,
    origin: 'written',
    files: [],
    metadata: {},
    defect: { reason: `an event of Slack can't be read: ${mistake}`, raw },
  };
}
