import { z } from 'zod';
import { secretKeys } from './secret-keys.js';
import { timeSpan } from './values.js';

/** The keys of a bot of Telegram, beside those of every chat. */
export const telegramKeys = () => ({
  ...secretKeys(
    "File with the bot's token, which nobody else may read (mode 0600).",
    "Credential of the unit with the bot's token, in the place of `token_file`.",
  ),
  mode: z.enum(['poll', 'webhook']).default('poll').register(z.globalRegistry, {
    description:
      'Way of messages to the gateway: "poll" asks Telegram for them; "webhook" has Telegram post them to POST /hooks/NAME, and needs http.public_url.',
  }),
  api_root: z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL, such as "http://127.0.0.1:8081"' })
    .refine((url) => !/[?#@]/.test(url), 'must have no query, no fragment and no user')
    .default('https://api.telegram.org')
    .register(z.globalRegistry, {
      description:
        'Root of the Bot API. The token is sent to it: name only a Bot API server of your own in its place.',
    }),
  unknown: z.enum(['resend', 'ask', 'drop']).nullable().default(null).register(z.globalRegistry, {
    description:
      'Handling of a reply that may have arrived, as Telegram can be asked for none. Unset: delivery.unknown.',
  }),
  timeout: timeSpan(1_000, 3_600_000).prefault('30s').register(z.globalRegistry, {
    description: 'Longest wait for the answer to one send; for a file, 10 s for each megabyte more.',
  }),
  retry_for: timeSpan(0, 86_400_000).prefault('1h').register(z.globalRegistry, {
    description: 'Time for which a reply that could not be sent is tried again.',
  }),
  health_interval: timeSpan(1_000, 86_400_000).prefault('1min').register(z.globalRegistry, {
    description: 'Silence after which Telegram is asked if the bot still works.',
  }),
});
