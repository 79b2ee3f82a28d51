import type { ChannelContext } from '../channel.js';
import type { MovedChats } from '../moved-chats.js';
import { isRoomId } from './address.js';
import type { RoomEvent } from './event-schema.js';
import type { Invitations } from './invitations.js';
import type { Rooms } from './rooms.js';

export interface RoomUpgradesOptions {
  readonly context: Pick<ChannelContext, 'name' | 'log'>;
  readonly moved: MovedChats;
  readonly rooms: Rooms;
  readonly invitations: Invitations;
}

/** Rooms that others have taken the place of (spec.matrix.org, "Room upgrades"): they keep their session. */
export class RoomUpgrades {
  readonly #options: RoomUpgradesOptions;

  constructor(options: RoomUpgradesOptions) {
    this.#options = options;
  }

  /** Goes along into the new room. Rejects with what the store fails with, or a LookupError. */
  async follow(roomId: string, { sender, content }: RoomEvent): Promise<void> {
    const { replacement_room: next } = content;
    if (typeof next !== 'string' || !isRoomId(next) || next === roomId) return;
    await this.#tie(roomId, next);
    await this.#options.invitations.follow(next, sender);
  }

  /** Looks if the room takes the place of an older one. Rejects as `follow`. */
  async arriveIn(roomId: string, { content }: RoomEvent): Promise<void> {
    const { predecessor } = content;
    const { room_id: previous } = (predecessor ?? {}) as { readonly room_id?: unknown };
    if (typeof previous === 'string' && isRoomId(previous)) await this.#tie(previous, roomId);
  }

  /** Each room has to name the other one: else anybody could bring messages into the session of a foreign room. */
  async #tie(from: string, to: string): Promise<void> {
    const { context, moved, rooms } = this.#options;
    if (from === to || moved.firstId(to) === moved.firstId(from)) return;
    const created = await rooms.state(to, 'm.room.create');
    const { room_id: previous } = (created?.['predecessor'] ?? {}) as { readonly room_id?: unknown };
    if (previous !== from) return;
    const tombstone = await rooms.state(from, 'm.room.tombstone');
    if (tombstone?.['replacement_room'] !== to) return;
    await moved.note(from, to);
    context.log.info(`The room ${from} of the channel ${context.name} goes on as ${to}.`);
  }
}
