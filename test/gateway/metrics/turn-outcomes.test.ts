import { afterEach, beforeEach, expect, test } from 'vitest';
import { AgentError } from '../../../src/agents/agent.js';
import { Dispatcher } from '../../../src/gateway/dispatch/dispatcher.js';
import type { AttemptOutcome } from '../../../src/gateway/dispatch/policy.js';
import { acceptOne } from '../../store/samples.js';
import {
  agentsNamed,
  HeldAgent,
  Occurrences,
  openStore,
  recordingLog,
  settings,
} from '../dispatch/fixture.js';

let opened: Awaited<ReturnType<typeof openStore>>;
let agent: HeldAgent;
let dispatcher: Dispatcher;
let ends: Occurrences<string>;

beforeEach(async () => {
  opened = await openStore();
  agent = new HeldAgent();
  ends = new Occurrences();
  dispatcher = new Dispatcher({
    store: opened.store,
    agents: agentsNamed({ default: agent }),
    log: recordingLog().log,
    owner: 'first',
    settings,
    onChange: () => undefined,
    onEnd: (name: string, outcome: AttemptOutcome, durationMs: number) => {
      expect(durationMs).toBeGreaterThanOrEqual(0);
      ends.add(`${name} ${outcome}`);
    },
  });
});
afterEach(async () => {
  await dispatcher.drain(0);
  await opened.dispose();
});

async function begun() {
  const message = await acceptOne(opened.store, 'a');
  dispatcher.wake();
  return { message, run: await agent.nth(0) };
}

const next = () => ends.until((all) => all.length > 0);

test('a reply', async () => {
  (await begun()).run.reply('r');
  await next();
  expect(ends.all).toEqual(['default replied']);
});

test('a failure', async () => {
  (await begun()).run.fail(new AgentError('failed', 'it failed', true));
  await next();
  expect(ends.all).toEqual(['default failed']);
});

test('an agent that can not be started', async () => {
  (await begun()).run.fail(new AgentError('unavailable', 'it is away', true));
  await next();
  expect(ends.all).toEqual(['default not_started']);
});

test('a message that is cancelled', async () => {
  const { message } = await begun();
  await opened.store.cancelMessage(message.id);
  dispatcher.cancel(message.id);
  await next();
  expect(ends.all).toEqual(['default cancelled']);
});

test('a stop that cuts it off', async () => {
  await begun();
  await dispatcher.drain(0);
  expect(ends.all).toEqual(['default put_back']);
});
