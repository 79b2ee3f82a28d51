import { z } from 'zod';
import { boundedList } from '../bounded-list.js';

/** The parts of Slack's events (docs.slack.dev/apis/events-api) that the channel reads. All else is left out. */

const file = z.object({
  id: z.string(),
  name: z.string().nullish(),
  title: z.string().nullish(),
  mimetype: z.string().nullish(),
  size: z.int().nullish(),
  url_private: z.string().nullish(),
  url_private_download: z.string().nullish(),
  /** "tombstone": it was deleted. "hidden_by_limit": it is too old for the plan. "external": it is elsewhere. */
  mode: z.string().nullish(),
});

/** The time of a message, which is also its name within its conversation. */
const ts = z.string().regex(/^\d{1,12}\.\d{6}$/);

const edited = z.object({ user: z.string().optional(), ts: z.string() });

export const messageSchema = z.object({
  type: z.string(),
  subtype: z.string().optional(),
  /** Absent in a history, whose channel is known. */
  channel: z.string().optional(),
  channel_type: z.string().optional(),
  user: z.string().optional(),
  bot_id: z.string().nullish(),
  app_id: z.string().nullish(),
  text: z.string().default(''),
  ts,
  thread_ts: ts.optional(),
  /** The author of the message that the thread begins with. */
  parent_user_id: z.string().optional(),
  edited: edited.optional(),
  hidden: z.boolean().optional(),
  files: boundedList(file).default([]),
  team: z.string().optional(),
  reply_count: z.int().optional(),
  latest_reply: z.string().optional(),
});

/** The event of an edit has the message within. */
export const changeSchema = z.object({
  type: z.literal('message'),
  subtype: z.literal('message_changed'),
  channel: z.string(),
  message: z.looseObject({ ts }),
  previous_message: z.object({ text: z.string().optional(), edited: edited.optional() }).optional(),
});

export const deletionSchema = z.object({
  type: z.literal('message'),
  subtype: z.literal('message_deleted'),
  channel: z.string(),
  deleted_ts: ts,
  previous_message: z
    .object({ user: z.string().optional(), thread_ts: ts.optional() })
    .optional()
    .catch(undefined),
});

export type MessageEvent = z.output<typeof messageSchema>;
export type FileEvent = z.output<typeof file>;

export const eventSchema = z.looseObject({ type: z.string() });
export type EventObject = z.output<typeof eventSchema>;

/** The wrapper of an event, which is the same by Socket Mode and by HTTP. */
export const callbackSchema = z.object({
  type: z.literal('event_callback'),
  event: eventSchema,
});
export type EventCallback = z.output<typeof callbackSchema>;

/** A message of Socket Mode (docs.slack.dev/apis/events-api/using-socket-mode). */
export const frameSchema = z.object({
  type: z.string(),
  envelope_id: z.string().optional(),
  payload: z.unknown().optional(),
  reason: z.string().optional(),
});

export const identitySchema = z.object({
  user_id: z.string(),
  bot_id: z.string().optional(),
  team_id: z.string(),
  user: z.string().default('the bot'),
  team: z.string().default(''),
});
