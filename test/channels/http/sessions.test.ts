import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bodyOf, type Served, serve, token } from './http-fixture.js';

let served: Served;
beforeEach(async () => {
  served = await serve();
});
afterEach(() => served.dispose());

const send = (method: string, path: string, body?: unknown) =>
  fetch(served.base + path, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

describe('a session', () => {
  test('has the agent that it is given, if there is such a one', async () => {
    await served.post('a', { text: 'x' });
    const set = await send('PUT', '/v1/sessions/a/agent', { agent: 'fast' });
    expect(await bodyOf(set)).toMatchObject({ session: 'a', agent: 'fast', generation: 1 });
    expect((await served.claim()).agent).toBe('fast');
    const wrong = await send('PUT', '/v1/sessions/a/agent', { agent: 'fsat' });
    expect(wrong.status).toBe(422);
    expect((await bodyOf(wrong)).errors).toEqual([
      { pointer: '#/agent', detail: 'is "fsat", which is no agent of the configuration: default, fast' },
    ]);
  });

  test('that is reset begins anew: its history is empty, and its messages stay', async () => {
    expect((await served.ask('/v1/sessions/a/reset')).status).toBe(404);
    await served.post('a', { text: 'one' });
    await served.reply('1');
    await served.post('a', { text: 'two' });
    const history = async () => bodyOf(served.get('/v1/sessions/a/history?limit=10'));
    expect(await history()).toMatchObject({ generation: 1, items: [{ text: 'one', reply: { text: '1' } }] });
    expect(await bodyOf(served.ask('/v1/sessions/a/reset'))).toMatchObject({ generation: 2, last_seq: 2 });
    expect(await history()).toMatchObject({ generation: 2, items: [] });
    expect(served.ended).toEqual(['a']);
    expect((await bodyOf(served.get('/v1/sessions/a/messages'))).items).toHaveLength(2);
    expect((await served.get('/v1/sessions/none/history')).status).toBe(404);
  });

  test('that is deleted is gone, with the directory of its agent', async () => {
    expect((await send('DELETE', '/v1/sessions/a')).status).toBe(404);
    const { id } = await bodyOf(served.post('a', { text: 'one' }));
    const directory = join(served.directory, 'agents/sessions/a');
    mkdirSync(join(directory, 'work'), { recursive: true });
    const turn = await served.claim();
    const deletion = send('DELETE', '/v1/sessions/a');
    // The turn is cut off, and the deletion waits for its end.
    await expect.poll(() => served.cutOff.length).toBeGreaterThan(0);
    await served.store.releaseTurn(turn);
    expect(await bodyOf(deletion)).toMatchObject({ session: 'a', deleted: true });
    expect((await served.get(`/v1/messages/${id}`)).status).toBe(404);
    expect(existsSync(directory)).toBe(false);
    expect(served.ended).toEqual(['a']);
  });

  test.each([
    ['new', '', { agent: 'default', source: 'default', route: null, configured: true }],
    ['chat:1', '?sender=ada', { agent: 'fast', source: 'route', route: 1, configured: true }],
    ['chat:1', '?sender=bob', { agent: 'default', source: 'default', route: null }],
    ['old', '?sender=ada', { agent: 'gone', source: 'session', route: null, configured: false }],
  ])('%s%s says which agent it gets, and why', async (session, query, expected) => {
    await served.store.setAgent('old', 'gone');
    expect(await bodyOf(served.get(`/v1/sessions/${session}/route${query}`))).toMatchObject(expected);
  });
});
