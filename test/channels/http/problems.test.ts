import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { StoreError } from '../../../src/store/store-error.js';
import { bodyOf, rawConnection, type Served, serve, token } from './http-fixture.js';

let served: Served;

beforeAll(async () => {
  served = await serve();
});

afterAll(() => served.dispose());

const messages = '/v1/sessions/a/messages';
const json = { 'content-type': 'application/json' };
const nested = (depth: number): object => (depth === 0 ? {} : { a: nested(depth - 1) });

interface Row {
  readonly what: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | object | Buffer<ArrayBuffer>;
  readonly status: number;
  readonly kind: string;
  readonly errors?: readonly object[];
}

const rows: readonly Row[] = [
  { what: 'no such address', path: '/v1/nothing', status: 404, kind: 'not-found' },
  { what: 'no such message', path: '/v1/messages/x', status: 404, kind: 'unknown-message' },
  {
    what: 'no such message, by a UUID',
    path: '/v1/messages/01900000-0000-7000-8000-000000000000?wait=60',
    status: 404,
    kind: 'unknown-message',
  },
  { what: 'no such session', path: '/v1/sessions/none/messages', status: 404, kind: 'unknown-session' },
  {
    what: 'a wrong percent-encoding',
    path: '/v1/sessions/%ff/messages',
    status: 400,
    kind: 'malformed-request',
  },
  {
    what: 'an overlong part of the address',
    path: `/v1/sessions/${'x'.repeat(2_000)}/messages`,
    status: 414,
    kind: 'address-too-long',
  },
  { what: 'DELETE', path: messages, method: 'DELETE', status: 405, kind: 'method-not-allowed' },
  {
    what: 'PUT of a message',
    path: '/v1/messages/x',
    method: 'PUT',
    body: '{',
    status: 405,
    kind: 'method-not-allowed',
  },
  {
    what: 'POST to sessions',
    path: '/v1/sessions',
    method: 'POST',
    body: {},
    status: 405,
    kind: 'method-not-allowed',
  },
  {
    what: 'POST to health',
    path: '/healthz',
    method: 'POST',
    body: {},
    status: 405,
    kind: 'method-not-allowed',
  },
  ...['a b', 'a/b', 'é', 'a\n', '', 'x'.repeat(129), '💥'].map((name) => ({
    what: `the session ${JSON.stringify(name)}`,
    path: `/v1/sessions/${encodeURIComponent(name)}/messages`,
    method: 'POST',
    body: { text: 'x' },
    status: 400,
    kind: 'invalid-parameter',
  })),
  ...['-1', 'x', '1e3', '', '99999999999'].map((wait) => ({
    what: `wait=${wait}`,
    path: `/v1/messages/x?wait=${wait}`,
    status: 400,
    kind: 'invalid-parameter',
    errors: [{ parameter: 'wait', detail: 'must be a number of seconds' }],
  })),
  {
    what: 'an unknown parameter',
    path: '/v1/messages/x?wiat=1',
    status: 400,
    kind: 'invalid-parameter',
    errors: [{ parameter: 'wiat', detail: 'is not a known parameter' }],
  },
  { what: 'a parameter twice', path: '/v1/messages/x?wait=1&wait=2', status: 400, kind: 'invalid-parameter' },
  { what: 'limit=0', path: '/v1/sessions?limit=0', status: 400, kind: 'invalid-parameter' },
  { what: 'limit=1001', path: '/v1/sessions?limit=1001', status: 400, kind: 'invalid-parameter' },
  { what: 'a cursor of nobody', path: '/v1/sessions?after=x', status: 400, kind: 'invalid-parameter' },
  { what: 'no body', method: 'POST', headers: json, status: 400, kind: 'malformed-request' },
  {
    what: 'malformed JSON',
    method: 'POST',
    headers: json,
    body: '{"text":',
    status: 400,
    kind: 'malformed-request',
  },
  ...['{"text":"gr\xfc\xdfe"}', '{"text":"\xed\xa0\x80"}', '{"text":"x","metadata":{"\xff":1}}'].map(
    (body) => ({
      what: `bytes that are no UTF-8: ${body}`,
      method: 'POST',
      headers: json,
      body: Buffer.from(body, 'latin1'),
      status: 400,
      kind: 'malformed-request',
    }),
  ),
  {
    what: 'a number that would be null in the store',
    method: 'POST',
    headers: json,
    body: '{"text":"x","metadata":{"a":[1e308,-1e400]}}',
    status: 422,
    kind: 'invalid-message',
    errors: [{ pointer: '#/metadata', detail: 'must not hold a number beyond double precision' }],
  },
  ...[
    ['{"text":"x","__proto__":{}}', '#/__proto__'],
    ['{"text":"x","metadata":{"a/b":[1,{"\\u005f_proto__":1}]}}', '#/metadata/a~1b/1/__proto__'],
  ].map(([body = '', pointer]) => ({
    what: `the member of no JavaScript object: ${body}`,
    method: 'POST',
    headers: json,
    body,
    status: 422,
    kind: 'invalid-message',
    errors: [{ pointer, detail: 'is a name that may not be used' }],
  })),
  {
    what: 'text/plain',
    method: 'POST',
    headers: { 'content-type': 'text/plain' },
    body: 'x',
    status: 415,
    kind: 'unsupported-media-type',
  },
  ...['gzip', 'br, gzip', 'x'].map((encoding) => ({
    what: `Content-Encoding: ${encoding}`,
    method: 'POST',
    headers: { ...json, 'content-encoding': encoding },
    body: '{"text":"x"}',
    status: 415,
    kind: 'unsupported-media-type',
  })),
  {
    what: 'a body that is too large',
    method: 'POST',
    body: { text: 'x'.repeat(262_145) },
    status: 413,
    kind: 'body-too-large',
  },
  ...[[], 'text', 1, null, true].map((body) => ({
    what: `the body ${JSON.stringify(body)}`,
    method: 'POST',
    headers: json,
    body: JSON.stringify(body),
    status: 422,
    kind: 'invalid-message',
    errors: [{ pointer: '#', detail: 'must be an object' }],
  })),
  ...(
    [
      [{}, '#/text', 'is missing'],
      [{ text: '' }, '#/text', 'must not be empty, unless a file comes with it'],
      [{ text: 1 }, '#/text', 'must be a string'],
      [{ text: 'a\0b' }, '#/text', 'must not hold U+0000 or unpaired surrogates'],
      [{ text: 'a\ud800b' }, '#/text', 'must not hold U+0000 or unpaired surrogates'],
      [{ text: 'x', 'te/xt~': 1 }, '#/te~1xt~0', 'is not a known member'],
      [{ text: 'x', reply_to: {} }, '#/reply_to/url', 'is missing'],
      [{ text: 'x', reply_to: 'https://x' }, '#/reply_to', 'must be an object'],
      [{ text: 'x', reply_to: { url: 'https://x', u: 1 } }, '#/reply_to/u', 'is not a known member'],
      [{ text: 'x', reply_to: { url: 'https://x', to: 'a' } }, '#/reply_to/to', 'is not a known member'],
      [{ text: 'x', reply_to: { channel: 'irc' } }, '#/reply_to/to', 'is missing'],
      [{ text: 'x', reply_to: { to: '#dev' } }, '#/reply_to/channel', 'is missing'],
      [{ text: 'x', reply_to: { channel: 'irc', to: 1 } }, '#/reply_to/to', 'must be a string'],
      [
        { text: 'x', reply_to: { channel: 'irc', to: 'a', unknown: 'ask' } },
        '#/reply_to/unknown',
        'is not a known member',
      ],
      [
        { text: 'x', reply_to: { channel: 'telegram', to: '1' } },
        '#/reply_to/channel',
        'must name a channel of the configuration; there are: irc',
      ],
      [{ text: 'x', reply_to: { url: 'http://x' } }, '#/reply_to/url', 'must be an https URL'],
      [
        { text: 'x', reply_to: { url: 'https://x', idempotent: false, unknown: 'keep' } },
        '#/reply_to/unknown',
        'must be "resend", "ask" or "drop"',
      ],
      ...[{}, { idempotent: true }].map(
        (key) =>
          [
            { text: 'x', reply_to: { url: 'https://x', ...key, unknown: 'drop' } },
            '#/reply_to/unknown',
            'goes with "idempotent": false only',
          ] as const,
      ),
      [
        { text: 'x', reply_to: { url: 'https://x/\ud800' } },
        '#/reply_to/url',
        'must not hold U+0000 or unpaired surrogates',
      ],
      [{ text: 'x', metadata: [] }, '#/metadata', 'must be an object'],
      [{ text: 'x', metadata: null }, '#/metadata', 'must be an object'],
      [{ text: 'x', metadata: nested(16) }, '#/metadata', 'must not be nested deeper than 16'],
      [
        { text: 'x', metadata: { a: 'x'.repeat(16_384) } },
        '#/metadata',
        'must not take more than 16384 bytes as JSON',
      ],
      [{ text: 'x', metadata: { a: 'a\0' } }, '#/metadata', 'must not hold U+0000 or unpaired surrogates'],
      [{ text: 'x', metadata: { '\ud800': 1 } }, '#/metadata', 'must not hold U+0000 or unpaired surrogates'],
    ] as const
  ).map(([body, pointer, detail]) => ({
    what: `${pointer} ${detail}`,
    method: 'POST',
    body,
    status: 422,
    kind: 'invalid-message',
    errors: [{ pointer, detail }],
  })),
  ...['a b', 'x'.repeat(256), 'é'].map((key) => ({
    what: `the idempotency key "${key}"`,
    method: 'POST',
    headers: { 'idempotency-key': key },
    body: { text: 'x' },
    status: 400,
    kind: 'invalid-parameter',
  })),
];

