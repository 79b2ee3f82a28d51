import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DiscordChannel } from '../../../src/channels/discord/discord-channel.js';
import type { Delivery } from '../../../src/store/deliveries.js';
import type { Store } from '../../../src/store/store.js';
import { openStore as openedStore } from '../../gateway/dispatch/fixture.js';
import { ChannelBench, channelTable } from '../../support/channel-bench.js';
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
export class Scene extends ChannelBench {
  readonly tokenFile = join(directory, `token-${this.name}`);
  discord!: DiscordStandIn;
  channel!: DiscordChannel;
  /** Edits and deletions that have reached the gateway: the id, and the new text. */
  readonly revisions: [string, string | null][] = [];
  readonly #ends = new Map<DiscordChannel, AbortController>();

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
    for (const channel of this.#ends.keys()) await this.closed(channel);
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
    this.#ends.set(channel, end);
    this.channel = channel;
    return channel;
  }

  /** Starts the channel, and waits until its session runs. */
  async started(channel = this.channel): Promise<void> {
    await channel.start();
    await this.pass(() => channel.health().state === 'up');
  }

  /** Ends a channel, as the gateway does. */
  async closed(channel = this.channel): Promise<void> {
    this.#ends.get(channel)?.abort();
    let isOver = false;
    const closing = channel.close().finally(() => {
      isOver = true;
    });
    await this.pass(() => isOver);
    await closing;
  }

  /** Text and state of each message of a session. */
  async texts(conversation = directId): Promise<readonly string[]> {
    const page = await store.sessionMessages(`${this.name}:${conversation}`, { limit: 1_000, after: null });
    return (page?.items ?? []).map(({ text, state }) => `${text} ${state}`);
  }

  /** Lets time pass, a step in a millisecond, until it is so. */
  async pass(isSo: () => boolean, stepMs = 100): Promise<void> {
    const end = Date.now() + 8_000;
    while (!isSo()) {
      if (Date.now() > end) throw new Error(`It did not become so: ${isSo}`);
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
  delivery({ to = directId, ...members }: Partial<Delivery> & { readonly to?: string } = {}): Delivery {
    return {
      webhookId: 'msg_1',
      target: { channel: this.name, address: to, options: {} },
      parts: [],
      notice: null,
      replyText: 'hello',
      attempt: 1,
      repliedAt: this.clock.now() + 1,
      dueSince: this.clock.now(),
      ...members,
    } as unknown as Delivery;
  }
}
