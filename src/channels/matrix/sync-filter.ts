/** Filters of what the homeserver gives (spec.matrix.org, "Filtering"): pure functions. */

/** Events of a room that are read. */
const timelineTypes = [
  'm.room.message',
  'm.sticker',
  'm.room.encrypted',
  'm.room.redaction',
  'm.room.member',
  'm.room.tombstone',
];

/** Names of those who write, and the room that this one stands for. */
const stateTypes = ['m.room.member', 'm.room.create'];

/** Most events of a room in one answer. */
export const mostTimelineEvents = 50;

/** @param limit events of each room; what is between them and the last answer is read back */
export function syncFilter(limit: number): string {
  const none = { types: [] };
  return JSON.stringify({
    presence: none,
    account_data: none,
    room: {
      account_data: none,
      ephemeral: none,
      state: { types: stateTypes, lazy_load_members: true, include_redundant_members: true },
      timeline: { types: timelineTypes, limit, lazy_load_members: true },
    },
  });
}

export function historyFilter(): string {
  return JSON.stringify({ types: timelineTypes, lazy_load_members: true });
}

/** Messages of the account itself. */
export function ownMessagesFilter(userId: string): string {
  return JSON.stringify({ types: ['m.room.message'], senders: [userId] });
}
