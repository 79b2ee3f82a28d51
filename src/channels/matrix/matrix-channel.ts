import type { z } from 'zod';
import type { MatrixChannelConfiguration } from '../../config/channel-table.js';
import { isStable } from '../backoff.js';
import type { Channel, ChannelAddress, ChannelContext, ChannelHealth } from '../channel.js';
import { Complaints } from '../complaints.js';
import { ConnectionLoop } from '../connection-loop.js';
import { KeptHealth } from '../kept-health.js';
import { MovedChats } from '../moved-chats.js';
import { PlatformLease } from '../platform-lease.js';
import { readBotToken } from '../secret.js';
import { tokenForms } from '../token-forms.js';
import { passing, secretPlace, standby } from '../trouble.js';
import { type AccountEnd, askAccount } from './account.js';
import { localpartOf } from './address.js';
import { cursorKey, readCursor, type SyncCursor } from './cursor.js';
import { displayNameSchema, mediaConfigSchema, syncSchema, versionsSchema } from './event-schema.js';
import { Invitations } from './invitations.js';
import { clientPath, MatrixApi, type MatrixFailure, type MatrixRefusal } from './matrix-api.js';
import { MatrixSender } from './matrix-sender.js';
import { downloadMedia } from './media.js';
import { MissedEvents } from './missed-events.js';
import { RoomUpgrades } from './room-upgrades.js';
import { LookupError, Rooms } from './rooms.js';
import { mostTimelineEvents, syncFilter } from './sync-filter.js';
import { SyncIntake } from './sync-intake.js';
import { elsewhere, type MatrixTrouble, troubleOf } from './trouble.js';

const givenToken = 'docs/channels/matrix.md says how to get one; it is one word';

/** Time that the homeserver may hold a poll open, and that it has beyond that to answer, in milliseconds. */
const pollMs = 25_000;
const answerMs = 35_000;
/** Longest wait for an answer to anything else, in milliseconds. */
const callTimeoutMs = 10_000;

/** A connection to the account. */
interface Link {
  readonly api: MatrixApi;
  readonly userId: string;
  readonly intake: SyncIntake;
  readonly invitations: Invitations;
  /** Largest file that may be uploaded, in bytes; null: the homeserver does not say. */
  readonly largestUploadBytes: number | null;
  /** The place behind all that is on disk; null: there was nothing yet. Undefined: it was not read yet. */
  cursor: SyncCursor | null | undefined;
  /** The homeserver no longer knows the place. */
  isLost: boolean;
}

/**
 * An account of Matrix. What is new is polled; the place behind it is told to the homeserver, by the next poll, once all is
 * on disk.
 */
export class MatrixChannel implements Channel {
  readonly name: string;
  readonly replySender: MatrixSender;
  readonly #configuration: MatrixChannelConfiguration;
  readonly #context: ChannelContext;
  readonly #moved: MovedChats;
  readonly #lease: PlatformLease;
  readonly #complaints: Complaints;
  readonly #loop: ConnectionLoop;
  readonly #health: KeptHealth;
  /** Aborted when nothing more is to be asked for. */
  readonly #stop = new AbortController();
  #link: Link | null = null;
  #running: Promise<void> = Promise.resolve();
  /** Something has failed since the last answer: the next poll asks for one at once, as an open one says nothing for long. */
  #isUncertain = true;
  /** Events of a room in one answer. A smaller answer may come where a larger one does not. */
  #limit = mostTimelineEvents;
  #wellSince: number | null = null;

