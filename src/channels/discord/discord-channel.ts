import type { DiscordChannelConfiguration } from '../../config/channel-table.js';
import { errorMessage } from '../../text/failure-text.js';
import { isStable } from '../backoff.js';
import type { Channel, ChannelAddress, ChannelContext, ChannelHealth } from '../channel.js';
import { Complaints } from '../complaints.js';
import { ConnectionLoop } from '../connection-loop.js';
import { KeptHealth } from '../kept-health.js';
import { PlatformLease } from '../platform-lease.js';
import { readBotToken } from '../secret.js';
import { tokenForms } from '../token-forms.js';
import { passing, secretPlace, standby } from '../trouble.js';
import { cursorKey, gatewayUrl, readCursor } from './cursor.js';
import { DirectChannels } from './direct-channels.js';
import { DiscordApi, type DiscordEnd } from './discord-api.js';
import { DiscordSender } from './discord-sender.js';
import { GatewayConnection, type GatewayEnd } from './gateway-connection.js';
import { GatewayInbox } from './gateway-inbox.js';
import { downloadHosted } from './hosted-files.js';
import { MessageIntake } from './message-intake.js';
import { botSchema, gatewayBotSchema } from './message-schema.js';
import { MissedDiscordMessages, MissedMessagesError } from './missed-messages.js';
import { afterClose, type DiscordTrouble, troubleOfCall, troubleOfStarts } from './trouble.js';

const givenToken =
  'its page at https://discord.com/developers/applications gives one ("Reset Token") with two dots in it';

/** Longest wait for an answer, in milliseconds. */
const callTimeoutMs = 10_000;
/** Discord allows one start of a session in 5 s. */
const identifyIntervalMs = 5_500;

const mostFailedResumes = 5;

/** Intents (discord.com/developers/docs/events/gateway, "List of Intents"). */
const intents = { guilds: 1 << 0, guildMessages: 1 << 9, directMessages: 1 << 12, messageContent: 1 << 15 };

/** The bot, as long as its token is the same. */
interface BotLink {
  readonly api: DiscordApi;
  readonly token: string;
  readonly botId: string;
  /** Null: another gateway may move the place up to which all is on disk. */
  inbox: GatewayInbox | null;
}

type HearingLink = BotLink & { readonly inbox: GatewayInbox };

/** A bot of Discord. Its messages come by the gateway; Discord is told that they arrived once they are on disk. */
export class DiscordChannel implements Channel {
  readonly name: string;
  readonly replySender: DiscordSender;
  readonly #configuration: DiscordChannelConfiguration;
  readonly #context: ChannelContext;
  readonly #directs: DirectChannels;
  readonly #lease: PlatformLease;
  readonly #complaints: Complaints;
  readonly #health: KeptHealth;
  readonly #loop: ConnectionLoop;
  /** Aborted when nothing more is to be asked for. */
  readonly #stop = new AbortController();
  readonly #random: () => number;
  #link: BotLink | null = null;
  #connection: GatewayConnection | null = null;
  #running: Promise<void> = Promise.resolve();
  #identifiedAt = 0;
  /** The time from which the session has run; null: it does not. */
  #readyAt: number | null = null;
  /** Connections in a row on which the session did not go on. */
  #failedResumes = 0;
  /** Why the connection was ended from here; null: it was not. */
  #ownTrouble: DiscordTrouble | null = null;

