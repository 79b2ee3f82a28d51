import type { WebhookSender, WebhookSenderOptions } from './webhook-sender.js';

export interface LazyWebhookSender extends WebhookSender {
  /** Loads now what the first reply would have to wait for. Rejects when it can’t be loaded. */
  prepare(): Promise<void>;
}

/** A sender whose HTTP client, the largest part of the program, is not loaded while the gateway starts. */
export function createLazyWebhookSender(options: WebhookSenderOptions): LazyWebhookSender {
  let loading: Promise<WebhookSender> | null = null;
  const load = (): Promise<WebhookSender> => {
    loading ??= import('./webhook-sender.js').then((module) => module.createWebhookSender(options));
    return loading;
  };
  return {
    async prepare() {
      await load();
    },
    async send(delivery, signal) {
      return (await load()).send(delivery, signal);
    },
    async close() {
      if (loading !== null) await (await loading).close();
    },
  };
}