  constructor(configuration: MatrixChannelConfiguration, context: ChannelContext) {
    this.name = context.name;
    this.#configuration = configuration;
    this.#context = context;
    this.#moved = new MovedChats(context);
    this.#lease = new PlatformLease(context, 'matrix');
    this.#complaints = new Complaints(context);
    this.#health = new KeptHealth(context);
    this.#loop = new ConnectionLoop({
      context,
      health: this.#health,
      complaints: this.#complaints,
      signal: this.#stop.signal,
      step: () => this.#step(),
      onTrouble: async ({ kind }) => {
        this.#isUncertain = true;
        this.#wellSince = null;
        // The token may have been replaced.
        if (kind === 'token') await this.#disconnect();
      },
    });
    const { unknown, stream, timeout, retry_for: retryForMs } = configuration;
    this.replySender = new MatrixSender({
      context,
      link: () => this.#link,
      moved: this.#moved,
      unknown,
      stream,
      timeoutMs: timeout,
      retryForMs,
    });
  }

  async start(): Promise<void> {
    await this.#moved.load();
    const trouble = await this.#connect();
    if (trouble !== null) throw new Error(trouble.reason);
    this.#running = this.#loop.run();
  }

  stopAccepting(): void {
    this.#stop.abort();
  }

  async close(): Promise<void> {
    this.stopAccepting();
    await this.#running;
    await this.#lease.release();
    await this.#disconnect();
    this.#health.enter('closed');
  }

  health(): ChannelHealth {
    return this.#health.now;
  }

  say(to: ChannelAddress, text: string): Promise<void> {
    return this.replySender.say(to, text);
  }

  /** Asks whose token it is. Null: it is known now. Throws what reading the token fails with. */
  async #connect(): Promise<MatrixTrouble | null> {
    const { clock, host, log } = this.#context;
    const { homeserver } = this.#configuration;
    const settings = { name: this.name, ...this.#configuration };
    const token = readBotToken(settings, host.credentialsDirectory, tokenForms.matrix, givenToken);
    const api = new MatrixApi(homeserver, token, clock);
    const options = { timeoutMs: callTimeoutMs, signal: this.#stop.signal };
    const account = await askAccount(api, homeserver, options);
    if (account.kind !== 'ok') {
      await api.close();
      return this.#troubleOfStart(account);
    }
    const { userId } = account;
    this.#link = { api, userId, cursor: undefined, isLost: false, ...(await this.#hearing(api, userId)) };
    log.info(`The channel ${this.name} is the account ${userId}.`);
    return null;
  }

  #troubleOfStart(end: Exclude<AccountEnd, { readonly kind: 'ok' }>): MatrixTrouble {
    switch (end.kind) {
      case 'elsewhere':
        return elsewhere(end.baseUrl, { name: this.name });
      case 'nobody':
        return passing('the homeserver does not say whose token it is');
      default:
        return this.#troubleOf(end);
    }
  }

  async #hearing(
    api: MatrixApi,
    ownId: string,
  ): Promise<Pick<Link, 'intake' | 'invitations' | 'largestUploadBytes'>> {
    const { unknown } = this.#configuration;
    const signal = this.#stop.signal;
    const common = { context: this.#context, api, ownId, complaints: this.#complaints, signal };
    const rooms = new Rooms({ api, signal });
    const invitations = new Invitations({ ...common, configuration: this.#configuration });
    const moved = this.#moved;
    const isAuthenticated = await this.#hasAuthenticatedMedia(api);
    const intake = new SyncIntake({
      ...common,
      ownName: await this.#ownName(api, ownId),
      rooms,
      missed: new MissedEvents({ ...common, name: this.name, rooms }),
      invitations,
      upgrades: new RoomUpgrades({ context: this.#context, moved, rooms, invitations }),
      moved,
      download: (file) => downloadMedia(api, file, { isAuthenticated, signal: this.#context.signal }),
      unknown,
    });
    const largestUploadBytes = await this.#largestUpload(api, isAuthenticated);
    return { intake, invitations, largestUploadBytes };
  }

  /** True from version 1.11 on. One that does not answer has the newer way, as others keep media from everybody. */
  async #hasAuthenticatedMedia(api: MatrixApi): Promise<boolean> {
    const known = await this.#factOf(api, '/client/versions', versionsSchema);
    return (
      known === undefined ||
      known.versions.some((version) => {
        const [, major, minor] = /^v(\d+)\.(\d+)$/.exec(version) ?? [];
        return Number(major) > 1 || (Number(major) === 1 && Number(minor) >= 11);
      })
    );
  }

  async #largestUpload(api: MatrixApi, isAuthenticated: boolean): Promise<number | null> {
    const path = isAuthenticated ? '/client/v1/media/config' : '/media/v3/config';
    const known = await this.#factOf(api, path, mediaConfigSchema);
    return known?.['m.upload.size'] ?? null;
  }

  /** The name that people call the account by; null: it has none. */
  async #ownName(api: MatrixApi, ownId: string): Promise<string | null> {
    const path = clientPath('profile', ownId, 'displayname');
    const name = (await this.#factOf(api, path, displayNameSchema))?.displayname;
    return name === undefined || name === localpartOf(ownId) ? null : name;
  }

  /** Undefined: the homeserver does not tell. */
  async #factOf<Schema extends z.ZodType>(
    api: MatrixApi,
    path: string,
    schema: Schema,
  ): Promise<z.output<Schema> | undefined> {
    const options = { timeoutMs: callTimeoutMs, signal: this.#stop.signal };
    const end = await api.call({ method: 'GET', path }, options);
    return schema.safeParse(end.kind === 'ok' ? end.result : undefined).data;
  }

  async #disconnect(): Promise<void> {
    const link = this.#link;
    this.#link = null;
    await link?.invitations.close();
    await link?.api.close();
  }

  /** One poll, and all that it needs. Null: it went well. */
  async #step(): Promise<MatrixTrouble | null> {
    if (this.#link === null) {
      const trouble = await this.#connect();
      if (trouble !== null) return trouble;
    }
    const link = this.#link;
    if (link === null) return null;
    if (!(await this.#lease.claim(link.userId))) {
      // The other gateway moves the place.
      link.cursor = undefined;
      return standby('account');
    }
    if (link.cursor === undefined) {
      // Another gateway may have heard the account meanwhile.
      await this.#moved.load();
      link.cursor = readCursor(await this.#context.checkpoint(cursorKey(link.userId)));
      link.invitations.review();
    }
    return this.#poll(link, link.cursor);
  }

  async #poll(link: Link, cursor: SyncCursor | null): Promise<MatrixTrouble | null> {
    const since = link.isLost ? null : (cursor?.since ?? null);
    const isShort = this.#isUncertain || since === null;
    if (!isShort) this.#health.enter('up');
    const { clock } = this.#context;
    const at = clock.now();
    const query = {
      filter: syncFilter(cursor === null ? 1 : this.#limit),
      timeout: isShort ? 0 : pollMs,
      ...(since === null ? {} : { since }),
    };
    const end = await link.api.call(
      { method: 'GET', path: clientPath('sync'), query },
      { timeoutMs: (isShort ? 0 : pollMs) + answerMs, signal: this.#stop.signal },
    );
    if (end.kind !== 'ok') return this.#failedPoll(link, end, since);
    const answer = syncSchema.safeParse(end.result);
    if (!answer.success) return passing('the homeserver gave an answer that is none');
    const next = { since: answer.data.next_batch, at };
    const before = cursor === null ? null : { since, at: cursor.at };
    try {
      if (!(await link.intake.take(answer.data, before, next))) return passing('the store was closed');
    } catch (error) {
      if (error instanceof LookupError) return this.#troubleOf(error.end);
      throw error;
    }
    link.cursor = next;
    link.isLost = false;
    this.#isUncertain = false;
    this.#limit = Math.min(this.#limit * 2, mostTimelineEvents);
    this.#wellSince ??= clock.now();
    if (isStable(clock.now() - this.#wellSince)) this.#loop.succeeded();
    this.#health.proven();
    this.#health.enter('up');
    return null;
  }

  #failedPoll(link: Link, end: MatrixFailure, since: string | null): MatrixTrouble {
    if (end.kind === 'failed') this.#limit = Math.max(1, Math.floor(this.#limit / 4));
    if (end.kind === 'refused' && since !== null && isUnknownPlace(end)) {
      link.isLost = true;
      return {
        ...passing(
          `the homeserver no longer knows the place of the channel (${end.code}: ${end.description}): the newest ${mostTimelineEvents} messages of each room are looked at`,
        ),
        retryAfterMs: null,
      };
    }
    return this.#troubleOf(end);
  }

  #troubleOf(end: MatrixFailure): MatrixTrouble {
    const { token_file: file, token_credential: credential } = this.#configuration;
    return troubleOf(end, { name: this.name, tokenPlace: secretPlace(file, credential) });
  }
}

/** Such as after its database was restored, or made anew. */
function isUnknownPlace({ status, code }: MatrixRefusal): boolean {
  return status === 400 && ['M_UNKNOWN', 'M_INVALID_PARAM', 'M_UNKNOWN_POS'].includes(code);
}