  constructor(configuration: DiscordChannelConfiguration, context: ChannelContext, random = Math.random) {
    this.name = context.name;
    this.#configuration = configuration;
    this.#context = context;
    this.#random = random;
    this.#directs = new DirectChannels(context);
    this.#lease = new PlatformLease(context, 'discord');
    this.#complaints = new Complaints(context);
    this.#health = new KeptHealth(context);
    this.#loop = new ConnectionLoop({
      context,
      health: this.#health,
      complaints: this.#complaints,
      signal: this.#stop.signal,
      step: () => this.#step(),
      onTrouble: async ({ kind }) => {
        // The token may have been replaced.
        if (kind === 'token') await this.#disconnect();
      },
    });
    this.replySender = new DiscordSender({
      context,
      link: () => this.#link,
      unknown: configuration.unknown,
      timeoutMs: configuration.timeout,
      retryForMs: configuration.retry_for,
    });
  }

  async start(): Promise<void> {
    const trouble = await this.#connectApi();
    if (trouble !== null) throw new Error(trouble.reason);
    this.#running = this.#loop.run();
  }

  stopAccepting(): void {
    this.#stop.abort();
    void this.#connection?.close();
  }

  async close(): Promise<void> {
    this.stopAccepting();
    await this.#running;
    await this.#link?.inbox?.persist();
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

  /** Asks who the bot is. Null: it is known now. Throws what reading the token fails with. */
  async #connectApi(): Promise<DiscordTrouble | null> {
    const { clock, host, log } = this.#context;
    const { api_root: root } = this.#configuration;
    const settings = { name: this.name, ...this.#configuration };
    const token = readBotToken(settings, host.credentialsDirectory, tokenForms.discord, givenToken);
    const api = new DiscordApi(root, token, clock);
    const end = await api.call(
      { method: 'GET', name: 'GET user', channelId: '', path: '/users/@me' },
      { timeoutMs: callTimeoutMs, signal: this.#stop.signal },
    );
    const bot = botSchema.safeParse(end.kind === 'ok' ? end.result : undefined);
    if (end.kind !== 'ok' || !bot.success) {
      await api.close();
      return end.kind === 'ok' ? passing('Discord does not say who the bot is') : this.#troubleOf(end);
    }
    const { id: botId, username } = bot.data;
    this.#link = { api, token, botId, inbox: null };
    log.info(`The channel ${this.name} is the bot ${username} (${botId}).`);
    return null;
  }

  async #inboxOf({ api, botId }: BotLink): Promise<GatewayInbox> {
    const cursor = readCursor(await this.#context.checkpoint(cursorKey(botId)));
    const { api_root: root, unknown, groups } = this.#configuration;
    const { signal } = this.#context;
    return new GatewayInbox({
      context: this.#context,
      botId,
      directs: this.#directs,
      intake: new MessageIntake({
        context: this.#context,
        botId,
        directs: this.#directs,
        download: (file) => downloadHosted(api, file, { root, signal }),
        unknown,
      }),
      missed: new MissedDiscordMessages({ api, complaints: this.#complaints, signal: this.#stop.signal }),
      hearsGuilds: groups !== 'none',
      cursor,
      onReady: () => this.#noteReady(),
      onFailure: (error) => this.#endConnection(this.#troubleOfInbox(error)),
    });
  }

  async #disconnect(): Promise<void> {
    const link = this.#link;
    this.#link = null;
    await link?.api.close();
  }

  /** One connection to the gateway, from its beginning to its end. Null: it is to be made anew at once. */
  async #step(): Promise<DiscordTrouble | null> {
    if (this.#link === null) {
      const trouble = await this.#connectApi();
      if (trouble !== null) return trouble;
    }
    const link = this.#link;
    if (link === null) return null;
    if (!(await this.#lease.claim(link.botId))) {
      link.inbox = null;
      return standby('bot');
    }
    const inbox = link.inbox ?? (await this.#inboxOf(link));
    link.inbox = inbox;
    const hearing = { ...link, inbox };
    const target = await this.#target(hearing);
    if (typeof target !== 'string') return target;
    if (this.#stop.signal.aborted) return null;
    const end = await this.#hear(hearing, target);
    inbox.drop();
    await inbox.rest();
    const readyAt = this.#readyAt;
    this.#readyAt = null;
    if (readyAt !== null && isStable(this.#context.clock.now() - readyAt)) this.#loop.succeeded();
    const own = this.#ownTrouble;
    this.#ownTrouble = null;
    return own ?? this.#troubleOfEnd(end, inbox);
  }

  /** The URL of the session, or of the gateway if one has to be begun. */
  async #target({ api, inbox }: HearingLink): Promise<string | DiscordTrouble> {
    const { api_root: root } = this.#configuration;
    if (inbox.session !== null) {
      const url = gatewayUrl(inbox.session.url, root);
      if (url !== null) return url;
      inbox.forget();
    }
    const end = await api.call(
      { method: 'GET', name: 'GET gateway', channelId: '', path: '/gateway/bot' },
      { timeoutMs: callTimeoutMs, signal: this.#stop.signal },
    );
    if (end.kind !== 'ok') return this.#troubleOf(end);
    const gateway = gatewayBotSchema.safeParse(end.result);
    const url = gateway.success ? gatewayUrl(gateway.data.url, root) : null;
    if (!gateway.success || url === null) return passing('Discord does not say where its gateway is');
    const { remaining, reset_after: resetAfterMs } = gateway.data.session_start_limit;
    const trouble = troubleOfStarts({ remaining, resetAfterMs });
    if (trouble !== null) return trouble;
    const { clock } = this.#context;
    const waitMs = this.#identifiedAt + identifyIntervalMs - clock.now();
    if (waitMs > 0) await this.#loop.pause(waitMs);
    this.#identifiedAt = clock.now();
    return url;
  }

  async #hear({ token, botId, inbox }: HearingLink, url: string): Promise<GatewayEnd> {
    const { clock } = this.#context;
    const { session } = inbox;
    this.#ownTrouble = null;
    const connection = new GatewayConnection({
      clock,
      url,
      token,
      intents: this.#intents(),
      resume: session === null ? null : { sessionId: session.id, seq: session.seq },
      acknowledged: () => inbox.storedSeq,
      onEvent: (event) => {
        if (inbox.push(event)) return;
        this.#endConnection(passing('too many messages wait for the store'));
      },
      onMistake: (what) =>
        this.#complaints.note(
          'mistake',
          `The channel ${this.name} was sent ${what} by Discord. It is left out.`,
        ),
      onBeat: () => void this.#beat(botId, inbox),
      onAnswered: () => this.#health.proven(),
      random: this.#random,
    });
    this.#connection = connection;
    const end = await connection.ended;
    this.#connection = null;
    await connection.close();
    this.#failedResumes = session === null || this.#readyAt !== null ? 0 : this.#failedResumes + 1;
    return end;
  }

  #intents(): number {
    const { message_content: wantsContent, groups } = this.#configuration;
    const standard = intents.guilds | intents.guildMessages | intents.directMessages;
    return wantsContent || groups === 'all' ? standard | intents.messageContent : standard;
  }

  #noteReady(): void {
    this.#connection?.noteReady();
    this.#readyAt = this.#context.clock.now();
    this.#health.proven();
    this.#health.enter('up');
  }

  /** Never rejects. */
  async #beat(botId: string, inbox: GatewayInbox): Promise<void> {
    await inbox.persist();
    // A store that is away takes no messages either: nothing is acknowledged meanwhile.
    const isOurs = await this.#lease.claim(botId).catch(() => true);
    if (!isOurs) this.#endConnection(standby('bot'));
  }

  #endConnection(trouble: DiscordTrouble): void {
    this.#ownTrouble ??= trouble;
    void this.#connection?.close();
  }

  #troubleOf(end: Exclude<DiscordEnd, { readonly kind: 'ok' }>): DiscordTrouble {
    return troubleOfCall(end, this.#words);
  }

  #troubleOfInbox(error: unknown): DiscordTrouble {
    if (error instanceof MissedMessagesError) return this.#troubleOf(error.end);
    return passing(errorMessage(error));
  }

  #troubleOfEnd(end: GatewayEnd, inbox: GatewayInbox): DiscordTrouble | null {
    // The session's own address may be gone.
    if (this.#failedResumes >= mostFailedResumes) inbox.forget();
    switch (end.kind) {
      case 'reconnect':
        return passing('Discord has asked for a new connection');
      case 'silent':
        return passing('Discord does not answer');
      case 'invalid':
        if (!end.isResumable) inbox.forget();
        // As Discord asks for.
        return {
          ...passing('Discord no longer has the session'),
          retryAfterMs: Math.ceil(1_000 + 4_000 * this.#random()),
        };
      case 'closed': {
        const { next, trouble } = afterClose(end, this.#words);
        if (next === 'identify') inbox.forget();
        return trouble;
      }
    }
  }

  get #words() {
    const { token_file: file, token_credential: credential } = this.#configuration;
    return { name: this.name, tokenPlace: secretPlace(file, credential) };
  }
}
