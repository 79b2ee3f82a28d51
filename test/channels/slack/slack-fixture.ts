import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Hooks } from '../../../src/channels/hooks.js';
import { SlackChannel } from '../../../src/channels/slack/slack-channel.js';
import type { Store } from '../../../src/store/store.js';
import { openStore as openedStore } from '../../gateway/dispatch/fixture.js';
import { channelTable } from '../../support/channel-bench.js';
import { ChatScene } from '../../support/chat-scene.js';
import { receptionFor } from '../../support/reception.js';
import { SlackStandIn } from '../../support/slack-stand-in.js';

let directory: string;
let store: Store;
let dispose: () => Promise<void>;

export async function openStore(): Promise<void> {
  ({ directory, store, dispose } = await openedStore());
}

export async function closeStore(): Promise<void> {
  await dispose();
}

/** An app, a channel on a real store, and a clock that the test moves. */
export class Scene extends ChatScene<SlackChannel> {
  readonly hooks = new Hooks();
  /** Edits and deletions of messages that have arrived. */
  readonly revisions: object[] = [];
  publicUrl: string | null = 'https://gateway.example';
  override channel: SlackChannel;
  protected readonly conversation = 'D42';
  protected override readonly passLimitMs = 15_000;

  private constructor(readonly slack: SlackStandIn) {
    super('slack', store);
    slack.now = () => this.clock.now();
    this.writeSecret('token', slack.botToken);
    this.writeSecret('app_token', slack.appToken);
    this.writeSecret('signing_secret', slack.signingSecret);
    this.channel = this.made();
  }

  static async make(): Promise<Scene> {
    return new Scene(await SlackStandIn.start());
  }

  async end(): Promise<void> {
    await this.closedAll();
    await this.slack.close();
  }

  secretFile(key: string): string {
    return join(directory, `${key}-${this.name}`);
  }

  writeSecret(key: string, secret: string): void {
    writeFileSync(this.secretFile(key), `${secret}\n`, { mode: 0o600 });
  }

  /** Makes a further channel on the same store, as the next start of a gateway does, or another gateway. */
  made(keys: object = {}): SlackChannel {
    const end = new AbortController();
    const configuration = channelTable(this.name, {
      type: 'slack',
      token_file: this.secretFile('token'),
      app_token_file: this.secretFile('app_token'),
      signing_secret_file: this.secretFile('signing_secret'),
      api_root: this.slack.root,
      allow: ['U42'],
      ...keys,
    });
    const context = this.context({
      reception: receptionFor(configuration, {
        revise: async (arrived, text) => {
          this.revisions.push({ ...arrived, text });
          return 'revised';
        },
      }),
      attachmentLimits: () => ({ count: 2, fileBytes: 100_000, totalBytes: 150_000 }),
      limits: { session: 100, total: 100_000 },
      hooks: this.hooks,
      publicUrl: () => this.publicUrl,
      signal: end.signal,
      healthChanged: () => this.noteHealth(channel),
    });
    const channel = new SlackChannel(configuration, context);
    this.ends.set(channel, end);
    this.channel = channel;
    return channel;
  }

  async started(): Promise<void> {
    await this.channel.start();
    await this.slack.until(() => this.slack.isConnected);
  }

  /** Resolves once all events are acknowledged. */
  async acknowledged(): Promise<void> {
    await this.slack.until(() => this.slack.unacknowledged === 0);
  }
}