test.each(rows)('$what: $status $kind', async (row) => {
  const typed = typeof row.body === 'object' ? json : {};
  const response = await fetch(served.base + (row.path ?? messages), {
    method: row.method ?? 'GET',
    headers: { authorization: `Bearer ${token}`, ...typed, ...row.headers },
    ...(row.body === undefined
      ? {}
      : {
          body:
            typeof row.body === 'string' || row.body instanceof Uint8Array
              ? row.body
              : JSON.stringify(row.body),
        }),
  });
  expect(response.status).toBe(row.status);
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  const problem = await bodyOf(response);
  expect(problem).toMatchObject({ type: `urn:sd-gateway:problem:${row.kind}`, status: row.status });
  expect(problem.title).toBeTruthy();
  expect(problem.detail).toBeTruthy();
  if (row.errors !== undefined) expect(problem.errors).toEqual(row.errors);
  if (row.status === 405) expect(response.headers.get('allow')).toMatch(/GET/);
  expect(JSON.stringify(problem)).not.toContain(token);
  expect(served.accepted).toEqual([]);
});

test('metadata that only looks like an escape is taken', async () => {
  const response = await served.post('escapes', { text: 'x', metadata: { a: '\\u0000', b: '\\\\ud800 😀' } });
  expect(response.status).toBe(202);
  served.accepted.length = 0;
});

