import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Hooks } from '../../../src/channels/hooks.js';
import { TelegramChannel } from '../../../src/channels/telegram/telegram-channel.js';
import type { Delivery } from '../../../src/store/deliveries.js';
import type { Store } from '../../../src/store/store.js';
import { openStore as openedStore } from '../../gateway/dispatch/fixture.js';
import { ChannelBench, channelTable } from '../../support/channel-bench.js';
import { receptionFor } from '../../support/reception.js';
import { TelegramStandIn } from '../../support/telegram-stand-in.js';

let directory: string;
let store: Store;
let dispose: () => Promise<void>;

export async function openStore(): Promise<void> {
  ({ directory, store, dispose } = await openedStore());
}

export async function closeStore(): Promise<void> {
  await dispose();
}

/** A bot, a channel on a real store, and a clock that the test moves. */
export class Scene extends ChannelBench {
  readonly tokenFile = join(directory, `token-${this.name}`);
  readonly hooks = new Hooks();
  publicUrl: string | null = 'https://gateway.example';
  channel: TelegramChannel;
  #ends = new Map<TelegramChannel, AbortController>();

  private constructor(readonly telegram: TelegramStandIn) {
    super('tg', store);
    this.writeToken(telegram.token);
    this.channel = this.made();
  }

  static async make(): Promise<Scene> {
    return new Scene(await TelegramStandIn.start());
  }

  async end(): Promise<void> {
    for (const channel of this.#ends.keys()) await this.closed(channel);
    await this.telegram.close();
  }

  writeToken(token: string): void {
    writeFileSync(this.tokenFile, `${token}\n`, { mode: 0o600 });
  }

  /** Makes a further channel on the same store, as the next start of a gateway does, or another gateway. */
  made(keys: object = {}): TelegramChannel {
    const end = new AbortController();
    const configuration = channelTable(this.name, {
      type: 'telegram',
      token_file: this.tokenFile,
      api_root: this.telegram.root,
      allow: ['42'],
      ...keys,
    });
    const context = this.context({
      reception: receptionFor(configuration),
      attachmentLimits: () => ({ count: 2, fileBytes: 100_000, totalBytes: 150_000 }),
      limits: { session: 100, total: 100_000 },
      hooks: this.hooks,
      publicUrl: () => this.publicUrl,
      signal: end.signal,
      healthChanged: () => this.noteHealth(channel),
    });
    const channel = new TelegramChannel(configuration, context);
    this.#ends.set(channel, end);
    this.channel = channel;
    return channel;
  }

  /** Ends a channel, as the gateway does. */
  async closed(channel = this.channel): Promise<void> {
    this.#ends.get(channel)?.abort();
    await channel.close();
  }

  /** Text and state of each message of a session. */
  async texts(conversation = '42'): Promise<readonly string[]> {
    const page = await store.sessionMessages(`${this.name}:${conversation}`, { limit: 100, after: null });
    return (page?.items ?? []).map(({ text, state }) => `${text} ${state}`);
  }

  /** Resolves once all updates are confirmed to Telegram. */
  async confirmed(): Promise<void> {
    await this.telegram.until(() => this.telegram.unconfirmed === 0);
  }

  /** Lets time pass, a step in a millisecond, until it is so. */
  async pass(isSo: () => boolean, stepMs = 100): Promise<void> {
    while (!isSo()) {
      this.clock.advance(stepMs);
      await delay(1);
    }
  }

  /** The records of at least this priority, without those of the store. */
  get complaints(): readonly string[] {
    return this.log.records
      .filter(({ priority }) => ['err', 'warning'].includes(priority))
      .map(({ message }) => message);
  }

  /** A reply to a chat. */
  delivery({ to = '42', ...members }: Partial<Delivery> & { readonly to?: string } = {}): Delivery {
    return {
      webhookId: 'msg_1',
      target: { channel: this.name, address: to, options: {} },
      parts: [],
      notice: null,
      replyText: 'hello',
      attempt: 1,
      repliedAt: this.clock.now(),
      dueSince: this.clock.now(),
      ...members,
    } as unknown as Delivery;
  }
}
