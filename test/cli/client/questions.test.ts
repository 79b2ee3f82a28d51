import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Place } from '../foreground.js';

const agent = fileURLToPath(new URL('../../support/acp-agent.mjs', import.meta.url));

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

it('answers what an agent asks, once, also after the gateway was killed', async () => {
  const environment = {
    SD_GATEWAY_AGENT_TYPE: 'acp',
    SD_GATEWAY_AGENT_COMMAND: JSON.stringify([process.execPath, agent, '{"resume": true}']),
    SD_GATEWAY_AGENT_ASK: '["execute"]',
  };
  const first = await place.start(environment);
  const { body } = await place.client.post('/v1/sessions/a/messages', { text: 'ask execute ar rm x' }, {});
  const path = `/v1/messages/${String(body?.['id'])}`;
  const questions = async () => {
    const { body: list } = await place.client.get('/v1/questions');
    return list?.['items'] as { code: string; state: string; title: string }[];
  };
  await vi.waitFor(
    async () => expect(await questions()).toMatchObject([{ state: 'open', title: 'rm x' }]),
    20_000,
  );
  expect((await place.client.get(path)).body).toMatchObject({ state: 'running' });
  const [{ code } = { code: '' }] = await questions();
  first.child.kill('SIGKILL');
  await first.end;

  const second = await place.start(environment);
  // The same call of the same turn, under another code.
  await vi.waitFor(async () => expect(await questions()).toHaveLength(2), 20_000);
  const states = new Map((await questions()).map((question) => [question.code, question.state]));
  expect(states.get(code)).toBe('expired');
  expect(await place.run(['approve', code.toLowerCase()])).toMatchObject({
    status: 0,
    stdout: 'Allowed: rm x\n',
  });
  expect((await place.client.get(`${path}?wait=20`)).body).toMatchObject({
    state: 'replied',
    reply: { text: 'id-a' },
  });
  expect(await place.run(['deny', code])).toMatchObject({ status: 1 });
  second.child.kill('SIGTERM');
  await second.end;
});
