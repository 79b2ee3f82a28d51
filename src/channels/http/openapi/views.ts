import { z } from 'zod';
import { sessionPolicies, turnWaits } from '../../../store/messages.js';
import { anyObject, type Described, messageId, oneOf, pageOf, seq, sessionOf, time } from './parts.js';

/**
 * The answers that several routes give. views.ts makes them, and takes only their types from here: no answer is checked at
 * run time, and no start loads this file.
 */

export const attachment = z
  .object({
    name: z.string().meta({ description: 'The file name, never a path.', examples: ['photo.png'] }),
    media_type: z
      .string()
      .meta({ description: 'The media type, in the words of its sender.', examples: ['image/png'] }),
    size: z
      .int()
      .min(0)
      .meta({ description: 'Bytes.', examples: [48211] }),
    sha256: z.string().meta({ description: 'SHA-256 of the content, in hexadecimal digits.' }),
    path: z.string().meta({
      description: 'The path of the download on this gateway.',
      examples: ['/v1/messages/01a208d4-6fa1-7405-ae6c-4a944ef783dc/attachments/1'],
    }),
  })
  .meta({ id: 'Attachment', description: 'A file of a message or of a reply.' });

const usage = z
  .object({
    input_tokens: z.int().min(0),
    output_tokens: z.int().min(0),
  })
  .meta({ id: 'TokenUsage', description: 'Tokens of a turn, as the server of the model counts them.' });

const reply = z
  .object({
    text: z.string(),
    metadata: anyObject('What the agent gave with its reply.'),
    attachments: z.array(attachment),
    at: time('The time of the reply.'),
    usage: usage.nullable().meta({ description: 'Null if the agent does not tell it.' }),
  })
  .meta({ id: 'Reply', description: 'The reply of the agent.' });

const delivery = z
  .object({
    kind: oneOf(['reply', 'notice'], 'A notice tells that the message is dead and has no reply.'),
    webhook_id: z.string().meta({
      description: 'The `webhook-id` of all its attempts.',
      examples: ['msg_01a208d46fa17405ae6c4a944ef783dc'],
    }),
    attempts: z.int().min(0).meta({ description: 'Attempts begun so far.' }),
    next_attempt_at: time('The time of the next attempt; null if none is due.').nullable(),
    delivered_at: time('The time at which it was delivered; null before that.').nullable(),
    last_error: z.string().nullable().meta({ description: 'Why the last attempt failed, for people.' }),
    unknown: z.int().min(0).meta({
      description: 'Attempts that began, and of which nobody knows if the reply arrived.',
    }),
  })
  .meta({ id: 'Delivery', description: 'The delivery of a reply, or of a notice, to `reply_to`.' });

export const messageState = z
  .enum(['queued', 'running', 'replied', 'delivered', 'dead', 'cancelled', 'collected'])
  .meta({
    id: 'MessageState',
    description:
      '`queued` waits for its turn. `running`: its turn is under way. `replied` has a reply. `delivered`: the reply was delivered to `reply_to`. `dead` failed, for a person to see to. `cancelled` was cancelled or discarded. `collected` is part of the turn of the message `collected_in`.',
  });

export const message = z
  .object({
    id: messageId('The id of the message.'),
    session: sessionOf('The session of the message.'),
    seq: seq('The place in the session: 1, 2, 3 and so on, without a gap.'),
    state: messageState,
    waiting_for: oneOf(turnWaits, 'While it is running: what its turn waits for. Else null.').nullable(),
    text: z.string(),
    metadata: anyObject('What came with the message.'),
    sender: z.string().nullable().meta({ description: 'Who wrote it, if that is known.' }),
    accepted_at: time('The time at which it was accepted.'),
    changed_at: time('The time at which it got to its present state.'),
    attempts: z.int().min(0).meta({ description: 'Attempts of its turn begun so far.' }),
    attachments: z.array(attachment),
    reply: reply.nullable().meta({ description: 'Null as long as there is none.' }),
    delivery: delivery.nullable().meta({ description: 'Null if nothing is to be delivered.' }),
    error: z
      .string()
      .nullable()
      .meta({ description: 'Why it is dead, or why the last attempt failed, for people.' }),
    collected_in: messageId('The message whose turn this one is part of; else null.').nullable(),
  })
  .meta({ id: 'Message', description: 'A message, with its reply once it has one.' });

export type MessageView = Described<typeof message>;
export type AttachmentView = Described<typeof attachment>;

export const messagePage = pageOf(message, 'A page of messages.').meta({ id: 'MessagePage' });

export const session = z
  .object({
    session: sessionOf('The name of the session.'),
    last_seq: z.int().min(0).meta({ description: 'The number of its last message; 0 if it has none.' }),
    waiting: z.int().min(0).meta({ description: 'Messages that wait for their turn.' }),
    running: z.boolean().meta({ description: 'True while a turn of it is under way.' }),
    last_accepted_at: time('The time at which its last message was accepted.'),
    policy: oneOf(sessionPolicies, 'The policy of its own; null: `dispatch.policy` holds.').nullable(),
    agent: z
      .string()
      .nullable()
      .meta({ description: 'The agent that was chosen; null: none.', examples: ['default'] }),
    generation: z.int().min(1).meta({ description: 'Raised by each reset; 1 for the first.' }),
  })
  .meta({ id: 'Session', description: 'A session: an ordered conversation, one turn at a time.' });

export type SessionView = Described<typeof session>;

export const question = z
  .object({
    code: z.string().meta({ description: 'The code by which it is answered, once.' }),
    state: oneOf(
      ['open', 'allowed', 'denied', 'timeout', 'expired'],
      '`open`: the agent waits. `timeout`: nobody answered in time, which is a no. `expired`: the attempt that asked was cut off; an answer still counts if the turn can run again.',
    ),
    session: sessionOf('The session of the message.'),
    message: messageId('The message whose turn asks.'),
    attempt: z.int().min(1).meta({ description: 'The attempt of the turn that asks.' }),
    agent: z.string().meta({ description: 'The agent that asks.' }),
    kind: z.string().meta({ description: 'The kind of the tool.', examples: ['execute'] }),
    title: z.string().meta({ description: 'What the agent wants to do, for people.' }),
    input: z
      .string()
      .nullable()
      .meta({ description: 'The arguments of the tool as JSON text; null: there are none.' }),
    input_cut: z.boolean().meta({ description: 'True if `input` is not the whole of them.' }),
    options: z
      .array(z.object({ name: z.string(), effect: z.enum(['allow', 'deny']) }))
      .meta({ description: 'The answers that the agent offers, by the names that it gives them.' }),
    asked_at: time('The time at which it was asked.'),
    expires_at: time('The time at which it counts as a no.'),
  })
  .meta({ id: 'Question', description: 'A question of an agent before it uses a tool, for a person.' });

export type QuestionView = Described<typeof question>;
