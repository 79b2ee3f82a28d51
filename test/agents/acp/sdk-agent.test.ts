import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { agentSessionRecord } from '../../support/agent-request.js';
import { isAlive } from '../../support/is-alive.js';
import { failure, Place, said } from './fixture.js';

const program = fileURLToPath(new URL('../../support/acp-sdk-agent.mjs', import.meta.url));

test('an agent of the protocol’s own SDK takes what it is sent, and is understood', async () => {
  const place = new Place();
  const agentSession = agentSessionRecord();
  const agent = place.agent({}, { command: [process.execPath, program] });
  const session = `of ${join(place.directory, 'sessions/alice')}`;
  expect(await said(agent, 'hello', { agentSession })).toBe(`${session}: hello`);
  expect(await said(agent, 'ask', { agentSession })).toBe('{"outcome":"selected","optionId":"no"}');
  await place.isClear();
  const cancel = new AbortController();
  const running = failure(agent, 'wait', { agentSession }, cancel.signal);
  while (place.processes.size === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const [its] = place.processes;
  cancel.abort();
  expect((await running).reason).toBe('cancelled');
  expect(isAlive(its?.pid ?? 0)).toBe(false);
  // Resumed in another process.
  expect(await said(agent, 'again', { agentSession })).toBe(`${session}: again`);
});
