import { z } from 'zod';
import { boundedList } from '../bounded-list.js';

/** The parts of an Update (core.telegram.org/bots/api#update) that the channel reads. All else is left out. */

const entity = z.object({
  type: z.string(),
  /** UTF-16 code units, as those of a JavaScript string. */
  offset: z.int(),
  length: z.int(),
  user: z.object({ id: z.int() }).optional(),
});

const user = z.object({
  id: z.int(),
  is_bot: z.boolean().default(false),
  first_name: z.string().default(''),
  last_name: z.string().optional(),
  username: z.string().optional(),
});

const chat = z.object({
  id: z.int(),
  type: z.string(),
  title: z.string().optional(),
  first_name: z.string().optional(),
  username: z.string().optional(),
});

const file = z.object({
  file_id: z.string(),
  file_size: z.int().optional(),
  file_name: z.string().optional(),
  mime_type: z.string().optional(),
});

const origin = z.object({
  type: z.string(),
  sender_user: user.optional(),
  sender_user_name: z.string().optional(),
  sender_chat: chat.optional(),
  chat: chat.optional(),
});

const repliedTo = z.object({
  message_id: z.int(),
  from: user.optional(),
  sender_chat: chat.optional(),
  text: z.string().optional(),
  caption: z.string().optional(),
  /** Each message of a topic "replies" to the message that made the topic. */
  forum_topic_created: z.unknown().optional(),
});

export const messageSchema = z.object({
  message_id: z.int(),
  message_thread_id: z.int().optional(),
  /** Replies in a group without topics have a thread id as well. */
  is_topic_message: z.boolean().default(false),
  from: user.optional(),
  sender_chat: chat.optional(),
  chat,
  date: z.int(),
  edit_date: z.int().optional(),
  text: z.string().optional(),
  entities: boundedList(entity).default([]),
  caption: z.string().optional(),
  caption_entities: boundedList(entity).default([]),
  forward_origin: origin.optional(),
  reply_to_message: repliedTo.optional(),
  quote: z.object({ text: z.string(), is_manual: z.boolean().optional() }).optional(),
  photo: boundedList(file).optional(),
  document: file.optional(),
  audio: file.optional(),
  voice: file.optional(),
  video: file.optional(),
  video_note: file.optional(),
  animation: file.optional(),
  sticker: z.object({ emoji: z.string().optional() }).optional(),
  location: z.object({ latitude: z.number(), longitude: z.number() }).optional(),
  contact: z
    .object({ phone_number: z.string(), first_name: z.string(), last_name: z.string().optional() })
    .optional(),
  migrate_to_chat_id: z.int().optional(),
});

export type MessageObject = z.output<typeof messageSchema>;
export type UserObject = z.output<typeof user>;
export type ChatObject = z.output<typeof chat>;
export type FileObject = z.output<typeof file>;

export const botSchema = z.object({ id: z.int(), username: z.string() });

/** The answer of `getFile`. */
export const fileSchema = z.object({ file_path: z.string().min(1) });

/** The answer of `getUpdates`. An update without an id could not be acknowledged. */
export const updateSchema = z.looseObject({ update_id: z.int() });

export const updatesSchema = boundedList(updateSchema);

export type UpdateObject = z.output<typeof updateSchema>;

/**
 * Members of messages about a chat itself, which nobody wrote to anybody
 * (core.telegram.org/bots/api#message, "Service message").
 */
const serviceMembers: ReadonlySet<string> = new Set([
  'boost_added',
  'channel_chat_created',
  'chat_background_set',
  'chat_owner_changed',
  'chat_owner_left',
  'chat_shared',
  'checklist_tasks_added',
  'checklist_tasks_done',
  'connected_website',
  'delete_chat_photo',
  'direct_message_price_changed',
  'forum_topic_closed',
  'forum_topic_created',
  'forum_topic_edited',
  'forum_topic_reopened',
  'general_forum_topic_hidden',
  'general_forum_topic_unhidden',
  'gift',
  'gift_upgrade_sent',
  'giveaway_completed',
  'giveaway_created',
  'group_chat_created',
  'left_chat_member',
  'message_auto_delete_timer_changed',
  'migrate_from_chat_id',
  'migrate_to_chat_id',
  'new_chat_members',
  'new_chat_photo',
  'new_chat_title',
  'paid_message_price_changed',
  'passport_data',
  'pinned_message',
  'proximity_alert_triggered',
  'refunded_payment',
  'successful_payment',
  'suggested_post_approval_failed',
  'suggested_post_approved',
  'suggested_post_declined',
  'suggested_post_paid',
  'suggested_post_refunded',
  'supergroup_chat_created',
  'unique_gift',
  'users_shared',
  'video_chat_ended',
  'video_chat_participants_invited',
  'video_chat_scheduled',
  'video_chat_started',
  'web_app_data',
  'write_access_allowed',
]);

export function isServiceMessage(message: object): boolean {
  return Object.keys(message).some((key) => serviceMembers.has(key));
}
