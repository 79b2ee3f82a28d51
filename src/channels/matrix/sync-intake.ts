import type { ChannelContext, Received } from '../channel.js';
import type { Complaints } from '../complaints.js';
import type { MovedChats } from '../moved-chats.js';
import { type RemoteFileSource, RemoteFiles } from '../remote-files.js';
import { deletionOf, StoredMessages } from '../stored-messages.js';
import { StoreRetries } from '../until-stored.js';
import { conversationOf, isEventId, isRoomId } from './address.js';
import { eventsSinceArrival } from './arrivals.js';
import { checkpointOf, type SyncCursor } from './cursor.js';
import type { EarlierEvent } from './earlier-event.js';
import { eventsIn, joinedRoomSchema, type RoomEvent, type SyncAnswer } from './event-schema.js';
import type { Invitations } from './invitations.js';
import type { MissedEvents } from './missed-events.js';
import { NotedEvents } from './noted-events.js';
import { type MatrixMessage, type MediaFile, readMatrixMessage } from './read-message.js';
import { relationsOf } from './relations.js';
import type { RoomUpgrades } from './room-upgrades.js';
import type { Rooms } from './rooms.js';

export interface SyncIntakeOptions {
  readonly context: Pick<
    ChannelContext,
    'receive' | 'keeps' | 'newFiles' | 'clock' | 'log' | 'signal' | 'name' | 'records'
  >;
  readonly ownId: string;
  /** Null: it has none. */
  readonly ownName: string | null;
  readonly rooms: Rooms;
  readonly missed: MissedEvents;
  readonly invitations: Invitations;
  readonly upgrades: RoomUpgrades;
  readonly moved: MovedChats;
  readonly complaints: Complaints;
  /** Gives the bytes of a file. Throws a DownloadError. */
  readonly download: (file: MediaFile) => AsyncIterable<Uint8Array>;
  readonly unknown: Received['replyUnknown'];
}

/** The place behind which messages are taken; `since` is null if the homeserver no longer knows it. */
export interface KnownPlace {
  readonly since: string | null;
  /** The time of the last answer, in milliseconds since the Unix epoch. */
  readonly at: number;
}

/** Clocks differ, and a message may have been long on its way from another server. */
const oldestMs = 86_400_000;
const clockDifferenceMs = 300_000;
/** Edits of older messages are left alone: nobody expects an answer. */
const oldestEditMs = 86_400_000;
/** So many messages go to the disk at once. */
const mostAtOnce = 200;
const mostRooms = 5_000;

/** Puts what the homeserver gives on disk, each room in its order, with the place behind it. */
export class SyncIntake {
  readonly #options: SyncIntakeOptions;
  readonly #stored: StoredMessages;
  readonly #files: RemoteFiles;
  readonly #noted: NotedEvents;
  /** The newest event of each room that is on disk. */
  readonly #newest = new Map<string, string>();
  #waiting: Received[] = [];

  constructor(options: SyncIntakeOptions) {
    this.#options = options;
    const retries = new StoreRetries(options.context);
    this.#stored = new StoredMessages(options.context, retries);
    this.#files = new RemoteFiles(options.context, retries);
    this.#noted = new NotedEvents(options.context);
  }

