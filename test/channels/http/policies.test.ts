import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bodyOf, type Served, serve, token } from './http-fixture.js';

let served: Served;
beforeEach(async () => {
  served = await serve();
});
afterEach(() => served.dispose());

const put = (session: string, body: unknown) =>
  fetch(`${served.base}/v1/sessions/${session}/policy`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

const claim = (changes: object = {}) =>
  served.store.claimTurns({ owner: 'test', limit: 9, leaseMs: 60_000, ...changes });

describe('the policy of a session', () => {
  test('is set, shown and taken back', async () => {
    expect((await served.get('/v1/sessions/a')).status).toBe(404);
    const answer = await put('a', { policy: 'interrupt' });
    expect(answer.status).toBe(200);
    expect(await bodyOf(answer)).toMatchObject({
      session: 'a',
      last_seq: 0,
      waiting: 0,
      policy: 'interrupt',
    });
    await served.post('a', { text: 'x' });
    expect(await bodyOf(served.get('/v1/sessions/a'))).toMatchObject({ last_seq: 1, policy: 'interrupt' });
    expect(await bodyOf(put('a', { policy: null }))).toMatchObject({ policy: null });
  });

  test.each([
    [{ policy: 'steer' }, '#/policy'],
    [{}, '#/policy'],
    [{ policy: 'queue', more: 1 }, '#/more'],
  ])('refuses %j', async (body, pointer) => {
    const answer = await put('a', body);
    expect(answer.status).toBe(422);
    expect((await bodyOf(answer)).errors).toMatchObject([{ pointer }]);
  });

  test('knows no other method', async () => {
    const answer = await served.ask('/v1/sessions/a/policy');
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'PUT']);
  });
});

test('a session that interrupts: who waits for what it cancels is answered, and its turn is ended', async () => {
  await put('a', { policy: 'interrupt' });
  const { id } = await bodyOf(served.post('a', { text: 'one' }));
  await claim();
  const poll = bodyOf(served.get(`/v1/messages/${id}?wait=60`));
  const next = await bodyOf(served.post('a', { text: 'two' }));
  expect(next).toMatchObject({ seq: 2, state: 'queued' });
  expect(await poll).toMatchObject({ state: 'cancelled', error: `Interrupted by the message ${next.id}.` });
  expect(served.cutOff).toEqual([id]);
});

test('a session that collects: who waits for a part of a turn gets its reply', async () => {
  await put('a', { policy: 'collect' });
  const { id: first } = await bodyOf(served.post('a', { text: 'one', sender: 'ada' }));
  const { id: second } = await bodyOf(served.post('a', { text: 'two' }));
  const poll = bodyOf(served.get(`/v1/messages/${first}?wait=60`));
  const [turn] = await claim({ collectLimit: 9 });
  if (turn === undefined) throw new Error('No message waits.');
  served.events.emit(first, 'a');
  expect(await bodyOf(served.get(`/v1/messages/${first}`))).toMatchObject({
    state: 'collected',
    sender: 'ada',
    collected_in: second,
    reply: null,
  });
  await served.store.completeTurn(turn, { text: 'to both', metadata: {} });
  served.events.emit(first, 'a');
  expect(await poll).toMatchObject({ state: 'collected', collected_in: second, reply: { text: 'to both' } });
  const cancel = await served.ask(`/v1/messages/${first}/cancel`);
  expect([cancel.status, (await bodyOf(cancel)).detail]).toEqual([409, expect.stringContaining(second)]);
});

test.each(['', 'x'.repeat(129), 'a\0b', 7])('refuses the sender %j', async (sender) => {
  expect((await served.post('a', { text: 'x', sender })).status).toBe(422);
});

test('another sender is another message under the same key', async () => {
  const key = { 'idempotency-key': 'k' };
  await served.post('a', { text: 'x', sender: 'ada' }, key);
  expect((await served.post('a', { text: 'x', sender: 'bob' }, key)).status).toBe(409);
});
