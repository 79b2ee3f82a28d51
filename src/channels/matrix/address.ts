/** Names of rooms and of threads in them: pure functions (spec.matrix.org, "Appendices", "Common Identifier Format"). */

export interface RoomAddress {
  readonly roomId: string;
  /** The event that the thread began with; null: none. */
  readonly threadId: string | null;
}

const roomForm = /^![^$\s/?#]{1,254}$/;
const eventForm = /^\$[^\s]{1,254}$/;
/** The id of a user, such as "@ada:example.org". */
export const userForm = /^@[^:\s]{0,253}:[^\s]{1,253}$/;

export function isRoomId(text: string): boolean {
  return roomForm.test(text);
}

export function isEventId(text: string): boolean {
  return eventForm.test(text);
}

export function isUserId(text: string): boolean {
  return userForm.test(text);
}

/** The name of a conversation: "!room:example.org", or "!room:example.org:$event" for a thread. */
export function conversationOf(roomId: string, threadId: string | null): string {
  return threadId === null ? roomId : `${roomId}:${threadId}`;
}

/** Null: it is the address of no room. */
export function parseAddress(address: string): RoomAddress | null {
  const at = address.indexOf(':$');
  const roomId = at < 0 ? address : address.slice(0, at);
  const threadId = at < 0 ? null : address.slice(at + 1);
  if (!isRoomId(roomId) || (threadId !== null && !isEventId(threadId))) return null;
  return { roomId, threadId };
}

/** The server of a user; null: the id names none. */
export function serverOf(userId: string): string | null {
  const at = userId.indexOf(':');
  return at < 0 ? null : userId.slice(at + 1);
}

/** The part of a user's id that people know them by. */
export function localpartOf(userId: string): string {
  return userId.slice(1, userId.indexOf(':'));
}
