import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { webhookTarget } from '../../../src/store/messages.js';
import { bodyOf, rawConnection, type Served, serve, token } from './http-fixture.js';

let served: Served;

beforeEach(async () => {
  served = await serve();
});

afterEach(() => served.dispose());

describe('posting', () => {
  test('answers 202 with the place of the message, which then is in the store', async () => {
    const body = {
      text: 'hello',
      metadata: { from: { name: 'x' } },
      reply_to: { url: 'https://example.org/r' },
    };
    const response = await served.post('chat:1', body);
    expect(response.status).toBe(202);
    const answer = await bodyOf(response);
    expect(answer).toEqual({ id: expect.any(String), session: 'chat:1', seq: 1, state: 'queued' });
    expect(response.headers.get('location')).toBe(`/v1/messages/${answer.id}`);
    expect(served.accepted.map((message) => message.id)).toEqual([answer.id]);
    expect(await served.store.message(answer.id)).toMatchObject({
      session: 'chat:1',
      text: 'hello',
      metadata: { from: { name: 'x' } },
      replyTo: webhookTarget('https://example.org/r'),
      channel: 'http',
    });
  });

  test.each(['resend', 'ask', 'drop', undefined] as const)(
    'what is to become of a reply that may have arrived is handed on: %s',
    async (unknown) => {
      const target = { url: 'https://example.org/r', idempotent: false, unknown };
      expect((await served.post('a', { text: 'x', reply_to: target })).status).toBe(202);
      await served.reply('y');
      const claim = { owner: 'test', limit: 1, leaseMs: 60_000 };
      expect(await served.store.claimDeliveries(claim)).toMatchObject([
        { idempotent: false, unknownPolicy: unknown ?? null },
      ]);
    },
  );

  test('a reply may go to the address of a channel, which says what becomes of one that may have arrived', async () => {
    const reply_to = { channel: 'irc', to: '#dev' };
    const key = { 'idempotency-key': 'k-2' };
    const answer = await bodyOf(served.post('a', { text: 'x', reply_to }, key));
    expect((await served.post('a', { text: 'x', reply_to }, key)).status).toBe(202);
    expect((await served.post('a', { text: 'x', reply_to: { ...reply_to, to: '#ops' } }, key)).status).toBe(
      409,
    );
    await served.reply('y');
    const claim = { owner: 'test', limit: 1, leaseMs: 60_000 };
    expect(await served.store.claimDeliveries(claim)).toMatchObject([
      {
        messageId: answer.id,
        target: { channel: 'irc', address: '#dev', options: {} },
        idempotent: false,
        unknownPolicy: 'drop',
      },
    ]);
  });

  test('the same key and content give the same answer, in whatever order and white space', async () => {
    const key = { 'idempotency-key': 'k-1' };
    const first = await served.post('a', '{"text":"x","metadata":{"a":1,"b":[2]}}', key);
    const second = await served.post('a', '{ "metadata": {"b": [2], "a": 1}, "text": "x" }', key);
    expect(second.status).toBe(202);
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    expect(await second.text()).toBe(await first.text());
    expect(second.headers.get('location')).toBe(first.headers.get('location'));
    expect(served.accepted.length).toBe(1);
  });

  test('gives the first answer also when the message has a reply by then', async () => {
    const key = { 'idempotency-key': 'k-1' };
    const first = await (await served.post('a', { text: 'x' }, key)).text();
    await served.reply('y');
    expect(await (await served.post('a', { text: 'x' }, key)).text()).toBe(first);
  });

  test.each([
    ['text', { text: 'y' }],
    ['metadata', { text: 'x', metadata: { a: 1 } }],
    ['reply_to', { text: 'x', reply_to: { url: 'https://example.org/' } }],
  ])('the same key with another %s is a conflict', async (_what, body) => {
    const key = { 'idempotency-key': 'k-1' };
    await served.post('a', { text: 'x' }, key);
    const response = await served.post('a', body, key);
    expect(response.status).toBe(409);
    expect((await bodyOf(response)).type).toBe('urn:sd-gateway:problem:idempotency-conflict');
  });

  test('and so is one that says another thing of a reply that may have arrived', async () => {
    const key = { 'idempotency-key': 'k-1' };
    const statuses: number[] = [];
    for (const unknown of [undefined, undefined, 'drop']) {
      const reply_to = { url: 'https://example.org/', idempotent: false, unknown };
      statuses.push((await served.post('a', { text: 'x', reply_to }, key)).status);
    }
    expect(statuses).toEqual([202, 202, 409]);
  });

  test('the same key in another session is another message', async () => {
    const key = { 'idempotency-key': 'k-1' };
    await served.post('a', { text: 'x' }, key);
    expect((await served.post('b', { text: 'x' }, key)).headers.get('idempotency-replayed')).toBeNull();
  });

  test('concurrent posts with one key make one message', async () => {
    const key = { 'idempotency-key': 'k-1' };
    const responses = await Promise.all(
      Array.from({ length: 20 }, () => served.post('a', { text: 'x' }, key)),
    );
    const ids = new Set(await Promise.all(responses.map(async (response) => (await bodyOf(response)).id)));
    expect(ids.size).toBe(1);
    expect(await served.store.counts()).toMatchObject({ queued: 1 });
  });

  test('concurrent posts to one session get the numbers 1 to n', async () => {
    const posts = Array.from({ length: 50 }, (_, index) => served.post('a', { text: String(index) }));
    const answers = await Promise.all(posts.map(async (post) => bodyOf(post)));
    expect(answers.map((answer) => answer.seq).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 50 }, (_, index) => index + 1),
    );
  });

  test.each(['a', 'A.b_c~1:2@x+y-z', 'x'.repeat(128), '...'])('a session may be named "%s"', async (name) => {
    const response = await served.post(encodeURIComponent(name), { text: 'x' });
    expect((await bodyOf(response)).session).toBe(name);
  });
});

