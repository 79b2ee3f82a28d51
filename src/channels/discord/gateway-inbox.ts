import type { ChannelContext } from '../channel.js';
import { type Cursor, checkpointOf } from './cursor.js';
import type { DirectChannels } from './direct-channels.js';
import type { SessionEvent } from './gateway-connection.js';
import type { GivenMessage, MessageIntake } from './message-intake.js';
import { guildSchema, readySchema } from './message-schema.js';
import type { MissedDiscordMessages } from './missed-messages.js';
import { isLater, isSnowflake, laterOf, snowflakeAt } from './snowflake.js';

export interface GatewayInboxOptions {
  readonly context: Pick<ChannelContext, 'clock'>;
  readonly botId: string;
  readonly intake: MessageIntake;
  readonly missed: MissedDiscordMessages;
  readonly directs: DirectChannels;
  /** False: messages of servers are not heard, so none of them is missed. */
  readonly hearsGuilds: boolean;
  /** The place on disk when the channel began. */
  readonly cursor: Cursor;
  /** The session has begun, or goes on. */
  readonly onReady: () => void;
  /** An event could not be taken: the connection is to be ended, and the session brings it again. */
  readonly onFailure: (error: unknown) => void;
}

/** Events that wait for the store. With more, the connection is ended, and the session brings the others later. */
const mostEvents = 2_000;
const mostCharacters = 64 * 1024 ** 2;

/** Messages older than this are not read back. */
const longestGapMs = 86_400_000;
/** Ids of messages of two channels may be in another order than their events. */
const marginMs = 60_000;
/** Servers that do not appear for so long are not waited for. */
const longestGuildsMs = 60_000;
const mostDirects = 200;

/** A time without a session. */
interface Gap {
  readonly from: string;
  /** Servers that have not been looked through. */
  readonly guilds: Set<string>;
  areDirectsFilled: boolean;
  readonly until: number;
}

interface Waiting {
  readonly event: SessionEvent;
  readonly size: number;
}

/** Takes the events of sessions in their order, and keeps the place up to which all is on disk. */
export class GatewayInbox {
  readonly #options: GatewayInboxOptions;
  #waiting: Waiting[] = [];
  #characters = 0;
  #working: Promise<void> | null = null;
  /** Up to here all was taken; the position on disk may be behind it. */
  #cursor: Cursor;
  #storedSeq: number | null;
  #gap: Gap | null = null;

  constructor(options: GatewayInboxOptions) {
    this.#options = options;
    this.#cursor = options.cursor;
    this.#storedSeq = options.cursor.session?.seq ?? null;
  }

  /** The session as far as its events were taken; null: there is none. */
  get session(): Cursor['session'] {
    return this.#cursor.session;
  }

  /** The last event that is on disk, with all before it. */
  get storedSeq(): number | null {
    return this.#storedSeq;
  }

  /** The session is over. */
  forget(): void {
    this.#cursor = { ...this.#cursor, session: null };
    this.#storedSeq = null;
  }

  /** Gives false if there is no room for it. */
  push(event: SessionEvent): boolean {
    const isRead = readNames.has(event.name);
    const size = isRead ? JSON.stringify(event.data ?? null).length : 0;
    if (this.#waiting.length >= mostEvents || this.#characters + size > mostCharacters) return false;
    this.#waiting.push({ event: isRead ? event : { ...event, data: null }, size });
    this.#characters += size;
    if (this.#working === null) void this.#start(() => this.#work());
    return true;
  }

  /** Resolves once nothing is under way any more. */
  async rest(): Promise<void> {
    while (this.#working !== null) await this.#working;
  }

  /** Leaves out what waits: the session brings it again. */
  drop(): void {
    this.#waiting = [];
    this.#characters = 0;
  }

  /** Puts the position on disk if it has moved without a message. Never rejects. */
  async persist(): Promise<void> {
    if (this.#working !== null) return;
    await this.#start(async () => {
      const { session } = this.#cursor;
      if (session !== null && session.seq !== this.#storedSeq) await this.#put([]);
    });
  }

  /** One thing is done at a time. What comes meanwhile is taken behind it. */
  #start(work: () => Promise<void>): Promise<void> {
    const working = work()
      .catch((error: unknown) => {
        this.drop();
        this.#options.onFailure(error);
      })
      .finally(() => {
        this.#working = null;
        if (this.#waiting.length > 0) void this.#start(() => this.#work());
      });
    this.#working = working;
    return working;
  }

  async #work(): Promise<void> {
    // All that comes in the same moment is stored together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const events = this.#waiting.map(({ event }) => event);
      this.drop();
      await this.#takeAll(events);
    }
  }

  async #takeAll(events: readonly SessionEvent[]): Promise<void> {
    let messages: GivenMessage[] = [];
    let last = this.#cursor;
    const flush = async () => {
      const taken = messages;
      messages = [];
      if (taken.length > 0) await this.#put(taken, last);
      else this.#cursor = last;
    };
    await this.#fillDirects();
    for (const event of events) {
      const { name, data, seq } = event;
      const kind = messageEvents.get(name);
      if (kind !== undefined) {
        messages.push({ value: data, kind });
        if (name === 'MESSAGE_CREATE') last = withSeen(last, data);
      } else if (readNames.has(name)) {
        await flush();
        last = await this.#prepare(event, last);
        await this.#fillDirects();
      }
      const { session } = last;
      if (session !== null) last = { ...last, session: { ...session, seq: Math.max(session.seq, seq) } };
    }
    await flush();
  }

