import { afterAll, beforeAll, expect, it } from 'vitest';
import { bodyOf, type Served, serve, token } from './http-fixture.js';

let served: Served;
let fails: boolean;
const problems: string[] = [];

beforeAll(async () => {
  fails = false;
  const text = async () => {
    if (fails) throw new Error('no figures');
    return 'a 1\n';
  };
  served = await serve({
    channel: {
      metrics: { contentType: 'text/plain; version=0.0.4', text },
      onProblem: (kind) => void problems.push(kind),
    },
  });
});
afterAll(() => served.dispose());

async function tokenWith(scope: string): Promise<string> {
  const answer = await fetch(`${served.base}/v1/tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: scope, scopes: [scope] }),
  });
  return ((await answer.json()) as { readonly token: string }).token;
}

const get = (path: string, secret: string | null) =>
  fetch(served.base + path, { headers: secret === null ? {} : { authorization: `Bearer ${secret}` } });

it('shows the metrics to the scope "metrics", which reads nothing else', async () => {
  const secret = await tokenWith('metrics');
  const answer = await get('/metrics', secret);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4');
  expect(await answer.text()).toBe('a 1\n');
  expect((await get('/metrics', token)).status).toBe(200);
  expect((await get('/v1/sessions', secret)).status).toBe(403);
});

it('refuses other scopes and strangers', async () => {
  const reader = await tokenWith('read');
  expect(await bodyOf(get('/metrics', reader))).toMatchObject({
    status: 403,
    detail: expect.stringContaining('This call needs a token with the scope "metrics".'),
  });
  expect((await get('/metrics', null)).status).toBe(401);
});

it('tells of each request that is answered with an error', async () => {
  problems.length = 0;
  await get('/v1/messages/none', token);
  await get('/metrics', null);
  fails = true;
  expect((await get('/metrics', token)).status).toBe(500);
  fails = false;
  expect(problems).toEqual(['unknown-message', 'unauthorized', 'internal']);
});