test('all mistakes of a body are named', async () => {
  const problem = await bodyOf(served.post('a', { text: 1, extra: 1, metadata: 1 }));
  expect(problem.errors.map((error) => error.pointer).sort()).toEqual(['#/extra', '#/metadata', '#/text']);
});

describe('of many mistakes some are named, and all are counted', () => {
  const names = Array.from({ length: 500 }, (_, index) => `x${index}`);

  test('in a body', async () => {
    const members = Object.fromEntries(names.map((name) => [name, 1]));
    const { detail, errors } = await bodyOf(served.post('a', { text: 'x', ...members }));
    expect(detail).toBe('"x0" is not a known member, and 499 more.');
    expect(errors).toHaveLength(20);
    expect(errors[19]).toEqual({ pointer: '#/x19', detail: 'is not a known member' });
  });

  test('in the parameters', async () => {
    const query = names.map((name) => `${name}=1`).join('&');
    const { detail, errors } = await bodyOf(served.get(`/v1/sessions?${query}`));
    expect(detail).toBe('The parameter "x0" is not a known parameter, and 499 more.');
    expect(errors).toHaveLength(20);
  });
});

test('a body of many levels is refused, and breaks nothing', async () => {
  const answer = async (levels: number) => {
    const deep = `${'['.repeat(levels)}${']'.repeat(levels)}`;
    const response = await served.post('a', `{"text":"x","metadata":{"__proto":${deep}}}`);
    const { errors, detail } = await bodyOf(response);
    return [response.status, errors ?? detail];
  };
  expect(await answer(1_000)).toEqual([
    422,
    [{ pointer: '#/metadata', detail: 'must not be nested deeper than 16' }],
  ]);
  expect(await answer(100_000)).toEqual([
    400,
    'The body can’t be read: the JSON is nested deeper than 1500.',
  ]);
});

