import { z } from 'zod';
import { secretKeys } from './secret-keys.js';
import { timeSpan } from './values.js';

/** The keys of an account of Matrix, beside those of every chat. */
export const matrixKeys = () => ({
  ...secretKeys(
    "File with the account's access token, which nobody else may read (mode 0600).",
    "Credential of the unit with the account's access token, in the place of `token_file`.",
  ),
  homeserver: z
    .url({
      protocol: /^https?$/,
      error: 'must be an http or https URL, such as "https://matrix.example.org"',
    })
    .refine((url) => !/[?#@]/.test(url), 'must have no query, no fragment and no user')
    .register(z.globalRegistry, {
      description: 'URL of the homeserver of the account, below which /_matrix is. The token is sent to it.',
    }),
  invites: z.enum(['allowed', 'all', 'none']).default('allowed').register(z.globalRegistry, {
    description:
      'Invitations to rooms that the account accepts. "allowed": of persons who may write, and with `pairing` those of strangers to a private room, ten an hour; "all"; or "none".',
  }),
  stream: z.enum(['typing', 'edits', 'none']).default('typing').register(z.globalRegistry, {
    description:
      'Way in which a turn that runs is shown: by the sign of typing; by the text so far, in a message that is edited every ten seconds at most; or not at all.',
  }),
  unknown: z.enum(['resend', 'ask', 'drop']).nullable().default(null).register(z.globalRegistry, {
    description:
      'Handling of a reply that may have arrived, where neither its transaction id nor the room\'s messages tell. Unset: "resend".',
  }),
  timeout: timeSpan(1_000, 3_600_000).prefault('30s').register(z.globalRegistry, {
    description: 'Longest wait for the answer to one send; for a file, 10 s for each megabyte more.',
  }),
  retry_for: timeSpan(0, 86_400_000).prefault('1h').register(z.globalRegistry, {
    description: 'Time for which a reply that could not be sent is tried again.',
  }),
});
