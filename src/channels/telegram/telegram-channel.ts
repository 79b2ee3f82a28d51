import type { TelegramChannelConfiguration } from '../../config/channel-table.js';
import type { Channel, ChannelAddress, ChannelContext, ChannelHealth } from '../channel.js';
import { Complaints } from '../complaints.js';
import { ConnectionLoop } from '../connection-loop.js';
import { KeptHealth } from '../kept-health.js';
import { MovedChats } from '../moved-chats.js';
import { DownloadError } from '../platform-http.js';
import { PlatformLease } from '../platform-lease.js';
import { readBotToken } from '../secret.js';
import { tokenForms } from '../token-forms.js';
import { passing, secretPlace, standby } from '../trouble.js';
import { BotApi } from './bot-api.js';
import type { BotIdentity, RemoteFile } from './read-update.js';
import { TelegramSender } from './telegram-sender.js';
import { type TelegramTrouble, troubleOf } from './trouble.js';
import { offsetKey, UpdateIntake } from './update-intake.js';
import { botSchema, fileSchema, type UpdateObject, updatesSchema } from './update-schema.js';
import { webhookOf, webhookSecret, webhookTrouble } from './webhook.js';

const givenToken = '@BotFather gives one that looks like 123456789:AAF…';

/** Time that Telegram may hold a poll open, and that it has beyond that to answer. */
const pollSeconds = 25;
const pollTimeoutMs = (pollSeconds + 15) * 1_000;
/** Longest wait for an answer to anything else, and for one file, in milliseconds. */
const callTimeoutMs = 10_000;
const downloadTimeoutMs = 60_000;
/** Updates that the channel reads. Telegram keeps others back. */
const allowedUpdates = ['message', 'edited_message'];

/** A connection to the bot. */
interface Link {
  readonly api: BotApi;
  readonly bot: BotIdentity;
  readonly intake: UpdateIntake;
  /** Comes with each update that is posted to the gateway. */
  readonly secret: string;
  /** Behind all updates that are on disk; null: there were none yet. */
  offset: number | null;
}

/**
 * A bot of Telegram. Its updates are polled, or posted to the gateway; one is acknowledged, by the next poll or the answer,
 * once it is on disk.
 */
export class TelegramChannel implements Channel {
  readonly name: string;
  readonly replySender: TelegramSender;
  readonly #configuration: TelegramChannelConfiguration;
  readonly #context: ChannelContext;
  readonly #moved: MovedChats;
  readonly #lease: PlatformLease;
  readonly #loop: ConnectionLoop;
  /** Aborted when nothing more is to be asked for. */
  readonly #stop = new AbortController();
  readonly #health: KeptHealth;
  #link: Link | null = null;
  #running: Promise<void> = Promise.resolve();
  /** Something has failed since the last answer: the next poll asks for one at once, as an open one says nothing for long. */
  #isUncertain = false;
  /** Ends the poll that is open. */
  #poll = new AbortController();
  /** The connection whose webhook is set, and since when. */
  #webhook: Link | null = null;
  #webhookSince = 0;
  #cancelCheck = () => {};
  #checkFailure: TelegramTrouble | null = null;

