import { z } from 'zod';
import type { Operation } from './openapi/operation.js';
import { inSession, ofMessage, page } from './openapi/parameters.js';
import { type Described, messageId, seq, sessionOf } from './openapi/parts.js';
import { message, messagePage } from './openapi/views.js';

const cancelled = z
  .object({
    session: sessionOf('The session.'),
    cancelled: z
      .array(z.object({ id: messageId('A message.'), seq: seq('Its number.') }))
      .meta({ description: 'The messages that were cancelled just now, in the order of `seq`.' }),
  })
  .meta({ id: 'CancelledSession' });

export type CancelledSession = Described<typeof cancelled>;

const theMessage = { 200: { description: 'The message.', content: { 'application/json': message } } };

export const actionOperations: readonly Operation[] = [
  {
    method: 'POST',
    url: '/v1/messages/:id/cancel',
    id: 'cancelMessage',
    tag: 'Messages',
    summary: 'Cancel a message that waits or runs',
    description: 'The cancel is on disk before the answer. Twice is the same as once.',
    path: ofMessage,
    answers: theMessage,
    problems: ['unknown-message', 'not-cancellable'],
  },
  {
    method: 'POST',
    url: '/v1/sessions/:session/cancel',
    id: 'cancelSession',
    tag: 'Sessions',
    summary: 'Cancel all that waits and runs in a session',
    path: inSession,
    answers: {
      200: { description: 'The messages that were cancelled.', content: { 'application/json': cancelled } },
    },
    problems: ['unknown-session'],
  },
  {
    method: 'GET',
    url: '/v1/dead',
    id: 'listDeadMessages',
    tag: 'Dead letters',
    summary: 'List the dead messages, in the order in which they were accepted',
    query: page,
    answers: { 200: { description: 'A page of them.', content: { 'application/json': messagePage } } },
  },
  {
    method: 'POST',
    url: '/v1/messages/:id/retry',
    id: 'retryMessage',
    tag: 'Dead letters',
    summary: 'Have a dead message go on where it ended',
    description: 'Its turn runs again, or its reply is sent again under the same `webhook-id`.',
    path: ofMessage,
    answers: theMessage,
    problems: ['unknown-message', 'not-dead', 'busy'],
  },
  {
    method: 'POST',
    url: '/v1/messages/:id/discard',
    id: 'discardMessage',
    tag: 'Dead letters',
    summary: 'Give up a dead message, or a reply that waits to be delivered',
    path: ofMessage,
    answers: theMessage,
    problems: ['unknown-message', 'not-dead', 'busy'],
  },
];
