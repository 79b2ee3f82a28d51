import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DiscordChannel } from '../../../src/channels/discord/discord-channel.js';
import type { Store } from '../../../src/store/store.js';
import { openStore as openedStore } from '../../gateway/dispatch/fixture.js';
import { channelTable } from '../../support/channel-bench.js';
import { ChatScene } from '../../support/chat-scene.js';
import { ada, DiscordStandIn, directId } from '../../support/discord-stand-in.js';
import { receptionFor } from '../../support/reception.js';

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
export class Scene extends ChatScene<DiscordChannel> {
  readonly tokenFile = join(directory, `token-${this.name}`);
  discord!: DiscordStandIn;
  override channel!: DiscordChannel;
  /** Edits and deletions that have reached the gateway: the id, and the new text. */
  readonly revisions: [string, string | null][] = [];
  protected override readonly passLimitMs = 8_000;
  protected readonly conversation = directId;

  static async make(keys: object = {}): Promise<Scene> {
    const scene = new Scene('dc', store);
    // Ids of Discord tell times since 2015.
    scene.clock.advance(1_780_000_000_000);
    scene.discord = await DiscordStandIn.start(() => scene.clock.now());
    scene.writeToken(scene.discord.token);
    scene.channel = scene.made(keys);
    return scene;
  }

  async end(): Promise<void> {
    await this.closedAll();
    await this.discord.close();
  }

  writeToken(token: string): void {
    writeFileSync(this.tokenFile, `${token}\n`, { mode: 0o600 });
  }

  /** Makes a further channel on the same store, as the next start of a gateway does, or another gateway. */
  made(keys: object = {}): DiscordChannel {
    const end = new AbortController();
    const configuration = channelTable(this.name, {
      type: 'discord',
      token_file: this.tokenFile,
      api_root: this.discord.root,
      allow: [ada.id],
      ...keys,
    });
    const context = this.context({
      reception: receptionFor(configuration, {
        revise: async ({ id }, text) => {
          this.revisions.push([id, text]);
          return null;
        },
      }),
      attachmentLimits: () => ({ count: 2, fileBytes: 100_000, totalBytes: 150_000 }),
      limits: { session: 1_000, total: 100_000 },
      signal: end.signal,
      healthChanged: () => this.noteHealth(channel),
    });
    const channel = new DiscordChannel(configuration, context, () => 0.5);
    this.ends.set(channel, end);
    this.channel = channel;
    return channel;
  }

  /** Starts the channel, and waits until its session runs. */
  async started(channel = this.channel): Promise<void> {
    await channel.start();
    await this.pass(() => channel.health().state === 'up');
  }
}