  async #prepare({ name, data, seq }: SessionEvent, last: Cursor): Promise<Cursor> {
    if (name === 'READY') return this.#begin(data, seq, last);
    if (name === 'GUILD_CREATE') await this.#fillGuild(data);
    else if (name === 'RESUMED') this.#options.onReady();
    return last;
  }

  /** Until the gap behind it is filled, the position of the new session is not put on disk: a crash begins with it anew. */
  #begin(data: unknown, seq: number, { seen }: Cursor): Cursor {
    const ready = readySchema.safeParse(data);
    if (!ready.success) throw new Error('Discord began a session without saying which');
    const { clock } = this.#options.context;
    const { session_id: id, resume_gateway_url: url, guilds } = ready.data;
    const cursor = { session: { id, url, seq }, seen: seen ?? snowflakeAt(clock.now()) };
    this.#cursor = cursor;
    this.#storedSeq = null;
    this.#gap = null;
    if (seen !== null) {
      const ids = this.#options.hearsGuilds ? guilds.map((guild) => guild.id) : [];
      this.#gap = {
        from: laterOf(snowflakeAt(clock.now() - longestGapMs), earlier(seen)),
        guilds: new Set(ids),
        areDirectsFilled: false,
        until: clock.now() + longestGuildsMs,
      };
    }
    this.#options.onReady();
    return cursor;
  }

  async #fillDirects(): Promise<void> {
    const gap = this.#gap;
    if (gap === null || gap.areDirectsFilled) return;
    for (const channelId of await this.#options.directs.all(mostDirects)) {
      await this.#fill(channelId, null, gap.from);
    }
    gap.areDirectsFilled = true;
  }

  async #fillGuild(data: unknown): Promise<void> {
    const gap = this.#gap;
    const guild = guildSchema.safeParse(data);
    if (gap === null || !guild.success || !gap.guilds.has(guild.data.id)) return;
    for (const channel of [...guild.data.channels, ...guild.data.threads]) {
      const last = channel?.last_message_id ?? null;
      if (channel === null || last === null || !isLater(last, gap.from)) continue;
      await this.#fill(channel.id, guild.data.id, gap.from);
    }
    gap.guilds.delete(guild.data.id);
  }

  async #fill(channelId: string, guildId: string | null, from: string): Promise<void> {
    for await (const messages of this.#options.missed.of(channelId, from)) {
      const given = messages.map((value) => ({ value, kind: 'new' as const, guildId }));
      if (!(await this.#options.intake.take(given))) throw new Error('the channel has ended');
    }
  }

  async #put(messages: readonly GivenMessage[], cursor = this.#cursor): Promise<void> {
    const { intake, botId } = this.#options;
    const isOpen = this.#isGapOpen();
    if (!(await intake.take(messages, isOpen ? undefined : checkpointOf(botId, cursor)))) {
      throw new Error('the channel has ended');
    }
    this.#cursor = cursor;
    if (!isOpen) this.#storedSeq = cursor.session?.seq ?? null;
  }

  #isGapOpen(): boolean {
    const gap = this.#gap;
    if (gap === null) return false;
    return !gap.areDirectsFilled || (gap.guilds.size > 0 && this.#options.context.clock.now() < gap.until);
  }
}

const messageEvents: ReadonlyMap<string, GivenMessage['kind']> = new Map([
  ['MESSAGE_CREATE', 'new'],
  ['MESSAGE_UPDATE', 'edit'],
  ['MESSAGE_DELETE', 'deletion'],
  ['MESSAGE_DELETE_BULK', 'deletion'],
]);

/** Events that more than the number of is needed. */
const readNames: ReadonlySet<string> = new Set(['READY', 'RESUMED', 'GUILD_CREATE', ...messageEvents.keys()]);

function withSeen(cursor: Cursor, data: unknown): Cursor {
  const { id } = (data ?? {}) as { readonly id?: unknown };
  return typeof id === 'string' && isSnowflake(id) ? { ...cursor, seen: laterOf(cursor.seen, id) } : cursor;
}

function earlier(id: string): string {
  const margin = BigInt(marginMs) << 22n;
  const at = BigInt(id) - margin;
  return at > 0n ? String(at) : '1';
}
