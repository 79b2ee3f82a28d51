import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { endsWithin } from '../../lifecycle/effects/waits.js';
import type { ChannelContext } from '../channel.js';
import type { Hook, HookAnswer } from '../hooks.js';
import { jsonOf } from '../platform-http.js';
import { callbackSchema, type EventObject } from './event-schema.js';

/** The other way of events: Slack posts each to an address of the gateway (docs.slack.dev/apis/events-api). */

const signatureHeader = 'x-slack-signature';
const timestampHeader = 'x-slack-request-timestamp';
/** A request that is older may be one that somebody has kept, in milliseconds. */
const toleranceMs = 300_000;
/** Texts have 40,000 characters at most, and blocks repeat them. */
const limitBytes = 1024 ** 2;
/** Slack waits for 3 s, and sends the event again. What is on disk a little later is acknowledged then. */
const storeTimeoutMs = 10_000;

const challengeSchema = z.object({ type: z.literal('url_verification'), challenge: z.string().max(1_000) });

export interface EventsHookOptions {
  readonly signingSecret: string;
  /** Resolves with true once the event is on disk or need not be. */
  readonly take: (event: EventObject) => Promise<boolean>;
  /** A request has come that Slack has signed. */
  readonly heard: () => void;
  readonly clock: Pick<ChannelContext['clock'], 'now' | 'after'>;
}

const unauthorized = {
  outcome: 'unauthorized',
  detail: 'The signature is missing, wrong or too old.',
} as const;

export function eventsHook({ signingSecret, take, heard, clock }: EventsHookOptions): Hook {
  return {
    limitBytes,
    check: (headers) => (typeof headers[signatureHeader] === 'string' ? null : unauthorized),
    async handle({ headers, body }): Promise<HookAnswer> {
      if (!isSigned(headers, body, signingSecret, clock.now())) return unauthorized;
      heard();
      const value = jsonOf(body.toString());
      const challenge = challengeSchema.safeParse(value);
      if (challenge.success) return { outcome: 'taken', body: { challenge: challenge.data.challenge } };
      const callback = callbackSchema.safeParse(value);
      // Others, such as a notice about limits, were not asked for: sending them again makes nothing better.
      if (!callback.success) return { outcome: 'taken' };
      const taken = take(callback.data.event);
      if ((await endsWithin(clock, storeTimeoutMs, taken)) && (await taken)) return { outcome: 'taken' };
      return { outcome: 'unavailable', detail: 'The event is not on disk yet.' };
    },
  };
}

/** Checks the signature of the version "v0" (docs.slack.dev/authentication/verifying-requests-from-slack). */
function isSigned(
  { [signatureHeader]: given, [timestampHeader]: at }: IncomingHttpHeaders,
  body: Buffer,
  secret: string,
  now: number,
): boolean {
  if (typeof given !== 'string' || typeof at !== 'string' || !/^\d{1,12}$/.test(at)) return false;
  if (Math.abs(now - Number(at) * 1_000) > toleranceMs) return false;
  const wanted = `v0=${createHmac('sha256', secret).update(`v0:${at}:`).update(body).digest('hex')}`;
  const [found, expected] = [Buffer.from(given), Buffer.from(wanted)];
  return found.length === expected.length && timingSafeEqual(found, expected);
}
