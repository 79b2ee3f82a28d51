import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Hooks } from '../../../src/channels/hooks.js';
import { SlackChannel } from '../../../src/channels/slack/slack-channel.js';
import type { Delivery } from '../../../src/store/deliveries.js';
import type { Store } from '../../../src/store/store.js';
import { openStore as openedStore } from '../../gateway/dispatch/fixture.js';
import { ChannelBench, channelTable } from '../../support/channel-bench.js';
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
export class Scene extends ChannelBench {
  readonly hooks = new Hooks();
  /** Edits and deletions of messages that have arrived. */
  readonly revisions: object[] = [];
  publicUrl: string | null = 'https://gateway.example';
  channel: SlackChannel;
  readonly #ends = new Map<SlackChannel, AbortController>();

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
    for (const channel of this.#ends.keys()) await this.closed(channel);
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
    this.#ends.set(channel, end);
    this.channel = channel;
    return channel;
  }

  /** Ends a channel, as the gateway does. */
  async closed(channel = this.channel): Promise<void> {
    this.#ends.get(channel)?.abort();
    let isClosed = false;
    const closing = channel.close().finally(() => {
      isClosed = true;
    });
    await this.pass(() => isClosed);
    await closing;
  }

  async started(): Promise<void> {
    await this.channel.start();
    await this.slack.until(() => this.slack.isConnected);
  }

  /** Text and state of each message of a session. */
  async texts(conversation = 'D42'): Promise<readonly string[]> {
    const page = await store.sessionMessages(`${this.name}:${conversation}`, { limit: 100, after: null });
    return (page?.items ?? []).map(({ text, state }) => `${text} ${state}`);
  }

  /** Resolves once all events are acknowledged. */
  async acknowledged(): Promise<void> {
    await this.slack.until(() => this.slack.unacknowledged === 0);
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

  /** A reply to a conversation. */
  delivery({ to = 'D42', ...members }: Partial<Delivery> & { readonly to?: string } = {}): Delivery {
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
