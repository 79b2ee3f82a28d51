import { afterEach, beforeEach, expect, test } from 'vitest';
import { StoreError } from '../../../../src/store/store-error.js';
import { bodyOf } from '../http-fixture.js';
import { errorOf, type ServedFront, serveFront } from './front-fixture.js';

let front: ServedFront;

beforeEach(async () => {
  front = await serveFront();
});
afterEach(() => front.dispose());

test('lists the agents as models', async () => {
  expect(await (await front.call('GET', '/v1/models')).json()).toEqual({
    object: 'list',
    data: ['default', 'fast'].map((id) => ({
      id,
      object: 'model',
      created: expect.any(Number),
      owned_by: 'sd-gateway',
    })),
  });
  expect(await (await front.call('GET', '/v1/models/fast')).json()).toMatchObject({ id: 'fast' });
  expect(await errorOf(front.call('GET', '/v1/models/slow'))).toMatchObject({
    status: 404,
    error: { code: 'model_not_found' },
  });
});

test.each([
  ['GET', '/v1/models/a/b', 404, 'unknown_url'],
  ['GET', '/v1/chat', 404, 'unknown_url'],
  ['POST', '/v1/responses/x/y/z', 404, 'unknown_url'],
  ['POST', '/v1/conversations/x/y', 404, 'unknown_url'],
  ['DELETE', '/v1/models', 405, 'method_not_supported'],
  ['GET', '/v1/chat/completions', 405, 'method_not_supported'],
] as const)('%s %s is %i in the shape of errors', async (method, path, status, code) => {
  const answer = await errorOf(front.call(method, path));
  expect(answer).toMatchObject({ status, error: { type: 'invalid_request_error', code, param: null } });
  expect(answer.error.message).not.toBe('');
  expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
});

test('a token is needed, with the scope', async () => {
  const none = await errorOf(fetch(`${front.base}/v1/models`));
  expect(none).toMatchObject({ status: 401, error: { code: 'invalid_api_key' } });
  expect(none.headers.get('www-authenticate')).toMatch(/^Bearer/);
  const reader = await front.token('reader', ['post', 'read', 'operate']);
  expect(await errorOf(front.call('GET', '/v1/models', undefined, {}, reader))).toMatchObject({
    status: 403,
    error: { code: 'insufficient_permissions' },
  });
  const client = await front.token('client', ['openai']);
  expect((await front.call('GET', '/v1/models', undefined, {}, client)).status).toBe(200);
  expect((await front.call('GET', '/v1/sessions', undefined, {}, client)).status).toBe(403);
});

test('the metrics count its errors', async () => {
  const kinds: string[] = [];
  const counted = await serveFront({}, { channel: { onProblem: (kind) => kinds.push(kind) } });
  await fetch(`${counted.base}/v1/models`);
  await counted.call('GET', '/v1/models/slow');
  await counted.call('POST', '/v1/chat/completions', '{');
  await counted.call('DELETE', '/v1/models');
  await counted.dispose();
  expect(kinds).toEqual(['unauthorized', 'not-found', 'malformed-request', 'method-not-allowed']);
});

test('a token that posts may not write into sessions of this API', async () => {
  const poster = await front.token('poster', ['post']);
  const path = '/v1/sessions/openai:client:chat/messages';
  expect((await front.call('POST', path, { text: 'x' }, {}, poster)).status).toBe(403);
});

test('a body that is no JSON, has a wrong type or an encoding', async () => {
  const path = '/v1/chat/completions';
  expect(await errorOf(front.call('POST', path, '{'))).toMatchObject({
    status: 400,
    error: { code: 'malformed_request' },
  });
  expect(await errorOf(front.call('POST', path, '{}', { 'content-type': 'text/plain' }))).toMatchObject({
    status: 415,
  });
  expect(await errorOf(front.call('POST', path, {}))).toMatchObject({
    status: 400,
    error: { param: 'model', code: 'invalid_message' },
  });
});

test('full queues are 429 with the time to come again', async () => {
  await front.dispose();
  front = await serveFront({}, { settings: { queue: { session: 1, total: 1 } } });
  const body = { model: 'default', messages: [{ role: 'user', content: 'x' }], stream: true };
  const first = await front.call('POST', '/v1/chat/completions', body, { 'x-session-id': 'a' });
  const full = await errorOf(front.call('POST', '/v1/chat/completions', body, { 'x-session-id': 'a' }));
  expect(full).toMatchObject({
    status: 429,
    error: { type: 'rate_limit_error', code: 'rate_limit_exceeded' },
  });
  expect(full.headers.get('retry-after')).toBe('7');
  await first.body?.cancel();
});

test('a store that fails is a 503 that may be tried again', async () => {
  await front.dispose();
  const failing = async () => {
    throw new StoreError('unavailable', 'The disk is away.');
  };
  front = await serveFront({}, { over: { accept: failing } });
  const body = { model: 'default', messages: [{ role: 'user', content: 'x' }] };
  const answer = await errorOf(front.call('POST', '/v1/chat/completions', body));
  expect(answer).toMatchObject({ status: 503, error: { type: 'server_error', code: 'store_unavailable' } });
  expect(answer.headers.get('retry-after')).not.toBeNull();
});

test('nothing of it is there while it is not enabled; a reload changes that', async () => {
  await front.dispose();
  let isEnabled = false;
  const settings = { sessionHeaders: [], chatHeaders: [], expireMs: 60_000, bodyLimitBytes: 2_000 };
  front = await serveFront({}, { channel: { openAi: () => ({ ...settings, isEnabled }) } });
  const closed = await front.call('GET', '/v1/models');
  expect(closed.status).toBe(404);
  expect((await bodyOf(closed)).type).toBe('urn:sd-gateway:problem:not-found');
  isEnabled = true;
  expect((await front.call('GET', '/v1/models')).status).toBe(200);
  settings.bodyLimitBytes = 1_024;
  const large = { model: 'default', messages: [{ role: 'user', content: 'x'.repeat(1_500) }] };
  expect(await errorOf(front.call('POST', '/v1/chat/completions', large))).toMatchObject({ status: 413 });
  isEnabled = false;
  expect((await front.call('GET', '/v1/models')).status).toBe(404);
});