describe('reading', () => {
  test('shows a message through its states', async () => {
    const { id } = await bodyOf(served.post('a', { text: 'x', metadata: { n: 1 } }));
    expect(await bodyOf(served.get(`/v1/messages/${id}`))).toEqual({
      id,
      session: 'a',
      seq: 1,
      state: 'queued',
      waiting_for: null,
      text: 'x',
      metadata: { n: 1 },
      accepted_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      changed_at: expect.any(String),
      attempts: 0,
      attachments: [],
      reply: null,
      delivery: null,
      sender: null,
      collected_in: null,
      error: null,
    });
    await served.reply('y');
    expect(await bodyOf(served.get(`/v1/messages/${id}`))).toMatchObject({
      state: 'replied',
      attempts: 1,
      reply: { text: 'y', metadata: {}, at: expect.any(String) },
    });
  });

  test('shows the delivery of a reply', async () => {
    const body = { text: 'x', reply_to: { url: 'https://example.org/r' } };
    const { id } = await bodyOf(served.post('a', body));
    await served.reply('y');
    expect((await bodyOf(served.get(`/v1/messages/${id}`))).delivery).toEqual({
      kind: 'reply',
      webhook_id: expect.any(String),
      attempts: 0,
      next_attempt_at: null,
      delivered_at: null,
      last_error: null,
      unknown: 0,
    });
  });

  test('a wait ends with the reply', async () => {
    const { id } = await bodyOf(served.post('a', { text: 'x' }));
    const waiting = served.get(`/v1/messages/${id}?wait=60`);
    await expect.poll(() => served.channel.facts().waiting).toBe(1);
    await served.reply('y');
    expect(await bodyOf(waiting)).toMatchObject({ state: 'replied', reply: { text: 'y' } });
    expect(served.channel.facts().waiting).toBe(0);
    expect(served.events.watched).toBe(0);
  });

  test('a wait ends when another gateway has run the message, of which no event tells', async () => {
    const { id } = await bodyOf(served.post('a', { text: 'x' }));
    const waiting = served.get(`/v1/messages/${id}?wait=60`);
    await expect.poll(() => served.channel.facts().waiting).toBe(1);
    const [turn] = await served.store.claimTurns({ owner: 'other', limit: 1, leaseMs: 60_000 });
    if (turn === undefined) throw new Error('No message waits.');
    await served.store.completeTurn(turn, { text: 'y', metadata: {} });
    expect(await bodyOf(waiting)).toMatchObject({ state: 'replied' });
  });

  test('a wait ends with the present state when its time is over', async () => {
    const { id } = await bodyOf(served.post('a', { text: 'x' }));
    expect(await bodyOf(served.get(`/v1/messages/${id}?wait=0.05`))).toMatchObject({
      state: 'queued',
    });
  });

  test('a client that goes away no longer waits', async () => {
    const { id } = await bodyOf(served.post('a', { text: 'x' }));
    const gone = new AbortController();
    const waiting = fetch(`${served.base}/v1/messages/${id}?wait=60`, {
      headers: { authorization: `Bearer ${token}` },
      signal: gone.signal,
    });
    await expect.poll(() => served.channel.facts().waiting).toBe(1);
    gone.abort();
    await expect(waiting).rejects.toThrow();
    await expect.poll(() => served.channel.facts().waiting).toBe(0);
  });

  test('lists sessions page by page', async () => {
    for (const session of ['a', 'b', 'c']) await served.post(session, { text: 'x' });
    const first = await bodyOf(served.get('/v1/sessions?limit=2'));
    expect(first.items[0]).toEqual({
      session: 'a',
      last_seq: 1,
      policy: null,
      agent: null,
      generation: 1,
      waiting: 1,
      running: false,
      last_accepted_at: expect.any(String),
    });
    const second = await bodyOf(served.get(`/v1/sessions?limit=2&after=${first.next}`));
    expect([...first.items, ...second.items].map((item) => item.session)).toEqual(['a', 'b', 'c']);
    expect(second.next).toBeNull();
  });

  test("lists a session's messages page by page, in their order", async () => {
    for (const text of ['1', '2', '3']) await served.post('a', { text });
    const first = await bodyOf(served.get('/v1/sessions/a/messages?limit=2'));
    const second = await bodyOf(served.get(`/v1/sessions/a/messages?limit=2&after=${first.next}`));
    expect([...first.items, ...second.items].map((item) => item.text)).toEqual(['1', '2', '3']);
    expect(second.next).toBeNull();
  });
});

