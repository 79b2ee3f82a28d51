import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Hooks } from '../../../src/channels/hooks.js';
import { TelegramChannel } from '../../../src/channels/telegram/telegram-channel.js';
import type { Store } from '../../../src/store/store.js';
import { openStore as openedStore } from '../../gateway/dispatch/fixture.js';
import { channelTable } from '../../support/channel-bench.js';
import { ChatScene } from '../../support/chat-scene.js';
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
export class Scene extends ChatScene<TelegramChannel> {
  readonly tokenFile = join(directory, `token-${this.name}`);
  readonly hooks = new Hooks();
  publicUrl: string | null = 'https://gateway.example';
  override channel: TelegramChannel;
  protected readonly conversation = '42';

  private constructor(readonly telegram: TelegramStandIn) {
    super('tg', store);
    this.writeToken(telegram.token);
    this.channel = this.made();
  }

  static async make(): Promise<Scene> {
    return new Scene(await TelegramStandIn.start());
  }

  async end(): Promise<void> {
    await this.closedAll();
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
    this.ends.set(channel, end);
    this.channel = channel;
    return channel;
  }

  /** Ends a channel, as the gateway does. */
  override async closed(channel = this.channel): Promise<void> {
    this.ends.get(channel)?.abort();
    await channel.close();
  }

  /** Resolves once all updates are confirmed to Telegram. */
  async confirmed(): Promise<void> {
    await this.telegram.until(() => this.telegram.unconfirmed === 0);
  }
}
