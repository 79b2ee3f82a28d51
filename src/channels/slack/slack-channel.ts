import type { SlackChannelConfiguration } from '../../config/channel-table.js';
import { pause } from '../../lifecycle/effects/waits.js';
import { errorMessage } from '../../text/failure-text.js';
import { isStable } from '../backoff.js';
import type { Channel, ChannelAddress, ChannelContext, ChannelHealth } from '../channel.js';
import { Complaints } from '../complaints.js';
import { ConnectionLoop } from '../connection-loop.js';
import { KeptHealth } from '../kept-health.js';
import { PlatformLease } from '../platform-lease.js';
import { passing, standby } from '../trouble.js';
import { EventIntake, newestKey } from './event-intake.js';
import { identitySchema } from './event-schema.js';
import { eventsHook } from './events-hook.js';
import { KnownThreads } from './known-threads.js';
import { MissedSlackMessages } from './missed-messages.js';
import { PeopleNames } from './people-names.js';
import type { SlackBot } from './read-event.js';
import { SlackApi } from './slack-api.js';
import { SlackSecrets } from './slack-secrets.js';
import { SlackSender } from './slack-sender.js';
import { SocketConnection } from './socket-mode.js';
import { missingScopes, type SlackTrouble, troubleOf } from './trouble.js';

/** Longest wait for an answer, in milliseconds. */
const callTimeoutMs = 10_000;

/** An app of which Slack has said who it is. */
interface Link {
  readonly api: SlackApi;
  readonly bot: SlackBot;
  readonly intake: EventIntake;
  readonly missed: MissedSlackMessages;
}

/** An app of Slack. An event is acknowledged once its message is on disk. */
export class SlackChannel implements Channel {
  readonly name: string;
  readonly replySender: SlackSender;
  readonly #configuration: SlackChannelConfiguration;
  readonly #context: ChannelContext;
  readonly #secrets: SlackSecrets;
  readonly #lease: PlatformLease;
  readonly #complaints: Complaints;
  readonly #names: PeopleNames;
  readonly #known: KnownThreads;
  readonly #health: KeptHealth;
  readonly #loop: ConnectionLoop;
  /** Aborted when nothing more is to be asked for. */
  readonly #stop = new AbortController();
  #link: Link | null = null;
  #running: Promise<void> = Promise.resolve();
  /** The connection that events come by. */
  #socket: SocketConnection | null = null;
  /** Connections that are about to end, and looks for what was missed. */
  readonly #underWay = new Set<Promise<void>>();
  #heardAt = 0;