describe('health', () => {
  test('needs no token', async () => {
    expect((await fetch(`${served.base}/healthz`)).status).toBe(200);
    expect(await bodyOf(fetch(`${served.base}/readyz`))).toEqual({
      ready: true,
      facts: { state: 'ready' },
    });
    expect((await fetch(`${served.base}/readyz`, { method: 'HEAD' })).status).toBe(200);
  });
});

describe('a client that has ended its half of the connection', () => {
  const head = `Host: x\r\nAuthorization: Bearer ${token}\r\n`;

  async function lastWords(bytes: string): Promise<string> {
    const connection = await rawConnection(served.base);
    connection.write(bytes);
    connection.finish();
    return connection.ended;
  }

  test('gets the answers to all that it has sent', async () => {
    const post = `POST /v1/sessions/a/messages HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: 12\r\n\r\n{"text":"x"}`;
    expect(await lastWords(post)).toMatch(/^HTTP\/1.1 202 .*"state":"queued"}$/s);
    const get = `GET /v1/sessions/a HTTP/1.1\r\n${head}\r\n`;
    expect(await lastWords(get)).toMatch(/^HTTP\/1.1 200 .*"last_seq":1/s);
    expect((await lastWords(post + get + get)).match(/HTTP\/1.1 20/g)).toHaveLength(3);
  });

  test('gets the present state of a message at once, as nobody knows if it is still there', async () => {
    const { id } = await bodyOf(served.post('a', { text: 'x' }));
    const get = `GET /v1/messages/${id}?wait=30 HTTP/1.1\r\n${head}\r\n`;
    expect(await lastWords(get)).toMatch(/^HTTP\/1.1 200 .*"state":"queued"/s);
    const connection = await rawConnection(served.base);
    connection.write(get);
    await expect.poll(() => served.channel.facts().waiting).toBe(1);
    connection.finish();
    expect(await connection.ended).toMatch(/^HTTP\/1.1 200 .*"state":"queued"/s);
  });

  test('gets the end of an event stream', async () => {
    const stream = await lastWords(`GET /v1/sessions/a/events HTTP/1.1\r\n${head}\r\n`);
    expect(stream).toMatch(/^HTTP\/1.1 200 .*event: begin\n.*\r\n0\r\n\r\n$/s);
    expect(stream).not.toContain('the gateway stops');
    expect(served.channel.facts().streams).toBe(0);
  });
});