  /**
   * Resolves with true once all is on disk, with the place behind it. False: the channel ended first, and that place is not
   * on disk. Throws a LookupError if the homeserver could not tell what has to be known: nothing is acknowledged then.
   *
   * @param before null: the account was not heard yet, and what is older than this answer is not taken
   */
  async take({ rooms }: SyncAnswer, before: KnownPlace | null, after: SyncCursor): Promise<boolean> {
    const { invitations, ownId } = this.#options;
    this.#waiting = [];
    const newest = new Map<string, string>();
    if (!(await this.#untilStored(() => invitations.take(rooms.invite)))) return false;
    for (const [roomId, value] of Object.entries(rooms.join)) {
      if (before === null || !isRoomId(roomId)) continue;
      const events = await this.#eventsOf(roomId, value, before);
      if (events === null) return false;
      for (const event of events) {
        if (!(await this.#takeEvent(roomId, event))) return false;
        newest.set(roomId, event.event_id);
      }
      if (this.#waiting.length >= mostAtOnce && !(await this.#flush())) return false;
    }
    if (!(await this.#stored.put(this.#waiting, checkpointOf(ownId, after)))) return false;
    for (const [roomId, eventId] of newest) {
      this.#newest.delete(roomId);
      this.#newest.set(roomId, eventId);
    }
    for (const roomId of [...this.#newest.keys()].slice(0, -mostRooms)) this.#newest.delete(roomId);
    return true;
  }

  /** The room's events, the oldest first, with those that were too much for one answer. Null: the channel ended. */
  async #eventsOf(roomId: string, value: unknown, before: KnownPlace): Promise<readonly RoomEvent[] | null> {
    const { rooms, missed, ownId, upgrades, complaints, context } = this.#options;
    const room = joinedRoomSchema.safeParse(value).data;
    if (room === undefined) {
      complaints.note(
        'room',
        `The room ${roomId} of the channel ${context.name} can't be read: it is left out.`,
      );
      return [];
    }
    const { timeline, state, summary } = room;
    const events = eventsIn(timeline.events);
    const isLost = events.length < timeline.events.length;
    if (isLost) {
      complaints.note(
        'event',
        `An event of the room ${roomId} of the channel ${context.name} is none of Matrix: it is left out.`,
      );
    }
    for (const each of eventsIn(state.events)) {
      // It names those who write. Only a gap has changes of members in it that are not among the events.
      if (each.type === 'm.room.member') rooms.noteMember(roomId, each, timeline.limited);
      if (each.type !== 'm.room.create') continue;
      if (!(await this.#untilStored(() => upgrades.arriveIn(roomId, each)))) return null;
    }
    for (const each of events) {
      rooms.noteEvent(roomId, each);
      if (each.type === 'm.room.member') rooms.noteMember(roomId, each, true);
    }
    rooms.noteCount(roomId, summary['m.joined_member_count']);
    const newest = this.#newest.get(roomId);
    const since = before.since === null ? before.at - clockDifferenceMs : before.at - oldestMs;
    const isGap = timeline.limited && timeline.prev_batch !== undefined;
    const isKnown = ({ event_id: id }: RoomEvent) => id === newest;
    const earlier =
      isGap && !events.some(isKnown)
        ? await missed.of({ roomId, from: timeline.prev_batch ?? '', to: before.since, since, isKnown })
        : [];
    const all = eventsSinceArrival([...earlier, ...events], ownId);
    return before.since === null ? all.filter(({ origin_server_ts: at }) => at >= since) : all;
  }

  /** False: the channel ended. */
  async #takeEvent(roomId: string, event: RoomEvent): Promise<boolean> {
    const { ownId, upgrades } = this.#options;
    const isOwn = event.sender === ownId;
    switch (event.type) {
      case 'm.room.tombstone':
        if (event.state_key !== '') return true;
        return this.#untilStored(() => upgrades.follow(roomId, event));
      case 'm.room.redaction':
        return isOwn || this.#takeDeletion(roomId, event);
      case 'm.room.encrypted':
        return isOwn || this.#takeEncrypted(roomId, event);
      case 'm.room.message':
      case 'm.sticker':
        return isOwn || event.state_key !== undefined || this.#takeMessage(roomId, event);
      default:
        return true;
    }
  }

  async #takeMessage(roomId: string, event: RoomEvent): Promise<boolean> {
    const { replaces, answers } = relationsOf(event.content);
    const isGroup = await this.#options.rooms.isGroup(roomId);
    const message = this.#read(roomId, event, isGroup, null, null);
    if (message === null) return true;
    if (replaces === null && answers === null) return this.#takeRead(roomId, message, isGroup);
    // Only somebody who may write makes the gateway ask for more.
    const isKept = await this.#keeps({ ...this.#received(roomId, message, isGroup), isAddressed: true });
    if (isKept === null) return false;
    if (replaces !== null) {
      const edited = isKept ? await this.#editedBy(roomId, event, replaces) : null;
      const edit = edited === null ? null : this.#read(roomId, event, isGroup, edited, null);
      return edit === null || this.#takeRead(roomId, edit, isGroup);
    }
    const answered = isKept && answers !== null ? await this.#options.rooms.event(roomId, answers) : null;
    const whole = this.#read(roomId, event, isGroup, null, answered) ?? message;
    return this.#takeRead(roomId, whole, isGroup);
  }

  /** Null: it is no valid edit of a message that is not old (spec.matrix.org, "Validity of replacement events"). */
  async #editedBy(
    roomId: string,
    { sender, type }: RoomEvent,
    replaces: string,
  ): Promise<EarlierEvent | null> {
    const edited = await this.#options.rooms.event(roomId, replaces);
    if (edited === null || edited.sender !== sender || edited.type !== type) return null;
    if (edited.relations.replaces !== null) return null;
    return this.#options.context.clock.now() - edited.at < oldestEditMs ? edited : null;
  }

  #read(
    roomId: string,
    event: RoomEvent,
    isGroup: boolean,
    edited: EarlierEvent | null,
    answered: EarlierEvent | null,
  ): MatrixMessage | null {
    const { ownId, ownName, rooms } = this.#options;
    const nameOf = (userId: string) => rooms.nameIn(roomId, userId);
    return readMatrixMessage(event, { ownId, ownName, isGroup, nameOf, edited, answered });
  }

  /** False: the channel ended. */
  async #takeRead(roomId: string, message: MatrixMessage, isGroup: boolean): Promise<boolean> {
    const received = this.#received(roomId, message, isGroup);
    if (message.threadId !== null && !(await this.#noteThread(received, message.threadId))) return false;
    if (message.files.length === 0) {
      this.#waiting.push(received);
      return true;
    }
    // Earlier messages need not wait for a download.
    if (!(await this.#flush())) return false;
    const whole = await this.#files.fetchedWith(received, message.files.map(this.#source));
    if (whole === null) return false;
    this.#waiting.push(whole);
    return true;
  }

  async #takeDeletion(roomId: string, event: RoomEvent): Promise<boolean> {
    const redacted = event.redacts ?? event.content['redacts'];
    if (typeof redacted !== 'string' || !isEventId(redacted)) return true;
    let threadId: string | null = null;
    const isKnown = await this.#untilStored(async () => {
      threadId = await this.#noted.threadOf(redacted);
    });
    if (isKnown) this.#waiting.push(deletionOf(this.#conversation(roomId, threadId), redacted));
    return isKnown;
  }

  /** A person who may write is told once in a room that it can't be read. Others are treated as always. */
  async #takeEncrypted(roomId: string, event: RoomEvent): Promise<boolean> {
    const { rooms, complaints, context, unknown } = this.#options;
    const { threadId } = relationsOf(event.content);
    const person = { id: event.sender, name: rooms.nameIn(roomId, event.sender) };
    const received: Received = {
      conversation: this.#conversation(roomId, threadId),
      id: event.event_id,
      text: '',
      person,
      isGroup: await rooms.isGroup(roomId),
      // Only those who can read it know who is called.
      isAddressed: true,
      replyTo: { address: conversationOf(roomId, threadId) },
      replyIdempotent: true,
      replyUnknown: unknown ?? null,
      defect: {
        kind: 'encrypted',
        reason: `the message ${event.event_id} is encrypted, which the gateway can't read (docs/channels/matrix.md).`,
        raw: null,
      },
    };
    const isKept = await this.#keeps(received);
    if (isKept === null) return false;
    let isNew = !isKept;
    const isNoted = await this.#untilStored(async () => {
      if (isKept) isNew = await this.#noted.isNewEncrypted(roomId);
    });
    if (!isNoted) return false;
    if (isNew) this.#waiting.push(received);
    else {
      complaints.note(
        'encrypted',
        `A message of the room ${roomId} to the channel ${context.name} is encrypted, and is left out: use a room without encryption (docs/channels/matrix.md).`,
      );
    }
    return true;
  }

  #received(roomId: string, message: MatrixMessage, isGroup: boolean): Received {
    const { id, text, person, isAddressed, origin, metadata, defect, threadId } = message;
    const answers = { event_id: id, ...(isGroup ? { user_id: person.id } : {}) };
    return {
      conversation: this.#conversation(roomId, threadId),
      id,
      text,
      metadata,
      person,
      isGroup,
      isAddressed,
      origin,
      replyTo: {
        address: conversationOf(roomId, threadId),
        options: isGroup || threadId !== null ? answers : {},
      },
      // A send is known by its transaction, and can be read back.
      replyIdempotent: true,
      replyUnknown: this.#options.unknown ?? null,
      ...(defect === null ? {} : { defect: { kind: 'unreadable' as const, ...defect } }),
    };
  }

  /** A room that was replaced keeps its session. */
  #conversation(roomId: string, threadId: string | null): string {
    return conversationOf(this.#options.moved.firstId(roomId), threadId);
  }

  /** Strangers' messages are not kept. */
  #noteThread(received: Received, threadId: string): Promise<boolean> {
    return this.#untilStored(async () => {
      if (!(await this.#options.context.keeps(received)) || received.id === null) return;
      await this.#noted.noteThread(received.id, threadId);
    });
  }

  /** Null: the channel ended. */
  async #keeps(received: Received): Promise<boolean | null> {
    let isKept = false;
    const isKnown = await this.#untilStored(async () => {
      isKept = await this.#options.context.keeps(received);
    });
    return isKnown ? isKept : null;
  }

  async #flush(): Promise<boolean> {
    const messages = this.#waiting;
    this.#waiting = [];
    return messages.length === 0 || this.#stored.put(messages, undefined);
  }

  #untilStored(write: () => Promise<void>): Promise<boolean> {
    return this.#stored.untilStored(write);
  }

  readonly #source = (file: MediaFile): RemoteFileSource => ({
    name: file.name,
    mediaType: file.mediaType,
    download: () => this.#options.download(file),
  });
}
