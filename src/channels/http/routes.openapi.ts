import { z } from 'zod';
import { messageEvents, sessionEvents } from './openapi/events.js';
import { health, readiness } from './openapi/health.js';
import type { Operation } from './openapi/operation.js';
import { inSession, ofMessage, retryAfter } from './openapi/parameters.js';
import { anyObject, type Described, messageId, seq, sessionOf } from './openapi/parts.js';
import { describeAs, describeMembers } from './openapi/schemas.js';
import { message } from './openapi/views.js';
import {
  channelTarget,
  eventQuery,
  fileUrl,
  idempotencyKey,
  lastEventId,
  messageBody,
  messageQuery,
  metadata,
  replyTarget,
  urlTarget,
} from './request-schema.js';

const jsonObject = 'A JSON object: at most 16 KiB and 16 levels.';
describeAs(metadata, anyObject(jsonObject));
describeAs(replyTarget, z.union([urlTarget, channelTarget]));
z.globalRegistry.add(urlTarget, { id: 'UrlTarget', description: 'The reply is posted to a URL.' });
z.globalRegistry.add(channelTarget, {
  id: 'ChannelTarget',
  description: 'The reply goes to a chat. The token needs the scope `operate` as well.',
});
z.globalRegistry.add(fileUrl, { id: 'FileUrl', description: 'A file that the gateway fetches.' });
z.globalRegistry.add(messageBody, { id: 'NewMessage', description: 'A message to be posted.' });

describeMembers(urlTarget, {
  url: 'Where the reply is posted, as the webhook `message.replied`.',
  idempotent: 'True, the default; false: the receiver doesn’t tell by `webhook-id` that it has a reply.',
  unknown:
    'Goes with `"idempotent": false` only, and decides about a reply that may have arrived: send it again, ask a person, or drop it. Default: `delivery.unknown`.',
});
describeMembers(channelTarget, {
  channel: { description: 'The name of a channel of the configuration.', examples: ['irc'] },
  to: { description: 'An address there.', examples: ['#dev'] },
});
describeMembers(fileUrl, {
  url: 'Where the file is.',
  name: 'Its name. Default: the last part of the path.',
});
describeMembers(messageBody, {
  text: {
    description: 'The text. It may be empty beside a file. No U+0000, and no unpaired surrogate.',
    examples: ['Hello'],
  },
  reply_to: 'Where the reply goes. Default: nowhere; read it with `getMessage`.',
  metadata: 'Goes to the agent as it is. At most 16 KiB and 16 levels.',
  attachments: 'Files by their URL. A form has its files in it, and none here.',
  sender: {
    description: 'Who wrote it. The sessions of one sender get no more turns than those of another.',
    examples: ['ada'],
  },
});
z.globalRegistry.add(idempotencyKey, {
  description: 'The same key and content again is the same message. A name space of its own in each session.',
  examples: ['8f14e45f'],
});
describeMembers(messageQuery, {
  wait: 'Seconds to wait for a reply, or until the message is dead; at most `http.wait_limit`. Not with `stream`.',
  stream: '`true`: the answer is a stream of events of this message, until it has come to its end.',
});
describeMembers(eventQuery, { after: 'Begin behind the message with this number.' });
z.globalRegistry.add(lastEventId, {
  description: 'The id of the last event that the client has seen. It counts before `after`.',
  examples: ['8.482917'],
});

const accepted = z
  .object({
    id: messageId('The id of the message.'),
    session: sessionOf('The session.'),
    seq: seq('The place of the message in its session.'),
    state: z.literal('queued'),
  })
  .meta({ id: 'AcceptedMessage', description: 'The message is on disk.' });

export type AcceptedMessage = Described<typeof accepted>;

export const healthOperations: readonly Operation[] = [
  {
    method: 'GET',
    url: '/healthz',
    id: 'getHealth',
    tag: 'Health',
    summary: 'Tell if the process serves',
    access: 'open',
    answers: { 200: { description: 'It does.', content: { 'application/json': health } } },
  },
  {
    method: 'GET',
    url: '/readyz',
    id: 'getReadiness',
    tag: 'Health',
    summary: 'Tell if the gateway takes messages',
    description: 'It needs no token. With one of the scope `read` the words of a trouble are shown.',
    access: 'open',
    answers: { 200: { description: 'It does.', content: { 'application/json': readiness } } },
    problems: ['not-ready'],
  },
];

