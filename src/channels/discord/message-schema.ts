import { z } from 'zod';
import { boundedList } from '../bounded-list.js';
import { isSnowflake } from './snowflake.js';

/** The parts of Discord's objects (discord.com/developers/docs/resources) that the channel reads. All else is left out. */

export const snowflake = z.string().refine(isSnowflake, 'is no id of Discord');

const user = z.object({
  id: snowflake,
  username: z.string().default(''),
  global_name: z.string().nullable().optional(),
  bot: z.boolean().default(false),
  system: z.boolean().default(false),
});

const attachment = z.object({
  id: snowflake,
  filename: z.string().default(''),
  /** The name before characters were taken out of it. */
  title: z.string().optional(),
  content_type: z.string().nullable().optional(),
  size: z.int().min(0),
  url: z.string(),
});

const sticker = z.object({ name: z.string() });

/** A copy of a message that was forwarded; it does not say whose it was. */
const snapshot = z.object({
  message: z.object({
    content: z.string().default(''),
    attachments: boundedList(attachment).default([]),
    sticker_items: boundedList(sticker).default([]),
  }),
});

const repliedTo = z.object({
  content: z.string().default(''),
  author: user,
});

export const messageSchema = z.object({
  id: snowflake,
  channel_id: snowflake,
  /** Absent in private, and in what is read back. */
  guild_id: snowflake.optional(),
  author: user,
  member: z.object({ nick: z.string().nullable().optional() }).optional(),
  webhook_id: snowflake.optional(),
  content: z.string().default(''),
  timestamp: z.string().default(''),
  edited_timestamp: z.string().nullable().default(null),
  type: z.int(),
  mentions: boundedList(user).default([]),
  attachments: boundedList(attachment).default([]),
  sticker_items: boundedList(sticker).default([]),
  message_snapshots: boundedList(snapshot).default([]),
  referenced_message: repliedTo.nullable().optional(),
  poll: z.object({ question: z.object({ text: z.string().default('') }) }).optional(),
});

/** The events `MESSAGE_DELETE` and `MESSAGE_DELETE_BULK`, which has 100 ids at most. */
export const deletionSchema = z.object({
  channel_id: snowflake,
  id: snowflake.optional(),
  ids: boundedList(snowflake).default([]),
});

export type GivenObject = z.output<typeof messageSchema>;
export type AuthorObject = z.output<typeof user>;
export type AttachmentObject = z.output<typeof attachment>;

export const botSchema = z.object({ id: snowflake, username: z.string() });

/** The answer of `GET /gateway/bot`. */
export const gatewayBotSchema = z.object({
  url: z.string(),
  session_start_limit: z.object({
    remaining: z.int(),
    /** Milliseconds. */
    reset_after: z.number().min(0),
  }),
});

/** A message of the gateway. */
export const payloadSchema = z.object({
  op: z.int(),
  d: z.unknown(),
  s: z.int().nullable().optional(),
  t: z.string().nullable().optional(),
});

export type GatewayPayload = z.output<typeof payloadSchema>;

export const helloSchema = z.object({ heartbeat_interval: z.number().min(1_000).max(600_000) });

/** Servers of a bot, and channels and threads of a server: far more than Discord allows. */
const mostOfGuild = 20_000;

export const readySchema = z.object({
  session_id: z.string().min(1).max(200),
  resume_gateway_url: z.string().max(500),
  user: z.object({ id: snowflake }),
  guilds: boundedList(z.object({ id: snowflake }), mostOfGuild).default([]),
});

const guildChannel = z.object({ id: snowflake, last_message_id: snowflake.nullable().optional() });

/** The event `GUILD_CREATE`; an entry that can't be read is left out. */
export const guildSchema = z.object({
  id: snowflake,
  unavailable: z.boolean().default(false),
  channels: boundedList(guildChannel.nullable().catch(null), mostOfGuild).default([]),
  threads: boundedList(guildChannel.nullable().catch(null), mostOfGuild).default([]),
});
