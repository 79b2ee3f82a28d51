import { z } from 'zod';
import { secretKeys } from './secret-keys.js';
import { timeSpan } from './values.js';

/** The keys of a bot of Discord, beside those of every chat. */
export const discordKeys = () => ({
  ...secretKeys(
    "File with the bot's token, which nobody else may read (mode 0600).",
    "Credential of the unit with the bot's token, in the place of `token_file`.",
  ),
  message_content: z.boolean().default(false).register(z.globalRegistry, {
    description:
      'Have Discord tell the text of messages of servers that do not mention the bot. Switch "Message Content Intent" on at the bot\'s page first. groups = "all" needs it, and turns it on.',
  }),
  api_root: z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL, such as "http://127.0.0.1:8082/api"' })
    .refine((url) => !/[?#@]/.test(url), 'must have no query, no fragment and no user')
    .default('https://discord.com/api')
    .register(z.globalRegistry, {
      description:
        "Root of Discord's API. The token is sent to it: name only a stand-in or a proxy of your own in its place.",
    }),
  unknown: z.enum(['resend', 'ask', 'drop']).nullable().default(null).register(z.globalRegistry, {
    description:
      'Handling of a reply that may have arrived, where neither its number nor the channel\'s messages tell. Unset: "resend".',
  }),
  timeout: timeSpan(1_000, 3_600_000).prefault('30s').register(z.globalRegistry, {
    description: 'Longest wait for the answer to one send; for a file, 10 s for each megabyte more.',
  }),
  retry_for: timeSpan(0, 86_400_000).prefault('1h').register(z.globalRegistry, {
    description: 'Time for which a reply that could not be sent is tried again.',
  }),
});