export const messageOperations: readonly Operation[] = [
  {
    method: 'POST',
    url: '/v1/sessions/:session/messages',
    id: 'postMessage',
    tag: 'Messages',
    summary: 'Post a message',
    description:
      'The answer comes once the message, with its files, is on disk. The first message of a session makes the session. After a lost connection, or an answer with `Retry-After`, send it again with the same `Idempotency-Key`. A session of a channel, such as `irc:ada`, needs the scope `operate` as well.',
    path: inSession,
    headers: { 'Idempotency-Key': idempotencyKey.optional() },
    body: {
      required: true,
      content: { 'application/json': messageBody, 'multipart/form-data': { message: messageBody } },
      examples: {
        text: { text: 'Hello' },
        webhook: {
          text: 'Hello',
          reply_to: { url: 'https://example.org/replies' },
          metadata: { from: 'ada' },
        },
        channel: { text: 'Hello', reply_to: { channel: 'irc', to: '#dev' } },
        files: { text: 'What is this?', attachments: [{ url: 'https://example.org/photo.png' }] },
      },
    },
    answers: {
      202: {
        description: 'The message is accepted: it is on disk.',
        headers: {
          Location: { description: 'The address of the message.', schema: z.string(), always: true },
          'Idempotency-Replayed': {
            description: 'There if the message was accepted before, under the same key.',
            schema: z.literal('true'),
          },
        },
        content: { 'application/json': accepted },
        example: {
          id: '01a208d4-6fa1-7405-ae6c-4a944ef783dc',
          session: 'chat:42',
          seq: 1,
          state: 'queued',
        },
      },
    },
    problems: ['idempotency-conflict', 'queue-full', 'too-many-uploads'],
  },
  {
    method: 'GET',
    url: '/v1/messages/:id',
    id: 'getMessage',
    tag: 'Messages',
    summary: 'Read a message, wait for its reply, or follow it',
    description:
      'With `wait` the answer comes once the message has a reply or is dead, or after that time with its state by then.',
    path: ofMessage,
    query: messageQuery,
    answers: {
      200: {
        description: 'The message; with `stream=true` its events.',
        headers: {
          'Retry-After': {
            description: 'There if the gateway stops before the message has come to its end: ask again.',
            schema: retryAfter.schema,
          },
        },
        content: {
          'application/json': message,
          'text/event-stream': {
            events: messageEvents,
            description: 'Ends with the event `message`. If it ends before, ask again.',
            example:
              'event: state\ndata: {"id":"01a208d4-6fa1-7405-ae6c-4a944ef783dc","state":"running"}\n\nevent: delta\ndata: {"id":"01a208d4-6fa1-7405-ae6c-4a944ef783dc","position":1,"text":"Hel"}\n\n',
          },
        },
      },
    },
    problems: ['unknown-message'],
  },
];

export const eventOperations: readonly Operation[] = [
  {
    method: 'GET',
    url: '/v1/sessions/:session/events',
    id: 'followSession',
    tag: 'Messages',
    summary: 'Follow a session as a stream of events',
    description:
      'Each message of the session is an event once it has come to its end, in the order of `seq`; its text comes as it is written. Connect again with the last id as `Last-Event-ID`: nothing is missed. Without it the stream has only events from now on.',
    path: inSession,
    query: eventQuery,
    headers: { 'Last-Event-ID': lastEventId.optional() },
    answers: {
      200: {
        description: 'The events, until the client goes or the gateway stops.',
        content: {
          'text/event-stream': {
            events: sessionEvents,
            description:
              'The first event is `begin` or `reset`. The events `begin`, `reset` and `message` have an id. Pass over events of a type that you don’t know.',
            example:
              'id: 7.113041\nretry: 1000\nevent: begin\ndata: {"session":"chat:42","after":7}\n\nevent: delta\ndata: {"id":"01a208d4-6fa1-7405-ae6c-4a944ef783dc","position":1,"text":"Hel"}\n\n',
          },
        },
      },
    },
  },
];
