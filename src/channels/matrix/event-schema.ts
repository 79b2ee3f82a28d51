import { z } from 'zod';
import { boundedList } from '../bounded-list.js';
import { isEventId, isUserId } from './address.js';

/** The parts of answers and events (spec.matrix.org, "Client-Server API") that the channel reads. All else is left out. */

const userId = z.string().refine(isUserId, 'is no id of a user');
const eventId = z.string().refine(isEventId, 'is no id of an event');
const content = z.record(z.string(), z.unknown());

const unsigned = z
  .object({ prev_content: content.optional(), redacted_because: z.unknown().optional() })
  .default({})
  .catch({});

/** An event of a room, of any type. */
export const eventSchema = z.object({
  type: z.string(),
  event_id: eventId,
  sender: userId,
  /** Milliseconds since the Unix epoch, by the clock of the sender's server. */
  origin_server_ts: z.number().catch(0),
  content,
  state_key: z.string().optional().catch(undefined),
  /** Before version 11 of rooms: the event that is redacted. */
  redacts: z.string().optional().catch(undefined),
  unsigned,
});

export type RoomEvent = z.output<typeof eventSchema>;

/** State as an invitation shows it. */
const strippedState = z.object({
  type: z.string(),
  sender: userId,
  state_key: z.string(),
  content,
});

const anyEvents = z
  .object({ events: z.array(z.unknown()).default([]) })
  .default({ events: [] })
  .catch({ events: [] });

export const joinedRoomSchema = z.object({
  state: anyEvents,
  timeline: z
    .object({
      events: z.array(z.unknown()).default([]),
      limited: z.boolean().default(false),
      prev_batch: z.string().optional(),
    })
    .default({ events: [], limited: false }),
  summary: z
    .object({ 'm.joined_member_count': z.int().min(0).optional().catch(undefined) })
    .default({})
    .catch({}),
});

export type JoinedRoom = z.output<typeof joinedRoomSchema>;

const invitedRoomSchema = z.object({ invite_state: anyEvents });

export const syncSchema = z.object({
  next_batch: z.string().min(1).max(4_096),
  rooms: z
    .object({
      join: z.record(z.string(), z.unknown()).default({}),
      invite: z.record(z.string(), z.unknown()).default({}),
    })
    .default({ join: {}, invite: {} }),
});

export type SyncAnswer = z.output<typeof syncSchema>;

export const messagesSchema = z.object({
  chunk: z.array(z.unknown()),
  end: z.string().optional(),
  state: z.array(z.unknown()).default([]),
});

export const whoamiSchema = z.object({ user_id: userId, device_id: z.string().optional() });
export const versionsSchema = z.object({ versions: boundedList(z.string()) });
export const wellKnownSchema = z.object({
  'm.homeserver': z.object({ base_url: z.url({ protocol: /^https?$/ }).max(300) }),
});
export const displayNameSchema = z.object({ displayname: z.string().nullable().optional() });
export const sentSchema = z.object({ event_id: eventId });
export const mediaConfigSchema = z.object({ 'm.upload.size': z.int().min(0).optional() });
export const uploadedSchema = z.object({ content_uri: z.string() });
export const joinedMembersSchema = z.object({ joined: z.record(z.string(), z.unknown()) });

/** Bytes of an event (spec.matrix.org, "Size limits"), without what each server adds to it for itself. */
const largestEventBytes = 65_536;

/** Events that can't be read, or are too large for one, are left out, as they are none of anybody's messages. */
export function eventsIn(values: readonly unknown[]): readonly RoomEvent[] {
  return values.flatMap((value) => (isTooLarge(value) ? [] : (eventSchema.safeParse(value).data ?? [])));
}

function isTooLarge(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Buffer.byteLength(JSON.stringify({ ...value, unsigned: undefined })) > largestEventBytes;
}

/** An invitation to a room. */
export interface Invitation {
  /** The id of the person who invites. */
  readonly inviter: string;
  /** The inviter says that the room is for the two of them. */
  readonly isDirect: boolean;
}

/** Null: it does not say who invites. */
export function invitationIn(value: unknown, ownId: string): Invitation | null {
  const events = invitedRoomSchema.safeParse(value).data?.invite_state.events ?? [];
  for (const each of events) {
    const state = strippedState.safeParse(each).data;
    if (state?.type !== 'm.room.member' || state.state_key !== ownId) continue;
    if (state.content['membership'] !== 'invite') continue;
    return { inviter: state.sender, isDirect: state.content['is_direct'] === true };
  }
  return null;
}
