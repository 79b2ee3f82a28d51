import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AgentQuestion } from '../../../src/agents/agent.js';
import { type Served, serve } from './http-fixture.js';

let served: Served;
beforeEach(async () => {
  served = await serve();
});
afterEach(() => served.dispose());

const question: AgentQuestion = {
  kind: 'execute',
  title: 'rm -r /tmp/x',
  input: { command: 'rm -r /tmp/x' },
  options: [{ id: 'yes', name: 'Allow once', effect: 'allow' }],
};

const json = async (response: Promise<Response>) => JSON.parse(await (await response).text());

test('a question is listed, read, and answered once', async () => {
  await served.post('alice', { text: 'hello' });
  const turn = await served.claim();
  const asked = served.questions.ask(turn, question, new AbortController().signal);
  let [shown] = (await json(served.get('/v1/questions'))).items;
  while (shown === undefined) [shown] = (await json(served.get('/v1/questions'))).items;
  expect(shown).toMatchObject({
    state: 'open',
    session: 'alice',
    message: turn.messageId,
    agent: 'default',
    kind: 'execute',
    title: 'rm -r /tmp/x',
    input: '{"command":"rm -r /tmp/x"}',
    input_cut: false,
    options: [{ name: 'Allow once', effect: 'allow' }],
  });
  const path = `/v1/questions/${shown.code}`;
  expect(await json(served.get(path))).toEqual(shown);
  expect((await served.ask(path, '{"answer": "maybe"}')).status).toBe(422);
  expect(await json(served.ask(path, '{"answer": "allow"}'))).toMatchObject({ state: 'allowed' });
  expect(await asked).toBe('yes');
  const again = await served.ask(path, '{"answer": "deny"}');
  expect(again.status).toBe(409);
  expect(JSON.parse(await again.text()).detail).toBe('The question takes no answer any more: allowed.');
  expect((await served.ask('/v1/questions/ZZZZZZZZ', '{"answer": "deny"}')).status).toBe(404);
});