test.each(['constructor', 'prototype', 'hasOwnProperty', 'toString'])(
  'metadata may have the member %s',
  async (name) => {
    const { id } = await bodyOf(served.post('names', `{"text":"x","metadata":{"${name}":{"prototype":1}}}`));
    const message = await (await served.get(`/v1/messages/${id}`)).text();
    expect(message).toContain(`"metadata":{"${name}":{"prototype":1}}`);
  },
);

test('a byte order mark is skipped (RFC 8259, 8.1)', async () => {
  expect((await served.post('bom', '\ufeff{"text":"x"}')).status).toBe(202);
});

test('an encoding that is refused has those that are taken beside it', async () => {
  const headers = { 'content-encoding': 'gzip' };
  const refused = await served.post('a', { text: 'x' }, headers);
  expect(refused.headers.get('accept-encoding')).toBe('identity');
  const plain = await served.post('plain', { text: 'x' }, { 'content-encoding': 'identity' });
  expect(plain.status).toBe(202);
});

describe('the token', () => {
  test.each([
    ['nothing', undefined],
    ['another token', 'Bearer wrong'],
    ['another token of the same length', `Bearer ${'x'.repeat(token.length)}`],
    ['another scheme', `Basic ${token}`],
    ['the token alone', token],
    ['an empty one', 'Bearer '],
    ['two tokens', `Bearer ${token} ${token}`],
  ])('%s is answered 401', async (_what, authorization) => {
    for (const path of [messages, '/v1/sessions', '/v1/messages/x', '/nothing']) {
      const response = await fetch(served.base + path, {
        headers: authorization === undefined ? {} : { authorization },
      });
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toMatch(/^Bearer realm="sd-gateway"/);
      expect((await bodyOf(response)).type).toBe('urn:sd-gateway:problem:unauthorized');
    }
  });

  test('the scheme may be written in any case', async () => {
    const headers = { authorization: `bearer ${token}` };
    expect((await fetch(`${served.base}/v1/sessions`, { headers })).status).toBe(200);
  });
});