  constructor(configuration: TelegramChannelConfiguration, context: ChannelContext) {
    this.name = context.name;
    this.#configuration = configuration;
    this.#context = context;
    this.#moved = new MovedChats(context);
    this.#lease = new PlatformLease(context, 'telegram');
    this.#health = new KeptHealth(context);
    this.#loop = new ConnectionLoop({
      context,
      health: this.#health,
      complaints: new Complaints(context),
      signal: this.#stop.signal,
      step: () => this.#step(),
      onTrouble: async ({ kind }) => {
        this.#isUncertain = true;
        // The token may have been replaced.
        if (kind === 'token') await this.#disconnect();
      },
    });
    this.replySender = new TelegramSender({
      context,
      api: () => this.#link?.api ?? null,
      moved: this.#moved,
      unknown: configuration.unknown,
      timeoutMs: configuration.timeout,
      retryForMs: configuration.retry_for,
    });
  }

  async start(): Promise<void> {
    await this.#moved.load();
    const trouble = await this.#connect();
    if (trouble !== null) throw new Error(trouble.reason);
    this.#running = this.#run();
  }

  stopAccepting(): void {
    this.#stop.abort();
    this.#poll.abort();
    this.#cancelCheck();
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

  /** Asks who the bot is. Null: it is known now. Throws what reading the token fails with. */
  async #connect(): Promise<TelegramTrouble | null> {
    const { clock, host } = this.#context;
    const { api_root: root, unknown } = this.#configuration;
    const settings = { name: this.name, ...this.#configuration };
    const token = readBotToken(settings, host.credentialsDirectory, tokenForms.telegram, givenToken);
    const api = new BotApi(root, token, clock);
    const end = await api.call('getMe', {}, { timeoutMs: callTimeoutMs, signal: this.#stop.signal });
    const bot = botSchema.safeParse(end.kind === 'ok' ? end.result : undefined);
    if (end.kind !== 'ok' || !bot.success) {
      await api.close();
      return end.kind === 'ok' ? passing('Telegram does not say who the bot is') : this.#troubleOf(end);
    }
    const stored = await this.#context.checkpoint(offsetKey(bot.data.id));
    const intake = new UpdateIntake({
      context: this.#context,
      bot: bot.data,
      moved: this.#moved,
      download: (file) => this.#download(api, file),
      unknown,
    });
    const offset = typeof stored === 'number' ? stored : null;
    this.#link = { api, bot: bot.data, intake, secret: webhookSecret(token), offset };
    this.#context.log.info(`The channel ${this.name} is the bot @${bot.data.username}.`);
    return null;
  }

  async #disconnect(): Promise<void> {
    const link = this.#link;
    this.#link = null;
    await link?.api.close();
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    if (this.#configuration.mode === 'poll') this.#awaitUpdates();
    await this.#loop.run();
  }

  /** One poll, or one look at the webhook, and all that it needs. Null: it went well. */
  async #step(): Promise<TelegramTrouble | null> {
    if (this.#link === null) {
      const trouble = await this.#connect();
      if (trouble !== null) return trouble;
    }
    const link = this.#link;
    if (link === null) return null;
    if (!(await this.#lease.claim(String(link.bot.id)))) return standby('bot');
    return this.#configuration.mode === 'poll' ? this.#pollOnce(link) : this.#watchWebhook(link);
  }

  async #pollOnce(link: Link): Promise<TelegramTrouble | null> {
    const isShort = this.#isUncertain;
    if (!isShort) this.#health.enter('up');
    this.#poll = new AbortController();
    if (this.#stop.signal.aborted) this.#poll.abort();
    const end = await link.api.call(
      'getUpdates',
      {
        ...(link.offset === null ? {} : { offset: link.offset }),
        timeout: isShort ? 0 : pollSeconds,
        allowed_updates: allowedUpdates,
      },
      { timeoutMs: pollTimeoutMs, signal: this.#poll.signal },
    );
    if (end.kind !== 'ok') {
      const failure = this.#checkFailure;
      this.#checkFailure = null;
      return failure ?? this.#troubleOf(end);
    }
    const updates = updatesSchema.safeParse(end.result);
    if (!updates.success) return passing('Telegram gave updates that are none');
    this.#health.proven();
    this.#health.enter('up');
    this.#isUncertain = false;
    // Two that poll at once end each other's long polls: a short one proves nothing.
    if (!isShort) this.#loop.succeeded();
    const inOrder = updates.data.toSorted((a, b) => a.update_id - b.update_id);
    const last = inOrder.at(-1);
    if (last === undefined) return null;
    this.#awaitUpdates();
    if (!(await link.intake.take(inOrder))) return passing('the store was closed');
    // It may be lower than before: after a week of silence ids begin anywhere.
    link.offset = last.update_id + 1;
    return null;
  }

  /** Sets the webhook, or looks if it is still there and works. */
  async #watchWebhook(link: Link): Promise<TelegramTrouble | null> {
    const { hook, clock } = this.#context;
    const url = hook.url();
    if (url === null) {
      const reason = `channels.${this.name}.mode = "webhook" needs http.public_url, the https address by which Telegram reaches the gateway`;
      return { kind: 'webhook', reason, retryAfterMs: null };
    }
    const options = { timeoutMs: callTimeoutMs, signal: this.#stop.signal };
    if (this.#webhook !== link || this.#isUncertain) {
      const { secret, intake } = link;
      const take = (update: UpdateObject) => intake.take([update], false);
      hook.serve(webhookOf({ secret, take, clock }));
      const parameters = { url, secret_token: secret, allowed_updates: allowedUpdates };
      const end = await link.api.call('setWebhook', parameters, options);
      if (end.kind !== 'ok') return this.#troubleOf(end);
      this.#webhook = link;
      this.#webhookSince = clock.now();
      this.#isUncertain = false;
      this.#health.proven();
      this.#health.enter('up');
    }
    await this.#loop.pause(this.#configuration.health_interval);
    if (this.#stop.signal.aborted) return null;
    const end = await link.api.call('getWebhookInfo', {}, options);
    if (end.kind !== 'ok') return this.#troubleOf(end);
    this.#health.proven();
    const trouble = webhookTrouble(end.result, url, this.#webhookSince);
    if (trouble === null) this.#loop.succeeded();
    return trouble;
  }

  #troubleOf(end: Parameters<typeof troubleOf>[0]): TelegramTrouble {
    const { token_file: file, token_credential: credential } = this.#configuration;
    return troubleOf(end, { name: this.name, tokenPlace: secretPlace(file, credential) });
  }

  /** A poll that nothing comes by may be deaf: after a silence Telegram is asked by another call. */
  #awaitUpdates(): void {
    this.#cancelCheck();
    if (this.#stop.signal.aborted) return;
    this.#cancelCheck = this.#context.clock.after(this.#configuration.health_interval, () => {
      void this.#check().finally(() => this.#awaitUpdates());
    });
  }

  async #check(): Promise<void> {
    const link = this.#link;
    if (link === null || this.#health.now.state !== 'up') return;
    const end = await link.api.call(
      'getMe',
      {},
      { timeoutMs: callTimeoutMs, signal: this.#stop.signal, isOnce: true },
    );
    if (end.kind === 'ok' || end.kind === 'aborted' || this.#health.now.state !== 'up') return;
    this.#checkFailure = this.#troubleOf(end);
    this.#poll.abort();
  }

  async *#download(api: BotApi, { fileId }: RemoteFile): AsyncGenerator<Uint8Array> {
    const { signal } = this.#context;
    const end = await api.call('getFile', { file_id: fileId }, { timeoutMs: callTimeoutMs, signal });
    if (end.kind === 'refused') {
      const isPassing = end.code === 429 || end.code >= 500;
      throw new DownloadError(`Telegram does not give it (${end.description})`, isPassing);
    }
    if (end.kind !== 'ok') throw new DownloadError(end.kind === 'failed' ? end.reason : 'cut off', true);
    const file = fileSchema.safeParse(end.result);
    if (!file.success) throw new DownloadError('Telegram does not say where it is', false);
    yield* api.download(file.data.file_path, { timeoutMs: downloadTimeoutMs, signal });
  }
}
