import type { Configuration } from '../../../config/schema.js';
import { createLazyWebhookSender, type LazyWebhookSender } from './lazy-webhook-sender.js';
import type { WebhookSecret } from './webhook-signature.js';

/** Connections to receivers that may be open for further posts, in all. */
export const mostKeptConnections = 64;

/** What a sender is made for; another one takes its place when these change. */
type SenderSettings = Pick<Configuration['delivery'], 'allow' | 'timeout'>;

/** The senders of webhooks since the start: the present one, and those before it that may still have posts under way. */
export class WebhookSenders {
  readonly #secrets: readonly WebhookSecret[];
  readonly #senders: { readonly sender: LazyWebhookSender; readonly made: string }[] = [];

  constructor(secrets: readonly WebhookSecret[]) {
    this.#secrets = secrets;
  }

  /** The present sender, unless its own settings changed. */
  for({ allow, timeout }: SenderSettings): LazyWebhookSender {
    const made = JSON.stringify([allow, timeout]);
    const present = this.#senders.at(-1);
    if (present?.made === made) return present.sender;
    const sender = createLazyWebhookSender({
      allow,
      timeout,
      secrets: this.#secrets,
      mostKeptConnections,
      userAgent: 'sd-gateway',
    });
    this.#senders.push({ sender, made });
    return sender;
  }

  /** Loads what the first post would have to wait for. Rejects when it can't be loaded. */
  async prepare(): Promise<void> {
    await this.#senders.at(-1)?.sender.prepare();
  }

  /** To be called when all posts are done. */
  async close(): Promise<void> {
    for (const { sender } of this.#senders) await sender.close();
  }
}
