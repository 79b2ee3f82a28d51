import { expect, test } from 'vitest';
import type { AgentEvent } from '../../src/agents/agent.js';
import { EchoAgent } from '../../src/agents/echo.js';
import { replyOf } from '../../src/agents/reply-of.js';
import { agentFile, agentRequest } from '../support/agent-request.js';

async function* events(...given: readonly AgentEvent[]): AsyncGenerator<AgentEvent> {
  yield* given;
}

const end: AgentEvent = { type: 'end', reply: { text: 'done', metadata: { tokens: 3 } } };

test('gives the reply, and the events before it in their order', async () => {
  const before: AgentEvent[] = [
    { type: 'status', text: 'reads files' },
    { type: 'delta', text: 'do' },
    { type: 'delta', text: 'ne' },
    { type: 'usage', usage: { inputTokens: 2, outputTokens: 1 } },
  ];
  const seen: AgentEvent[] = [];
  const reply = await replyOf(events(...before, end), (event) => seen.push(event));
  expect(reply).toEqual({ text: 'done', metadata: { tokens: 3 } });
  expect(seen).toEqual(before);
});

test('a turn without a reply has failed and may be tried again, whatever was streamed', async () => {
  const turn = replyOf(events({ type: 'delta', text: 'done' }));
  await expect(turn).rejects.toMatchObject({ reason: 'bad-reply', retry: true });
});

test('the echo of files without a text is their names', async () => {
  const files = [agentFile('a.png', 'x'), agentFile('b.txt', 'y')];
  const { signal } = new AbortController();
  const echo = (text: string) => replyOf(new EchoAgent().run(agentRequest({ text, files }), signal));
  expect((await echo('look')).text).toBe('look');
  expect((await echo('')).text).toBe('a.png\nb.txt');
});

test('a status is one short line, whatever the agent has written', async () => {
  const seen: AgentEvent[] = [];
  const texts = ['reads\nfiles', `\u001b[31mred\u001b[0m`, 'x'.repeat(1_000_000)];
  const statuses = texts.map((text): AgentEvent => ({ type: 'status', text }));
  await replyOf(events(...statuses, end), (event) => seen.push(event));
  expect(seen).toEqual([
    { type: 'status', text: 'reads files' },
    { type: 'status', text: 'red' },
    { type: 'status', text: `${'x'.repeat(199)}…` },
  ]);
});
