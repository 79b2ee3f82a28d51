import type { RoomEvent } from './event-schema.js';

/** Decides which events of a room are for the account: pure functions. */

/**
 * Leaves out what was written before the account was invited, or while it was away.
 *
 * @param events the oldest first
 */
export function eventsSinceArrival(events: readonly RoomEvent[], ownId: string): readonly RoomEvent[] {
  const first = events.map((event) => changeOf(event, ownId)).find((change) => change !== null);
  let isIn = first !== 'in';
  return events.filter((event) => {
    isIn = (changeOf(event, ownId) ?? (isIn ? 'in' : 'out')) === 'in';
    return isIn;
  });
}

/** Null: it does not change where the account is. */
function changeOf(
  { type, state_key: userId, content, unsigned }: RoomEvent,
  ownId: string,
): 'in' | 'out' | null {
  if (type !== 'm.room.member' || userId !== ownId) return null;
  const before = unsigned.prev_content?.['membership'];
  switch (content['membership']) {
    case 'invite':
      return 'in';
    // From the invitation on it was there already; and it may only have another name.
    case 'join':
      return before === 'join' || before === 'invite' ? null : 'in';
    case 'leave':
    case 'ban':
      return 'out';
    default:
      return null;
  }
}
