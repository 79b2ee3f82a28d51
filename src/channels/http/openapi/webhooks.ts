import { z } from 'zod';
import { anyObject, type Described, messageId, seq, sessionOf, time } from './parts.js';
import { attachment } from './views.js';

/** The requests that the gateway makes by itself: replies and notices to `reply_to.url`. */

const message = {
  id: messageId('The message.'),
  session: sessionOf('Its session.'),
  seq: seq('Its place in the session.'),
  metadata: anyObject('What came with the message.'),
  collected: z
    .array(z.object({ id: messageId('A message.'), seq: seq('Its place in the session.') }))
    .meta({ description: 'The other messages that the reply answers, if there are any.' })
    .optional(),
};

const reply = z.object({
  text: z.string(),
  metadata: anyObject('What the agent gave with its reply.'),
  attachments: z
    .array(attachment)
    .meta({ description: 'Its files, if there are any. Fetch each from its path.' })
    .optional(),
});

export const replied = z
  .object({
    type: z.literal('message.replied'),
    timestamp: time('The time of the reply.'),
    data: z.object({ ...message, reply }),
  })
  .meta({ id: 'RepliedWebhook', description: 'The reply to a message.' });

export const failed = z
  .object({
    type: z.literal('message.failed'),
    timestamp: time('The time at which the message was dead.'),
    data: z.object({ ...message, error: z.string().meta({ description: 'Why, for people.' }) }),
  })
  .meta({ id: 'FailedWebhook', description: 'A notice: the message is dead, and has no reply.' });

export type WebhookBody = Described<typeof replied> | Described<typeof failed>;

export const webhookHeaders = {
  'webhook-id': z.string().meta({
    description: 'The same at each attempt: a receiver that has seen it has the reply.',
    examples: ['msg_01a208d46fa17405ae6c4a944ef783dc'],
  }),
  'webhook-timestamp': z.string().meta({
    description: 'The time of this attempt, in seconds since the Unix epoch.',
    examples: ['1767323045'],
  }),
  'webhook-signature': z.string().meta({
    description: '`v1,` and an HMAC-SHA256 of id, timestamp and body, for each secret, apart by spaces.',
    examples: ['v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4='],
  }),
};
