import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { endsWithin } from '../../lifecycle/effects/waits.js';
import type { ChannelContext } from '../channel.js';
import type { Hook, HookAnswer } from '../hooks.js';
import { jsonOf } from '../platform-http.js';
import { passing } from '../trouble.js';
import type { TelegramTrouble } from './trouble.js';
import { type UpdateObject, updateSchema } from './update-schema.js';

/** The other way of updates: Telegram posts each to an address of the gateway (core.telegram.org/bots/api#setwebhook). */

const secretHeader = 'x-telegram-bot-api-secret-token';
/** Largest update, in bytes: its text has 4,096 characters at most, and the quoted one as many. */
const limitBytes = 1024 ** 2;
/** Longest wait for an update to be on disk. Telegram sends it again if the answer is no. */
const storeTimeoutMs = 20_000;

/** The secret by which Telegram's requests are told. It follows from the token, and goes with it. */
export function webhookSecret(token: string): string {
  return createHmac('sha256', token).update('sd-gateway: the secret token of the webhook').digest('hex');
}

export interface WebhookOptions {
  readonly secret: string;
  /** Resolves with true once the update is on disk. */
  readonly take: (update: UpdateObject) => Promise<boolean>;
  readonly clock: Pick<ChannelContext['clock'], 'after'>;
}

/** Takes updates one by one; Telegram sends those of a chat in their order. */
export function webhookOf({ secret, take, clock }: WebhookOptions): Hook {
  const unauthorized = { outcome: 'unauthorized', detail: 'The secret token is missing or wrong.' } as const;
  return {
    limitBytes,
    check: (headers) => (isOurs(headers, secret) ? null : unauthorized),
    async handle({ body }): Promise<HookAnswer> {
      const update = updateSchema.safeParse(jsonOf(body.toString()));
      if (!update.success) return { outcome: 'malformed', detail: 'The body is no Update of the Bot API.' };
      const taken = take(update.data);
      if ((await endsWithin(clock, storeTimeoutMs, taken)) && (await taken)) return { outcome: 'taken' };
      return { outcome: 'unavailable', detail: 'The update is not on disk yet.' };
    },
  };
}

function isOurs({ [secretHeader]: given }: IncomingHttpHeaders, secret: string): boolean {
  const wanted = Buffer.from(secret);
  const found = Buffer.from(typeof given === 'string' ? given : '');
  return found.length === wanted.length && timingSafeEqual(found, wanted);
}

const infoSchema = z.object({
  url: z.string(),
  pending_update_count: z.int().default(0),
  /** Seconds since the Unix epoch. */
  last_error_date: z.int().optional(),
  last_error_message: z.string().default('no reason'),
});

/**
 * Judges the answer of `getWebhookInfo`; null: all is well.
 *
 * @param since errors before that are over; in milliseconds since the Unix epoch
 */
export function webhookTrouble(info: unknown, url: string, since: number): TelegramTrouble | null {
  const parsed = infoSchema.safeParse(info);
  if (!parsed.success) return passing('Telegram does not say which webhook the bot has');
  const { url: found, pending_update_count: waiting } = parsed.data;
  const { last_error_date: errorAt, last_error_message: error } = parsed.data;
  if (found !== url) {
    const reason =
      'something else has taken the webhook of the bot away: stop it, or make a bot of its own for this gateway';
    return { kind: 'webhook', reason, retryAfterMs: null };
  }
  if (waiting === 0 || errorAt === undefined || errorAt * 1_000 < since) return null;
  const reason = `Telegram can't deliver to ${url} (${error}), and ${waiting} updates wait: look at http.public_url and the proxy before the gateway`;
  return { kind: 'unreachable', reason, retryAfterMs: null };
}