  constructor(configuration: SlackChannelConfiguration, context: ChannelContext) {
    this.name = context.name;
    this.#configuration = configuration;
    this.#context = context;
    this.#secrets = new SlackSecrets(configuration, context);
    this.#lease = new PlatformLease(context, 'slack');
    this.#complaints = new Complaints(context);
    this.#names = new PeopleNames(context);
    this.#known = new KnownThreads(context);
    this.#health = new KeptHealth(context);
    this.#loop = new ConnectionLoop({
      context,
      health: this.#health,
      complaints: this.#complaints,
      signal: this.#stop.signal,
      step: () => this.#step(),
      onTrouble: async ({ kind }) => {
        // A token may have been replaced.
        if (kind === 'token' || kind === 'settings') await this.#disconnect();
      },
    });
    this.replySender = new SlackSender({
      context,
      link: () => this.#link,
      unknown: configuration.unknown,
      timeoutMs: configuration.timeout,
      retryForMs: configuration.retry_for,
    });
  }

  async start(): Promise<void> {
    await this.#known.load();
    const trouble = await this.#connect();
    if (trouble !== null) throw new Error(trouble.reason);
    this.#running = this.#run();
  }

  stopAccepting(): void {
    this.#stop.abort();
  }

  async close(): Promise<void> {
    this.stopAccepting();
    await this.#running;
    await Promise.all(this.#underWay);
    await this.#link?.intake.rest();
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

  /** Asks who the bot is. Null: it is known now. Throws what reading the tokens fails with. */
  async #connect(): Promise<SlackTrouble | null> {
    const { clock, log } = this.#context;
    const { api_root: root, threads, unknown, pairing } = this.#configuration;
    const api = new SlackApi(root, this.#secrets.tokens(), clock);
    const end = await api.call('auth.test', {}, { timeoutMs: callTimeoutMs, signal: this.#stop.signal });
    const identity = identitySchema.safeParse(end.kind === 'ok' ? end.result : undefined);
    if (end.kind !== 'ok' || !identity.success) {
      await api.close();
      return end.kind === 'ok'
        ? passing('Slack does not say who the bot is')
        : troubleOf(end, this.#secrets.botPlace);
    }
    const { user_id: userId, bot_id: botId = null, team_id: teamId, user: name, team } = identity.data;
    const bot: SlackBot = { userId, botId, teamId, name };
    const stored = await this.#context.checkpoint(newestKey(bot));
    const missed = new MissedSlackMessages({
      api,
      known: this.#known,
      bot,
      threads,
      clock,
      signal: this.#stop.signal,
      complain: (text) => this.#complaints.note('missed', `${text} (channel ${this.name})`),
    });
    const intake = new EventIntake({
      context: this.#context,
      api,
      bot,
      names: this.#names,
      known: this.#known,
      threads,
      unknown,
      newest: typeof stored === 'string' && stored !== '' ? stored : null,
      missed,
      pairing,
    });
    this.#link = { api, bot, intake, missed };
    log.info(`The channel ${this.name} is the bot @${name} of the workspace ${team}.`);
    const missing = missingScopes(end.scopes);
    if (missing !== null) {
      log.warning(
        `The bot of the channel ${this.name} lacks scopes: ${missing}. Add them to the app (api.slack.com/apps), and install it again.`,
      );
    }
    return null;
  }

  async #disconnect(): Promise<void> {
    const link = this.#link;
    this.#link = null;
    await link?.api.close();
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    await this.#loop.run();
    this.#leave(this.#socket);
    this.#socket = null;
  }

  /** The time of one connection, and all that it needs. Null: it went well, and another one is needed. */
  async #step(): Promise<SlackTrouble | null> {
    if (this.#link === null) {
      const trouble = await this.#connect();
      if (trouble !== null) return trouble;
    }
    const link = this.#link;
    if (link === null) return null;
    const { teamId, userId } = link.bot;
    if (!(await this.#lease.claim(`${teamId}/${userId}`))) return standby('app');
    return this.#configuration.mode === 'socket' ? this.#listen(link) : this.#awaitPosts(link);
  }

  /** Takes events that Slack posts, until a call fails by which it is asked if the app still works. */
  async #awaitPosts(link: Link): Promise<SlackTrouble | null> {
    const { api, intake, missed } = link;
    const { clock, hook } = this.#context;
    missed.begin(intake.newest);
    this.#catchUp(link);
    hook.serve(
      eventsHook({
        signingSecret: this.#secrets.signingSecret(),
        take: (event) => intake.take(event),
        heard: () => this.#hear(),
        clock,
      }),
    );
    this.#health.enter('up');
    const never = new Promise<never>(() => undefined);
    const trouble = await this.#until(never, api);
    this.#loop.succeeded();
    return trouble;
  }

  /** Opens a connection beside the one that is about to end, and stays with it. */
  async #listen(link: Link): Promise<SlackTrouble | null> {
    const url = await this.#socketUrl(link.api);
    if (typeof url !== 'string') return url;
    const { clock } = this.#context;
    const socket = new SocketConnection(url, {
      clock,
      take: (event) => link.intake.take(event),
      complain: (kind, text) => this.#complaints.note(kind, `${text} (channel ${this.name}).`),
      heard: () => this.#hear(),
    });
    const { missed, intake } = link;
    const isAlone = this.#socket?.isOpen !== true;
    // Events that come at once have to wait for older messages.
    if (isAlone) missed.begin(intake.newest);
    const opening = await socket.opened();
    this.#leave(opening === null ? this.#socket : socket);
    if (opening !== null) return opening;
    if (isAlone) this.#catchUp(link);
    this.#socket = socket;
    const openedAt = clock.now();
    this.#hear();
    this.#health.enter('up');
    const trouble = await this.#until(socket.over, link.api);
    if (trouble === null || isStable(clock.now() - openedAt)) this.#loop.succeeded();
    if (trouble === null) return null;
    this.#leave(socket);
    this.#socket = null;
    return trouble;
  }

  /** Waits for the end. In a silence Slack is asked by a call if the app still works. */
  async #until(end: Promise<SlackTrouble | null>, api: SlackApi): Promise<SlackTrouble | null> {
    const { clock } = this.#context;
    const { health_interval: intervalMs } = this.#configuration;
    const { signal } = this.#stop;
    for (;;) {
      const waiting = new AbortController();
      const stop = () => waiting.abort();
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) stop();
      const silence = pause({ clock, signal: waiting.signal }, intervalMs).then(() => 'silent' as const);
      const over = await Promise.race([end, silence]);
      stop();
      signal.removeEventListener('abort', stop);
      if (over !== 'silent') return over;
      if (signal.aborted) return null;
      if (clock.now() - this.#heardAt < intervalMs) continue;
      const answer = await api.call('auth.test', {}, { timeoutMs: callTimeoutMs, signal, isOnce: true });
      if (answer.kind !== 'ok' && !signal.aborted) return troubleOf(answer, this.#secrets.botPlace);
      if (answer.kind === 'ok') this.#health.proven();
    }
  }

  /** Slack has sent something. */
  #hear(): void {
    this.#heardAt = this.#context.clock.now();
    this.#health.proven();
  }

  async #socketUrl(api: SlackApi): Promise<string | SlackTrouble> {
    const options = { timeoutMs: callTimeoutMs, signal: this.#stop.signal };
    const end = await api.callAsApp('apps.connections.open', options);
    if (end.kind !== 'ok') return troubleOf(end, this.#secrets.appPlace);
    const { url } = end.result as { readonly url?: unknown };
    return typeof url === 'string' && /^wss?:\/\//.test(url) && URL.canParse(url)
      ? url
      : passing('Slack does not say where to connect to');
  }

  /** Ends a connection behind the scenes. */
  #leave(socket: SocketConnection | null): void {
    if (socket !== null) this.#beside(socket.close());
  }

  /** Takes what was missed while nobody listened, a conversation after the other, beside what comes. */
  #catchUp({ missed, intake }: Link): void {
    const all = async () => {
      for await (const channel of missed.conversations()) {
        if (this.#stop.signal.aborted) return;
        await intake.catchUp(channel);
      }
    };
    this.#beside(all());
  }

  /** Waits for it at the end. */
  #beside(work: Promise<void>): void {
    const whole = work
      .catch((error: unknown) => this.#complaints.note('beside', errorMessage(error)))
      .finally(() => this.#underWay.delete(whole));
    this.#underWay.add(whole);
  }
}
