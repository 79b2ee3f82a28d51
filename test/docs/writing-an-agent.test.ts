import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AgentEvent } from '../../src/agents/agent.js';
import { RecordingLog } from '../gateway/delivery/recording-log.js';
import { agentRequest } from '../support/agent-request.js';
import { followGuide } from '../support/guide.js';
import { typeErrors } from '../support/type-errors.js';

const project = new URL('../../', import.meta.url).pathname;
let directory: string;

beforeAll(() => {
  // Inside the project, so that its packages are found.
  mkdirSync(join(project, 'node_modules/.cache'), { recursive: true });
  directory = mkdtempSync(join(project, 'node_modules/.cache/writing-an-agent-'));
  followGuide('docs/writing-an-agent.md', directory);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const request = agentRequest({ text: 'hello there' });

test('the agent of the guide passes the type check', { timeout: 120_000 }, () => {
  expect(typeErrors(directory)).toBe('');
});

test('the agent of the guide runs as it is configured, and ends when it is told to', async () => {
  const { configurationSchema } = await import(join(directory, 'src/config/schema.ts'));
  const { createAgent } = await import(join(directory, 'src/agents/create-agent.ts'));
  const { agent } = configurationSchema.parse({ agent: { type: 'shout', marks: 2 } });
  const made = createAgent(agent, {
    name: 'default',
    log: new RecordingLog(),
    directory: '/nonexistent',
    groups: null,
    environment: {},
    processes: new Set(),
  });
  const read = async (signal: AbortSignal) => {
    const events: AgentEvent[] = [];
    for await (const event of made.run(request, signal)) events.push(event);
    return events;
  };
  expect(await read(new AbortController().signal)).toEqual([
    { type: 'delta', text: 'HELLO ' },
    { type: 'delta', text: 'THERE' },
    { type: 'delta', text: '!!' },
    { type: 'end', reply: { text: 'HELLO THERE!!', metadata: {} } },
  ]);
  await expect(read(AbortSignal.abort())).rejects.toMatchObject({ reason: 'cancelled' });
});
