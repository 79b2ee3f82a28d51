import { createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import type { WebhookBody } from '../../../channels/http/openapi/webhooks.js';
import { replyAttachmentViews } from '../../../channels/http/views.js';
import type { ReplyPart } from '../../../channels/reply-sender.js';
import type { Delivery } from '../../../store/deliveries.js';
import { SecretError } from '../../start/secrets.js';

/** A webhook is one post, whatever its length. */
export function webhookParts(delivery: Delivery): readonly ReplyPart[] {
  return [{ delivery, number: 1, text: webhookBody(delivery) }];
}

/** The body that is posted; the same at each attempt. */
export function webhookBody(delivery: Delivery): string {
  const { messageId: id, session, seq, metadata, collected, notice, replyAttachments } = delivery;
  const others = collected.map((message) => ({ id: message.messageId, seq: message.seq }));
  const message = { id, session, seq, metadata, ...(others.length > 0 && { collected: others }) };
  const reply = {
    text: delivery.replyText,
    metadata: delivery.replyMetadata,
    ...(replyAttachments !== undefined && { attachments: replyAttachmentViews(id, replyAttachments) }),
  };
  const timestamp = new Date(delivery.repliedAt).toISOString();
  const body: WebhookBody =
    notice === null
      ? { type: 'message.replied', timestamp, data: { ...message, reply } }
      : { type: 'message.failed', timestamp, data: { ...message, error: notice } };
  return JSON.stringify(body);
}

/**
 * Signatures of Standard Webhooks (standardwebhooks.com, specification 1.0.0): HMAC-SHA256 over
 * `id.timestamp.body`, one for each secret, so that a receiver can change over from one to the next.
 */
export type WebhookSecret = KeyObject;

const prefix = 'whsec_';
/** The specification's limits, in bytes. */
const shortest = 24;
const longest = 64;

/** A new secret as it is written in a file: `whsec_` and 32 random bytes in base64. */
export function createWebhookSecret(): string {
  return prefix + randomBytes(32).toString('base64');
}

/**
 * Reads the secrets in force: one, or several apart by white space, all of which sign.
 *
 * @throws SecretError that says what is wrong without repeating the secret
 */
export function parseWebhookSecrets(text: string): readonly WebhookSecret[] {
  const words = text.split(/\s+/).filter((word) => word !== '');
  if (words.length === 0) throw new SecretError('There is no secret in the webhook-secret.');
  return words.map((word, index) => {
    const encoded = word.startsWith(prefix) ? word.slice(prefix.length) : '';
    const bytes = Buffer.from(encoded, 'base64');
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded) || bytes.length < shortest || bytes.length > longest) {
      throw new SecretError(
        `Secret ${index + 1} of ${words.length} in the webhook-secret can't be used; it must be "${prefix}" followed by ${shortest} to ${longest} random bytes in base64, as from: echo ${prefix}$(openssl rand -base64 32)`,
      );
    }
    return createSecretKey(bytes);
  });
}

export interface SignedHeaders {
  readonly 'webhook-id': string;
  readonly 'webhook-timestamp': string;
  readonly 'webhook-signature': string;
}

/** @param timestamp of this attempt, in seconds since the Unix epoch */
export function signWebhook(
  id: string,
  timestamp: number,
  body: string,
  secrets: readonly WebhookSecret[],
): SignedHeaders {
  const signatures = secrets.map((secret) => {
    const mac = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64');
    return `v1,${mac}`;
  });
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  };
}
