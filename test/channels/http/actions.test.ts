import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bodyOf, rawConnection, type Served, serve, token } from './http-fixture.js';

let served: Served;

beforeEach(async () => {
  served = await serve();
});

afterEach(() => served.dispose());

async function posted(session: string): Promise<string> {
  return (await bodyOf(served.post(session, { text: 'hello' }))).id;
}

async function dead(session: string): Promise<string> {
  const id = await posted(session);
  const [turn] = await served.store.claimTurns({ owner: 'test', limit: 1, leaseMs: 60_000 });
  if (turn === undefined) throw new Error('No message waits.');
  await served.store.failTurn(turn, 'exit status 3', null);
  return id;
}

describe('cancelling', () => {
  test('a message that waits; whoever polls for it is answered', async () => {
    const id = await posted('a');
    const poll = bodyOf(served.get(`/v1/messages/${id}?wait=60`));
    const answer = await served.ask(`/v1/messages/${id}/cancel`);
    expect(answer.status).toBe(200);
    expect(await bodyOf(answer)).toMatchObject({ id, state: 'cancelled' });
    expect(await poll).toMatchObject({ id, state: 'cancelled' });
    expect(served.cutOff).toEqual([]);
  });

  test('one that runs has its turn ended; twice is the same', async () => {
    const id = await posted('a');
    await served.store.claimTurns({ owner: 'test', limit: 1, leaseMs: 60_000 });
    expect((await served.ask(`/v1/messages/${id}/cancel`, '{}')).status).toBe(200);
    expect((await served.ask(`/v1/messages/${id}/cancel`)).status).toBe(200);
    expect(served.cutOff).toEqual([id, id]);
  });

  test('leaves a record, as each action of a person does', async () => {
    const [failed, given, waiting, session] = [await dead('b'), await dead('c'), await posted('a'), 'd'];
    await served.ask(`/v1/messages/${waiting}/cancel`);
    await served.ask(`/v1/messages/${failed}/retry`);
    await served.ask(`/v1/messages/${given}/discard`);
    const last = await posted(session);
    await served.ask(`/v1/sessions/${session}/cancel`);
    await fetch(`${served.base}/v1/sessions/a/policy`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: '{"policy": "collect"}',
    });
    // An action without an effect leaves none.
    await served.ask(`/v1/messages/${waiting}/retry`);
    expect(served.records).toEqual([
      `Cancelled by request: the message ${waiting} of the session "a"`,
      `Tried again by request: the message ${failed} of the session "b"`,
      `Discarded by request: the message ${given} of the session "c"`,
      `Cancelled by request: the message ${last} of the session "d"`,
      'Set by request: the policy collect for the session "a"',
    ]);
  });

  test('all of a session', async () => {
    const ids = [await posted('a'), await posted('a')];
    const answer = await served.ask('/v1/sessions/a/cancel');
    expect(await bodyOf(answer)).toEqual({
      session: 'a',
      cancelled: ids.map((id, index) => ({ id, seq: index + 1 })),
    });
    expect(await bodyOf(served.ask('/v1/sessions/a/cancel'))).toEqual({ session: 'a', cancelled: [] });
  });

  test.each([
    ['/v1/messages/0193a1b2-c3d4-7e8f-9a0b-1c2d3e4f5a6b/cancel', undefined, 404, 'unknown-message'],
    ['/v1/messages/nonsense/cancel', undefined, 404, 'unknown-message'],
    ['/v1/sessions/nowhere/cancel', undefined, 404, 'unknown-session'],
    ['/v1/sessions/a%20b/cancel', undefined, 400, 'invalid-parameter'],
    ['/v1/sessions/a/cancel', '{"all": true}', 422, 'invalid-message'],
    ['/v1/sessions/a/cancel', '[]', 422, 'invalid-message'],
  ])('%s with body %s is %i %s', async (path, body, status, kind) => {
    const answer = await served.ask(path, body);
    expect(answer.status).toBe(status);
    expect(await bodyOf(answer)).toMatchObject({ type: `urn:sd-gateway:problem:${kind}` });
  });

  test.each([
    ['no Content-Length', ''],
    ['Content-Length: 0', 'Content-Length: 0\r\n'],
    ['a type and no body', 'Content-Type: application/json\r\n'],
    ['a type and an empty body', 'Content-Type: application/json; charset=utf-8\r\nContent-Length: 0\r\n'],
    ['the type of curl -d ""', 'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 0\r\n'],
    ['no chunk', 'Transfer-Encoding: chunked\r\n', '0\r\n\r\n'],
    ['no chunk of JSON', 'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'],
  ])('needs no body: %s', async (_what, headers, body = '') => {
    const deadId = await dead('b');
    const waitingId = await posted('a');
    const addresses = [
      `/v1/messages/${deadId}/discard`,
      `/v1/messages/${waitingId}/cancel`,
      '/v1/sessions/a/cancel',
    ];
    for (const address of addresses) {
      const connection = await rawConnection(served.base);
      connection.write(
        `POST ${address} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n${headers}\r\n${body}`,
      );
      expect(await connection.ended).toMatch(/^HTTP\/1.1 200 /);
    }
  });

  test('a body of another type is refused', async () => {
    await posted('a');
    const answer = await fetch(`${served.base}/v1/sessions/a/cancel`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-www-form-urlencoded' },
      body: 'all=true',
    });
    expect(answer.status).toBe(415);
  });

  test('a message with a reply is a conflict, and other methods are refused', async () => {
    const id = await posted('a');
    await served.reply('done');
    const answer = await served.ask(`/v1/messages/${id}/cancel`);
    expect(answer.status).toBe(409);
    expect(await bodyOf(answer)).toMatchObject({
      detail: 'The message has its reply: nothing is left to cancel.',
    });
    const get = await served.get(`/v1/messages/${id}/cancel`);
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST']);
  });
});

