import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAgent } from '../../src/agents/create-agent.js';
import { TurnCallbacks } from '../../src/agents/http/turn-callbacks.js';
import { replyOf } from '../../src/agents/reply-of.js';
import { configurationSchema } from '../../src/config/schema.js';
import { RecordingLog } from '../gateway/delivery/recording-log.js';
import { agentRequest } from '../support/agent-request.js';
import { memoryRecords } from '../support/memory-records.js';

const request = agentRequest();

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'create-agent-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function created(agent: unknown, environment: NodeJS.ProcessEnv = process.env) {
  return createAgent(configurationSchema.parse({ agent }).agent, {
    name: 'default',
    log: new RecordingLog(),
    directory,
    groups: null,
    environment,
    processes: new Set(),
    sign: () => ({}),
    callbacks: new TurnCallbacks(memoryRecords()),
  });
}

test('the echo is the default, and replies with the text', async () => {
  const agent = created({});
  expect(agent.type).toBe('echo');
  expect(await replyOf(agent.run(request, new AbortController().signal))).toEqual({
    text: 'hello',
    metadata: {},
  });
  await expect(replyOf(agent.run(request, AbortSignal.abort()))).rejects.toMatchObject({
    reason: 'cancelled',
  });
});

test('a command that gets the variables of "env"', async () => {
  const command = ['/bin/sh', '-c', 'echo $NODE_OPTIONS'];
  const reply = async (env: readonly string[]) => {
    const environment = { NODE_OPTIONS: '--no-warnings' };
    const agent = created({ command, env }, environment);
    return (await replyOf(agent.run(request, new AbortController().signal))).text;
  };
  expect(await reply([])).toBe('');
  expect(await reply(['NODE_OPTIONS'])).toBe('--no-warnings');
  expect(() => created({ command, env: ['A=b'] })).toThrow(/must be the name of a variable/);
});

test('a command as it is configured', async () => {
  const agent = created({ type: 'command', command: ['/bin/sh', '-c', 'echo done'] });
  expect(agent.type).toBe('command');
  expect(await replyOf(agent.run(request, new AbortController().signal))).toEqual({
    text: 'done',
    metadata: {},
  });
});
