import { expect, it } from 'vitest';
import { openApiDocument } from '../../../../src/channels/http/openapi/document.js';
import { breakingChanges } from '../../../support/openapi/breaking-changes.js';

const kept = openApiDocument('1.0.0');

// biome-ignore lint/suspicious/noExplicitAny: the tests change the description in many places
type Changed = any;

const copy = (): Changed => structuredClone(kept);
const message = (document: Changed) => document.components.schemas.Message;
const newMessage = (document: Changed) => document.components.schemas.NewMessage;
const post = (document: Changed) => document.paths['/v1/sessions/{session}/messages'].post;

it.each<[string, (document: Changed) => void, string]>([
  ['a call', (changed) => delete changed.paths['/v1/dead'], 'GET /v1/dead is gone'],
  ['a method', (changed) => delete changed.paths['/v1/tokens'].post, 'POST /v1/tokens is gone'],
  [
    'a status',
    (changed) => delete post(changed).responses[429],
    'POST /v1/sessions/{session}/messages 429 is gone',
  ],
  [
    'a kind of error',
    (changed) => changed.components.responses.QuestionClosed['x-problems'].pop(),
    'POST /v1/questions/{code} 409 error question-closed is gone',
  ],
  [
    'a header of an answer',
    (changed) => delete post(changed).responses[202].headers.Location,
    'POST /v1/sessions/{session}/messages 202 header Location is gone',
  ],
  [
    'a form of a request',
    (changed) => delete post(changed).requestBody.content['multipart/form-data'],
    'POST /v1/sessions/{session}/messages body multipart/form-data is gone',
  ],
  [
    'a parameter',
    (changed) => changed.paths['/v1/messages/{id}'].get.parameters.pop(),
    'GET /v1/messages/{id} stream is gone',
  ],
  ['a member of an answer', (changed) => delete message(changed).properties.reply, 'Message reply is gone'],
  [
    'a member of a request',
    (changed) => delete newMessage(changed).properties.sender,
    'NewMessage sender is gone',
  ],
  [
    'a type of events',
    (changed) =>
      delete changed.paths['/v1/sessions/{session}/events'].get.responses[200].content['text/event-stream'][
        'x-events'
      ].delta,
    'GET /v1/sessions/{session}/events 200 event delta is gone',
  ],
  ['a webhook', (changed) => delete changed.webhooks['message.failed'], 'message.failed is gone'],
  [
    'a member of a webhook',
    (changed) => delete changed.components.schemas.RepliedWebhook.properties.data.properties.seq,
    'RepliedWebhook data seq is gone',
  ],
])('%s that is removed breaks clients', (_name, change, found) => {
  const changed = copy();
  change(changed);
  expect(breakingChanges(kept, changed)).toEqual([found]);
});

it.each<[string, (document: Changed) => void, string]>([
  [
    'a new required member of a request',
    (changed) => {
      newMessage(changed).properties.user = { type: 'string' };
      newMessage(changed).required.push('user');
    },
    'NewMessage user is required',
  ],
  [
    'a member of a request that is required from now on',
    (changed) => newMessage(changed).required.push('sender'),
    'NewMessage sender is required',
  ],
  [
    'a new required parameter',
    (changed) => changed.paths['/v1/dead'].get.parameters.push({ name: 'x', in: 'query', required: true }),
    'GET /v1/dead x is required',
  ],
  [
    'a body that is required from now on',
    (changed) => {
      changed.paths['/v1/messages/{id}/cancel'].post.requestBody = { required: true, content: {} };
    },
    'POST /v1/messages/{id}/cancel body is required',
  ],
  [
    'a right that was not needed',
    (changed) => {
      changed.paths['/v1/dead'].get.security = [{ token: ['operator'] }];
    },
    'GET /v1/dead needs another right',
  ],
  [
    'a member of an answer that may be missing from now on',
    (changed) => message(changed).required.shift(),
    'Message id may be missing',
  ],
  [
    'a member of an answer that may be null from now on',
    (changed) => {
      message(changed).properties.text = { type: ['string', 'null'] };
    },
    'Message text has another type',
  ],
  [
    'a variant of an answer that was not there',
    (changed) => message(changed).properties.reply.anyOf.push({ type: 'string' }),
    'Message reply has another variant',
  ],
  [
    'a value of a closed list that was not there',
    (changed) => changed.components.schemas.MessageState.enum.push('paused'),
    'MessageState has other values',
  ],
  [
    'a value that is no longer taken',
    (changed) => changed.components.schemas.UrlTarget.properties.unknown.enum.pop(),
    'NewMessage reply_to has another variant',
  ],
  [
    'a bound of a request that is narrower',
    (changed) => {
      newMessage(changed).properties.sender.maxLength = 64;
    },
    'NewMessage sender has narrower bounds',
  ],
  [
    'another name in generated clients',
    (changed) => {
      changed.paths['/v1/dead'].get.operationId = 'dead';
    },
    'GET /v1/dead has another operationId',
  ],
])('%s breaks clients', (_name, change, found) => {
  const changed = copy();
  change(changed);
  expect(breakingChanges(kept, changed)).toEqual([found]);
});

it('finds nothing where nothing has changed', () => {
  expect(breakingChanges(kept, copy())).toEqual([]);
});

it.each<[string, (document: Changed) => void]>([
  [
    'a member of an answer',
    (changed) => {
      message(changed).properties.trace = { type: 'string' };
      message(changed).required.push('trace');
    },
  ],
  [
    'an optional member of a request',
    (changed) => {
      newMessage(changed).properties.trace = { type: 'string' };
    },
  ],
  [
    'a value that is taken as well',
    (changed) => changed.components.schemas.UrlTarget.properties.unknown.enum.push('hold'),
  ],
  [
    'a word in an open list',
    (changed) => changed.components.schemas.Session.properties.policy.anyOf[0]['x-extensible-enum'].push('x'),
  ],
  [
    'a call, a status, a parameter and a webhook',
    (changed) => {
      changed.paths['/v1/more'] = { get: { operationId: 'more', responses: { 200: {} } } };
      post(changed).responses[418] = { description: 'A teapot.' };
      post(changed).parameters.push({ name: 'x', in: 'query', schema: {} });
      changed.webhooks['message.cancelled'] = {};
    },
  ],
  [
    'other words',
    (changed) => {
      post(changed).summary = 'Send a message';
      message(changed).properties.text.description = 'Its words.';
    },
  ],
])('%s that comes breaks nobody', (_name, change) => {
  const changed = copy();
  change(changed);
  expect(breakingChanges(kept, changed)).toEqual([]);
});