describe('bytes that are no request', () => {
  test.each([
    ['garbage', 'what is this\r\n\r\n', 400],
    ['no Host', 'GET /healthz HTTP/1.1\r\n\r\n', 400],
    ['two hosts', 'GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
    ['two hosts of HTTP/1.0', 'GET /healthz HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n', 400],
    ['headers without end', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['an expectation', 'GET / HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\n\r\n', 417],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 400],
    [
      'a length beside chunks',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
  ])('%s', async (_what, bytes, status) => {
    const connection = await rawConnection(served.base);
    connection.write(bytes);
    const answer = await connection.ended;
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toContain('application/problem+json');
  });
});

describe('what the store says', () => {
  test.each([
    ['full', 507, 'store-full'],
    ['unavailable', 503, 'store-unavailable'],
    ['corrupt', 503, 'store-unavailable'],
    ['closed', 503, 'store-unavailable'],
  ] as const)('%s: %i', async (reason, status, kind) => {
    const error = new StoreError(reason, 'The disk /secret/path is unwell.');
    const failing = await serve({ over: { accept: () => Promise.reject(error) } });
    const response = await failing.post('a', { text: 'x' });
    expect(response.status).toBe(status);
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/);
    const problem = await response.text();
    expect(JSON.parse(problem).type).toBe(`urn:sd-gateway:problem:${kind}`);
    expect(problem).not.toContain('/secret/path');
    expect(failing.records.join()).toContain('/secret/path');
    expect(failing.accepted).toEqual([]);
    await failing.dispose();
  });

  test('a full disk has one record, however many messages it refuses', async () => {
    const error = new StoreError('full', 'There is no room.');
    const failing = await serve({ over: { accept: () => Promise.reject(error) } });
    for (const _ of [1, 2, 3]) expect((await failing.post('a', { text: 'x' })).status).toBe(507);
    expect(failing.records).toEqual([
      'POST /v1/sessions/:session/messages was answered 507: There is no room.',
    ]);
    await failing.dispose();
  });

  test('the store’s own words for a client are passed on', async () => {
    const error = new StoreError('unavailable', 'The lock on /secret/path.', { detail: 'It is locked.' });
    const failing = await serve({ over: { accept: () => Promise.reject(error) } });
    const response = await failing.post('a', { text: 'x' });
    expect(await bodyOf(response)).toMatchObject({ status: 503, detail: 'It is locked.' });
    await failing.dispose();
  });

  test('an error that should not be is 500, says nothing of its inside, and is in the log', async () => {
    const failing = await serve({ over: { sessions: () => Promise.reject(new TypeError('inside')) } });
    const response = await failing.get('/v1/sessions');
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('inside');
    expect(failing.records.join()).toContain('inside');
    await failing.dispose();
  });

  test.each([
    ['session', { session: 1, total: 10 }, 'this session'],
    ['total', { session: 10, total: 1 }, 'this gateway'],
  ] as const)('a full queue (%s): 429 and when to try again', async (_limit, queue, where) => {
    const small = await serve({ settings: { queue } });
    await small.post('a', { text: 'x' });
    const response = await small.post('a', { text: 'y' });
    expect(response.status).toBe(429);
    expect(response.headers.get('retry-after')).toBe('7');
    expect((await bodyOf(response)).detail).toContain(where);
    await small.dispose();
  });
});

test('not ready: 503 with the facts', async () => {
  const facts = { state: 'starting', store: 'checking' };
  const starting = await serve({ channel: { readiness: () => ({ ready: false, facts }) } });
  const response = await fetch(`${starting.base}/readyz`);
  expect(response.status).toBe(503);
  expect(await bodyOf(response)).toMatchObject({ type: 'urn:sd-gateway:problem:not-ready', facts });
  await starting.dispose();
});

test('the words of a trouble, which may hold a path, are for callers with the token', async () => {
  const facts = { state: 'ready', trouble: 'There is no room for the database /secret/gateway.db.' };
  const starting = await serve({ channel: { readiness: () => ({ ready: false, facts }) } });
  const open = await (await fetch(`${starting.base}/readyz`)).text();
  expect(open).not.toContain('/secret');
  expect(JSON.parse(open).facts).toEqual({ state: 'ready', trouble: 'send the token to read it' });
  expect(await bodyOf(starting.get('/readyz'))).toMatchObject({ facts });
  await starting.dispose();
});
