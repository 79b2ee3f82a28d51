import { request as httpRequest } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Hook, type HookRequest, Hooks } from '../../../../src/channels/hooks.js';
import { StoreError } from '../../../../src/store/store-error.js';
import { bodyOf, rawConnection, type Served, serve } from '../http-fixture.js';

let served: Served;
let hooks: Hooks;
let end: AbortController;
let received: HookRequest[];

beforeAll(async () => {
  hooks = new Hooks();
  served = await serve({
    channel: { hooks },
    settings: { channelNames: ['github', 'irc'], trustedProxies: ['127.0.0.1/32'] },
  });
});
afterAll(() => served.dispose());

beforeEach(() => {
  end = new AbortController();
  received = [];
});
afterEach(() => end.abort());

function hook(parts: Partial<Hook> = {}): void {
  const handle: Hook['handle'] = async (request) => {
    received.push(request);
    return { outcome: 'taken' };
  };
  hooks.serve('github', { limitBytes: 1_000, handle, ...parts }, end.signal);
}

function post(body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}, name = 'github') {
  return fetch(`${served.base}/hooks/${name}`, { method: 'POST', headers, body });
}

describe('a request of a platform', () => {
  it('reaches its channel without a token, byte for byte, with its headers and its client', async () => {
    hook();
    const bytes = Buffer.from('{"a": "\u00e4",\r\n "b": 1e400} \ud800');
    const headers = {
      'content-type': 'application/json',
      'x-hub-signature-256': 'sha256=00',
      'x-forwarded-for': '203.0.113.7',
    };
    const answer = await post(bytes, headers);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({});
    expect(received).toHaveLength(1);
    expect(received[0]?.body.equals(bytes)).toBe(true);
    expect(received[0]?.headers).toMatchObject(headers);
    expect(received[0]?.client).toBe('203.0.113.7');
  });

  it.each([
    ['a form', 'application/x-www-form-urlencoded', 'payload=%7B%7D'],
    ['a type that nobody knows', 'application/cloudevents+json; charset=utf-8', '{}'],
    ['no body', 'application/json', ''],
  ])('may have %s', async (_name, type, body) => {
    hook();
    expect((await post(body, { 'content-type': type })).status).toBe(200);
    expect(received[0]?.body.toString()).toBe(body);
  });

  it('may have no type', async () => {
    hook();
    const connection = await rawConnection(served.base);
    connection.write(
      'POST /hooks/github?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}',
    );
    expect(await connection.ended).toMatch(/^HTTP\/1.1 200 /);
    expect(received[0]?.body.toString()).toBe('{}');
  });

  it('is answered as the channel says', async () => {
    hook({ handle: async () => ({ outcome: 'taken', body: { challenge: '3eZbrw' } }) });
    expect(await (await post('{}')).json()).toEqual({ challenge: '3eZbrw' });
  });

  it.each([
    ['unauthorized', 401, 'wrong-signature', null],
    ['malformed', 400, 'malformed-request', null],
    ['unavailable', 503, 'store-unavailable', '5'],
  ] as const)('may be %s', async (outcome, status, kind, retryAfter) => {
    hook({ handle: async () => ({ outcome, detail: 'It is not so.' }) });
    const answer = await post('{}');
    expect(answer.status).toBe(status);
    expect(answer.headers.get('retry-after')).toBe(retryAfter);
    expect(answer.headers.has('www-authenticate')).toBe(status === 401);
    expect(await bodyOf(answer)).toMatchObject({
      type: `urn:sd-gateway:problem:${kind}`,
      detail: 'It is not so.',
    });
  });

  it.each(['full', 'unavailable', 'corrupt'] as const)(
    'is to come again if the store is %s, and leaves no record',
    async (reason) => {
      hook({ handle: () => Promise.reject(new StoreError(reason, 'It is so.')) });
      const before = served.records.length;
      const answer = await post('{}');
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).toBe('5');
      expect(served.records.length).toBe(before);
    },
  );

  it('is to come again if the channel fails, with a record that says why', async () => {
    hook({ handle: () => Promise.reject(new Error('no such thing')) });
    expect((await post('{}')).status).toBe(500);
    expect(served.records.at(-1)).toBe('POST /hooks/:channel was answered 500: no such thing');
  });

  it('is refused by its headers before its body is read', async () => {
    hook({
      check: ({ 'x-secret': secret }) =>
        secret === 'right' ? null : { outcome: 'unauthorized', detail: 'The secret is wrong.' },
    });
    const connection = await rawConnection(served.base);
    connection.write('POST /hooks/github HTTP/1.1\r\nHost: x\r\nX-Secret: a\r\nContent-Length: 900\r\n\r\n');
    expect(await connection.until('wrong-signature')).toMatch(/^HTTP\/1.1 401 /);
    connection.end();
    expect(received).toEqual([]);
    expect((await post('{}', { 'x-secret': 'right' })).status).toBe(200);
  });

  it('is 404 where there is no channel, and 503 while a channel does not run', async () => {
    expect((await post('{}', {}, 'nobody')).status).toBe(404);
    expect((await post('{}', {}, '..%2fgithub')).status).toBe(404);
    const away = await post('{}');
    expect(away.status).toBe(503);
    expect(away.headers.get('retry-after')).toBe('5');
    hook();
    expect((await post('{}')).status).toBe(200);
    end.abort();
    expect((await post('{}')).status).toBe(503);
  });

  it.each(['GET', 'HEAD', 'PUT', 'DELETE'])('is a POST and no %s', async (method) => {
    hook();
    const answer = await fetch(`${served.base}/hooks/github`, { method });
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('POST');
  });

  it.each(['/hooks', '/hooks/', '/hooks/github/more', '/hooks/github/../../v1/sessions'])(
    'opens nothing else: %s',
    async (path) => {
      hook();
      const connection = await rawConnection(served.base);
      connection.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expect(await connection.ended).toMatch(/^HTTP\/1.1 (401|404) /);
      expect(received).toEqual([]);
    },
  );
});

