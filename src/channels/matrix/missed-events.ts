import type { Complaints } from '../complaints.js';
import { eventsIn, messagesSchema, type RoomEvent } from './event-schema.js';
import { clientPath, type MatrixApi } from './matrix-api.js';
import { LookupError, type Rooms } from './rooms.js';
import { historyFilter } from './sync-filter.js';

/** Longest wait for an answer, in milliseconds. */
const timeoutMs = 30_000;
const pageSize = 100;
/** So many events of a room are read back at most. */
const mostPages = 10;

export interface MissedEventsOptions {
  readonly name: string;
  readonly api: MatrixApi;
  readonly rooms: Rooms;
  readonly complaints: Complaints;
  readonly signal: AbortSignal;
}

/** A gap between the last answer and the newest events of a room. */
export interface Gap {
  readonly roomId: string;
  /** The place behind its newest event. */
  readonly from: string;
  /** The place before its oldest event; null: nobody knows it. */
  readonly to: string | null;
  /** Nothing older belongs to it, in milliseconds since the Unix epoch. */
  readonly since: number;
  /** True if the gap ends at the event. */
  readonly isKnown: (event: RoomEvent) => boolean;
}

/** Reads back what was too much for one answer of the homeserver. */
export class MissedEvents {
  readonly #options: MissedEventsOptions;

  constructor(options: MissedEventsOptions) {
    this.#options = options;
  }

  /** The events of the gap, the oldest first. Throws a LookupError. */
  async of({ roomId, from: newest, to, since, isKnown }: Gap): Promise<readonly RoomEvent[]> {
    const { api, rooms, signal } = this.#options;
    const found: RoomEvent[] = [];
    let from: string | undefined = newest;
    for (let page = 0; page < mostPages && from !== undefined; page += 1) {
      const query = {
        dir: 'b',
        from,
        ...(to === null ? {} : { to }),
        limit: pageSize,
        filter: historyFilter(),
      };
      const path = clientPath('rooms', roomId, 'messages');
      const end = await api.call({ method: 'GET', path, query }, { timeoutMs, signal });
      if (end.kind === 'refused' && [400, 403, 404].includes(end.status)) {
        this.#complain(roomId, `${end.code}: ${end.description}`);
        return found.reverse();
      }
      if (end.kind !== 'ok') throw new LookupError(end);
      const answer = messagesSchema.safeParse(end.result).data;
      if (answer === undefined) {
        this.#complain(roomId, 'the homeserver gives no list of them');
        return found.reverse();
      }
      for (const state of eventsIn(answer.state)) {
        if (state.type === 'm.room.member') rooms.noteMember(roomId, state, false);
      }
      const events = eventsIn(answer.chunk.slice(0, pageSize));
      const last = events.findIndex((event) => isKnown(event) || event.origin_server_ts < since);
      found.push(...events.slice(0, last < 0 ? undefined : last));
      if (last >= 0) return found.reverse();
      from = answer.end;
    }
    if (from !== undefined) this.#complain(roomId, `there are more than the newest ${found.length}`);
    return found.reverse();
  }

  #complain(roomId: string, why: string): void {
    const { name, complaints } = this.#options;
    complaints.note(
      'missed',
      `Messages of the room ${roomId} that the channel ${name} has missed are not read: ${why}.`,
    );
  }
}
