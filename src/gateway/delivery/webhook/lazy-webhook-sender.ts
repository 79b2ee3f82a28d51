import type { ReplySender, SendOutcome } from '../reply-sender.js';
import { destinationOf } from './webhook-destination.js';
import type { WebhookSenderOptions } from './webhook-sender.js';

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
    destinationOf,
    async prepare() {
      await load();
    },
    async send(delivery, signal) {
      let sender: ReplySender;
      try {
        sender = await load();
      } catch (error) {
        return notLoaded(error);
      }
      return sender.send(delivery, signal);
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
  return {
    kind: 'retry',
    reason: `the gateway could not load its HTTP client: ${error instanceof Error ? error.message : String(error)}`,
    retryAfterMilliseconds: null,
    pausesHost: false,
    peer: 'unasked',
    inDoubt: false,
  };
}
