import { copiedStart } from '../../text/copied-start.js';
import { isUserId } from './address.js';
import { type EarlierEvent, earlierEventOf } from './earlier-event.js';
import { eventsIn, joinedMembersSchema, type RoomEvent } from './event-schema.js';
import { clientPath, type MatrixApi, type MatrixFailure } from './matrix-api.js';

/** A look-up has failed: the messages that need it are taken later. */
export class LookupError extends Error {
  constructor(readonly end: MatrixFailure) {
    super('the homeserver could not be asked');
    this.name = 'LookupError';
  }
}

export interface RoomsOptions {
  readonly api: MatrixApi;
  readonly signal: AbortSignal;
}

/** Longest wait for an answer, in milliseconds. */
const timeoutMs = 20_000;
/** Events, rooms and names that are remembered at once. */
const mostEvents = 500;
const mostRooms = 5_000;
const mostNames = 20_000;
/** Characters of a name that are remembered. */
const longestName = 100;
/** A room whose members can't be had is taken for a group after so many tries in a row. */
const mostTries = 5;

/** Facts about rooms: who is in them under which name, and earlier events. */
export class Rooms {
  readonly #options: RoomsOptions;
  readonly #memberCounts = new Map<string, number>();
  readonly #names = new Map<string, string | null>();
  readonly #events = new Map<string, EarlierEvent>();
  readonly #failures = new Map<string, number>();

  constructor(options: RoomsOptions) {
    this.#options = options;
  }

  /** True if more than two are in it. Throws a LookupError. */
  async isGroup(roomId: string): Promise<boolean> {
    const known = this.#memberCounts.get(roomId) ?? (await this.#countMembers(roomId));
    return known > 2;
  }

  /** Takes the number of members, if the homeserver tells one with the room's events. */
  noteCount(roomId: string, count: number | undefined): void {
    if (count !== undefined) remember(this.#memberCounts, roomId, count, mostRooms);
  }

  /** Takes a member's name. If somebody came or went, the members are counted anew. */
  noteMember(roomId: string, { state_key: userId, content, unsigned }: RoomEvent, isChange: boolean): void {
    if (userId === undefined || !isUserId(userId)) return;
    const { displayname: name, membership } = content;
    if (membership === 'join') {
      this.#noteName(keyOf(roomId, userId), name);
    }
    if (isChange && unsigned.prev_content?.['membership'] !== membership) this.#memberCounts.delete(roomId);
  }

  nameIn(roomId: string, userId: string): string | null {
    return this.#names.get(keyOf(roomId, userId)) ?? null;
  }

  /** An earlier event; null: the account may not see it, or there is none. Throws a LookupError. */
  async event(roomId: string, eventId: string): Promise<EarlierEvent | null> {
    const key = keyOf(roomId, eventId);
    const known = this.#events.get(key);
    if (known !== undefined) return known;
    const result = await this.#get(clientPath('rooms', roomId, 'event', eventId));
    const [event] = eventsIn([result]);
    return event === undefined ? null : this.noteEvent(roomId, event);
  }

  noteEvent(roomId: string, event: RoomEvent): EarlierEvent {
    const earlier = earlierEventOf(event);
    remember(this.#events, keyOf(roomId, earlier.id), earlier, mostEvents);
    return earlier;
  }

  /** State of a room with an empty key; null: it has none, or the account may not see it. Throws a LookupError. */
  async state(roomId: string, type: string): Promise<Readonly<Record<string, unknown>> | null> {
    const result = await this.#get(clientPath('rooms', roomId, 'state', type, ''));
    return typeof result === 'object' ? (result as Readonly<Record<string, unknown>> | null) : null;
  }

  /** Null: the homeserver says no. */
  async #get(path: string): Promise<unknown> {
    const { api, signal } = this.#options;
    const end = await api.call({ method: 'GET', path }, { timeoutMs, signal });
    if (end.kind === 'ok') return end.result;
    if (end.kind === 'refused' && [400, 403, 404].includes(end.status)) return null;
    throw new LookupError(end);
  }

  async #countMembers(roomId: string): Promise<number> {
    let members: Readonly<Record<string, unknown>> | undefined;
    try {
      const result = await this.#get(clientPath('rooms', roomId, 'joined_members'));
      members = joinedMembersSchema.safeParse(result).data?.joined;
      this.#failures.delete(roomId);
    } catch (error) {
      const failures = (this.#failures.get(roomId) ?? 0) + 1;
      remember(this.#failures, roomId, failures, mostRooms);
      if (failures < mostTries) throw error;
    }
    // The account may have left.
    const count = members === undefined ? Number.POSITIVE_INFINITY : Object.keys(members).length;
    if (members !== undefined) this.noteCount(roomId, count);
    for (const [userId, member] of Object.entries(members ?? {})) {
      const { display_name: name } = (member ?? {}) as { readonly display_name?: unknown };
      const key = keyOf(roomId, userId);
      if (isUserId(userId) && !this.#names.has(key)) this.#noteName(key, name);
    }
    return count;
  }

  #noteName(key: string, name: unknown): void {
    remember(this.#names, key, typeof name === 'string' ? copiedStart(name, longestName) : null, mostNames);
  }
}

function keyOf(roomId: string, id: string): string {
  return `${roomId} ${id}`;
}

/** The oldest is forgotten first. */
function remember<Value>(map: Map<string, Value>, key: string, value: Value, most: number): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > most && oldest !== undefined) map.delete(oldest);
}