describe('the body of such a request', () => {
  it.each([
    ['is announced', '', 'Content-Length: 1001\r\n\r\n'],
    ['comes in chunks', '', `Transfer-Encoding: chunked\r\n\r\n3e9\r\n${'x'.repeat(1_001)}\r\n0\r\n\r\n`],
    ['would be sent if it were asked for', '', 'Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n'],
  ])('is 413 beyond the channel’s limit, if it %s', async (_name, _of, rest) => {
    hook();
    const connection = await rawConnection(served.base);
    connection.write(`POST /hooks/github HTTP/1.1\r\nHost: x\r\n${rest}`);
    const answer = await connection.until('body-too-large');
    expect(answer).toMatch(/^HTTP\/1.1 413 .*^connection: close/ims);
    connection.end();
    expect(received).toEqual([]);
  });

  it('may be just as large as the limit, and is asked for if the client waits for that', async () => {
    hook();
    const connection = await rawConnection(served.base);
    connection.write(
      'POST /hooks/github HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n',
    );
    await connection.until('HTTP/1.1 100 Continue');
    connection.write('x'.repeat(1_000));
    expect(await connection.ended).toContain('HTTP/1.1 200 ');
    expect(received[0]?.body).toHaveLength(1_000);
  });

  it('is 415 in an encoding', async () => {
    hook();
    expect((await post('{}', { 'content-encoding': 'gzip' })).status).toBe(415);
    expect(received).toEqual([]);
  });

  it('may break off, which leaves nothing, no record either', async () => {
    hook();
    const before = served.records.length;
    const outgoing = httpRequest(`${served.base}/hooks/github`, {
      method: 'POST',
      headers: { 'content-length': 500 },
    });
    outgoing.on('error', () => undefined);
    outgoing.write('{');
    await new Promise((resolve) => outgoing.once('socket', (socket) => socket.once('connect', resolve)));
    outgoing.destroy();
    expect((await post('{}')).status).toBe(200);
    await served.get('/healthz');
    expect(received).toHaveLength(1);
    expect(served.records.length).toBe(before);
  });
});