describe('dead letters', () => {
  test('are listed in pages', async () => {
    const ids = [await dead('a'), await dead('b')];
    await posted('c');
    const first = await bodyOf(served.get('/v1/dead?limit=1'));
    expect(first.items).toMatchObject([{ id: ids[0], state: 'dead', error: 'exit status 3' }]);
    const second = await bodyOf(served.get(`/v1/dead?limit=1&after=${first.next}`));
    expect(second).toMatchObject({ items: [{ id: ids[1] }], next: null });
    expect((await served.get('/v1/dead?after=x')).status).toBe(400);
  });

  test('are tried again, or discarded', async () => {
    const [again, discarded] = [await dead('a'), await dead('b')];
    expect(await bodyOf(served.ask(`/v1/messages/${again}/retry`))).toMatchObject({ state: 'queued' });
    await served.reply('at last');
    expect(await bodyOf(served.get(`/v1/messages/${again}`))).toMatchObject({
      state: 'replied',
      reply: { text: 'at last' },
    });
    expect(await bodyOf(served.ask(`/v1/messages/${discarded}/discard`))).toMatchObject({
      state: 'cancelled',
    });
    expect(await bodyOf(served.get('/v1/dead'))).toEqual({ items: [], next: null });
  });

  test.each(['retry', 'discard'])('only dead ones: %s', async (action) => {
    const id = await posted('a');
    const answer = await served.ask(`/v1/messages/${id}/${action}`);
    expect(answer.status).toBe(409);
    expect(await bodyOf(answer)).toMatchObject({
      type: 'urn:sd-gateway:problem:not-dead',
      detail: 'The message is queued.',
    });
    expect((await served.ask(`/v1/messages/none/${action}`)).status).toBe(404);
  });

  test('a reply that waits to be posted is discarded, twice as once, unless it is being posted', async () => {
    const { id } = await bodyOf(served.post('a', { text: 'x', reply_to: { url: 'https://example.org/' } }));
    await served.reply('y');
    const claim = { owner: 'test', limit: 1, leaseMs: 60_000 };
    const [delivery] = await served.store.claimDeliveries(claim);
    if (delivery === undefined) throw new Error('Nothing is to be delivered.');
    const busy = await served.ask(`/v1/messages/${id}/discard`);
    expect([busy.status, busy.headers.get('retry-after')]).toEqual([409, '1']);
    expect(await bodyOf(busy)).toMatchObject({
      type: 'urn:sd-gateway:problem:busy',
      detail: 'Its reply is being posted just now.',
    });
    const failure = { error: 'HTTP 503', retryInMs: 60_000, attempted: true, unknown: false };
    await served.store.failDelivery(delivery, failure);
    const first = await served.ask(`/v1/messages/${id}/discard`);
    expect(first.status).toBe(200);
    const discarded = await bodyOf(first);
    expect(discarded).toMatchObject({
      id,
      state: 'cancelled',
      error: 'Discarded before its reply was delivered: HTTP 503',
      reply: { text: 'y' },
      delivery: { attempts: 1, next_attempt_at: null, last_error: 'HTTP 503' },
    });
    const second = await served.ask(`/v1/messages/${id}/discard`);
    expect([second.status, await bodyOf(second)]).toEqual([200, discarded]);
  });

  test('one whose sender is being told is busy', async () => {
    const id = (await bodyOf(served.post('a', { text: 'x', reply_to: { url: 'https://example.org/' } }))).id;
    const claim = { owner: 'test', limit: 1, leaseMs: 60_000 };
    const [turn] = await served.store.claimTurns(claim);
    if (turn !== undefined) await served.store.failTurn(turn, 'exit status 3', null);
    await served.store.claimDeliveries(claim);
    const answer = await served.ask(`/v1/messages/${id}/retry`);
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([409, '1']);
  });
});
