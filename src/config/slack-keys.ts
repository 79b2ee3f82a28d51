import { z } from 'zod';
import { secretCredential, secretFile, secretKeys } from './secret-keys.js';
import { timeSpan } from './values.js';

/** The keys of an app of Slack, beside those of every chat. */
export const slackKeys = () => ({
  ...secretKeys(
    'File with the token of the bot ("xoxb-…"), which nobody else may read (mode 0600).',
    'Credential of the unit with the token of the bot, in the place of `token_file`.',
  ),
  mode: z.enum(['socket', 'events']).default('socket').register(z.globalRegistry, {
    description:
      'Way of messages to the gateway: "socket" is Socket Mode, a connection from here; "events" has Slack post them to POST /hooks/NAME.',
  }),
  app_token_file: secretFile(
    'File with the token of the app ("xapp-…"), which Socket Mode needs (mode 0600).',
  ),
  app_token_credential: secretCredential(
    'Credential of the unit with the token of the app, in the place of `app_token_file`.',
  ),
  signing_secret_file: secretFile(
    'File with the signing secret of the app, by which mode = "events" tells Slack\'s requests (mode 0600).',
  ),
  signing_secret_credential: secretCredential(
    'Credential of the unit with the signing secret, in the place of `signing_secret_file`.',
  ),
  threads: z.boolean().default(true).register(z.globalRegistry, {
    description:
      'Answer a message of a channel in a thread of its own, which is a session. False: the channel is one session, and the answer stands in it.',
  }),
  api_root: z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL, such as "https://slack.com/api"' })
    .refine((url) => !/[?#@]/.test(url), 'must have no query, no fragment and no user')
    .default('https://slack.com/api')
    .register(z.globalRegistry, {
      description: 'Root of the Web API. The tokens are sent to it.',
    }),
  unknown: z.enum(['resend', 'ask', 'drop']).nullable().default(null).register(z.globalRegistry, {
    description:
      "Handling of a reply that may have arrived, if Slack can't be asked for it, as the app may not read the conversation. Unset: it is set aside as dead.",
  }),
  timeout: timeSpan(1_000, 3_600_000).prefault('30s').register(z.globalRegistry, {
    description: 'Longest wait for the answer to one send; for a file, 10 s for each megabyte more.',
  }),
  retry_for: timeSpan(0, 86_400_000).prefault('1h').register(z.globalRegistry, {
    description: 'Time for which a reply that could not be sent is tried again.',
  }),
  health_interval: timeSpan(1_000, 86_400_000).prefault('1min').register(z.globalRegistry, {
    description: 'Silence after which Slack is asked if the app still works.',
  }),
});
