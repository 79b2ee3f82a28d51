import type { ReplySender, SendOutcome } from '../../../channels/reply-sender.js';
import { retryLater } from '../../../channels/send-failures.js';
import type { Configuration } from '../../../config/schema.js';
import { errorMessage } from '../../../text/failure-text.js';
import { replyOrigin } from '../addresses/target-address.js';
import { webhookSchedule } from '../schedule.js';
import { type WebhookSecret, webhookParts } from './webhook-request.js';
import type { WebhookSenderOptions } from './webhook-sender.js';

/** Connections to receivers that may be open for further posts, in all. */
export const mostKeptConnections = 64;

/** A sender is made for these settings. Another one follows it when they change. */
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

export interface LazyWebhookSender extends ReplySender {
  /** Loads now what the first reply would have to wait for. Rejects when it can’t be loaded. */
  prepare(): Promise<void>;
}

type Load = () => Promise<Pick<typeof import('./webhook-sender.js'), 'createWebhookSender'>>;

/**
 * A sender whose HTTP client, the largest part of the program, is not loaded while the gateway starts. Where it can't be
 * loaded the next delivery tries again.
 */
export function createLazyWebhookSender(
  options: WebhookSenderOptions,
  loadModule: Load = () => import('./webhook-sender.js'),
): LazyWebhookSender {
  let loading: Promise<ReplySender> | null = null;
  const load = (): Promise<ReplySender> => {
    loading ??= loadModule().then(
      (module) => module.createWebhookSender(options),
      (error: unknown) => {
        loading = null;
        throw error;
      },
    );
    return loading;
  };
  return {
    schedule: webhookSchedule,
    destinationOf: ({ target }) => replyOrigin(target.address),
    async prepare() {
      await load();
    },
    partsOf: webhookParts,
    async send(part, signal) {
      let sender: ReplySender;
      try {
        sender = await load();
      } catch (error) {
        return notLoaded(error);
      }
      return sender.send(part, signal);
    },
    async close() {
      // One that can't be loaded has nothing to be closed.
      const sender = await loading?.catch(() => null);
      await sender?.close();
    },
  };
}

/** The host was not asked, and another attempt may find a free descriptor. */
function notLoaded(error: unknown): SendOutcome {
  return retryLater(`the gateway could not load its HTTP client: ${errorMessage(error)}`);
}
