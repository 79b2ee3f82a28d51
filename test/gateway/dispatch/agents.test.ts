import { describe, expect, it, test } from 'vitest';
import type { Agent, AgentEvent } from '../../../src/agents/agent.js';
import { configurationSchema } from '../../../src/config/schema.js';
import {
  afterFailedStart,
  onAttempt,
  onInconclusive,
  slotsUnderHold,
} from '../../../src/gateway/dispatch/agent-holds.js';
import { Agents, type TurnAgent } from '../../../src/gateway/dispatch/agents.js';
import { Dispatcher } from '../../../src/gateway/dispatch/dispatcher.js';
import { Intake } from '../../../src/gateway/intake.js';
import type { MessageState } from '../../../src/store/messages.js';
import { agentsNamed, openStore, recordingLog, settings } from './fixture.js';

/** Each agent says how often one has been made before it. */
function agentsOf(text: object) {
  let made = 0;
  const agents = new Agents(({ type }) => {
    const number = made++;
    return {
      type,
      async *run(): AsyncGenerator<AgentEvent> {
        yield { type: 'end', reply: { text: String(number), metadata: {} } };
      },
    };
  }, configurationSchema.parse(text).agents);
  return agents;
}

const request = {} as Parameters<TurnAgent['agent']['run']>[0];

async function replyOf({ agent }: TurnAgent): Promise<string | null> {
  let reply: string | null = null;
  for await (const event of agent.run(request, new AbortController().signal)) {
    if (event.type === 'end') reply = event.reply.text;
  }
  return reply;
}

describe('agents by name', () => {
  const agents = agentsOf({ agent: { timeout: 7 }, agents: { fast: { timeout: 1, retry: 'never' } } });

  test('have the keys of their tables', () => {
    expect(agents.of('fast')).toMatchObject({ timeout: 1_000, repeatable: false });
    expect(agents.of('default')).toMatchObject({ timeout: 7_000, repeatable: true });
    expect(agents.of(null)).toBe(agents.of('default'));
  });

  test('one that is gone fails its turns, and says what to do', async () => {
    await expect(replyOf(agents.of('gone'))).rejects.toMatchObject({
      reason: 'unavailable',
      retry: true,
      message: expect.stringContaining('add [agents.gone] again'),
    });
  });

  test('a reload leaves those whose tables are the same, and ends the others once no turn runs', async () => {
    const events: string[] = [];
    const tables = (seconds: number) =>
      configurationSchema.parse({ agents: { fast: { timeout: seconds }, other: {} } }).agents;
    const agents = new Agents(
      ({ type }, name) => ({
        type,
        // biome-ignore lint/correctness/useYield: it is never run.
        async *run() {
          throw new Error('not run');
        },
        close: async () => void events.push(`closed ${name}`),
        endSession: (session) => void events.push(`ended ${session} of ${name}`),
      }),
      tables(1),
    );
    const [fast, other] = [agents.of('fast'), agents.of('other')];
    agents.begun(fast);
    agents.configure(tables(2));
    expect(agents.of('other')).toBe(other);
    expect(agents.of('fast')).not.toBe(fast);
    expect(events).toEqual([]);
    agents.ended(fast);
    expect(events).toEqual(['closed fast']);
    events.length = 0;
    agents.endSession('a');
    await agents.close();
    expect(events.toSorted()).toEqual([
      'closed default',
      'closed fast',
      'closed other',
      'ended a of default',
      'ended a of fast',
      'ended a of other',
    ]);
  });

  test('a reload makes new ones, and leaves those that run', async () => {
    const before = agents.of('fast');
    agents.configure(configurationSchema.parse({ agents: { fast: { timeout: 2 } } }).agents);
    expect(agents.of('fast')).toMatchObject({ timeout: 2_000, repeatable: true });
    expect(await replyOf(before)).not.toBe(await replyOf(agents.of('fast')));
  });
});

test('the first message of a session chooses its agent, for all turns of it', async () => {
  const { store, dispose } = await openStore();
  const { log } = recordingLog();
  const runs: string[] = [];
  let ended = () => {};
  const agentNamed = (name: string): Agent => ({
    type: name,
    async *run({ text }): AsyncGenerator<AgentEvent> {
      runs.push(`${name}: ${text}`);
      yield { type: 'end', reply: { text, metadata: {} } };
    },
  });
  const dispatcher = new Dispatcher({
    store,
    agents: agentsNamed({ default: agentNamed('none'), one: agentNamed('one'), two: agentNamed('two') }),
    log,
    owner: 'test',
    settings,
    onChange: (_turn, state: MessageState) => {
      if (state === 'replied') ended();
    },
  });
  const intake = new Intake({
    store,
    dispatcher,
    agentOf: ({ text }) => text,
    onAccepted: () => undefined,
  });
  const accepted = async (text: string) => {
    const replied = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const message = {
      id: crypto.randomUUID(),
      session: 'a',
      text,
      metadata: {},
      replyTo: null,
      idempotencyKey: null,
      fingerprint: null,
      channel: 'test',
    };
    await intake.acceptAll([message], { session: 10, total: 10 }, null);
    await replied;
  };
  await accepted('one');
  await accepted('two');
  expect(runs).toEqual(['one: one', 'one: two']);
  await dispatcher.drain(0);
  await dispose();
});

it('doubles the wait with each attempt that fails, up to a minute', () => {
  let now = 0;
  let hold = afterFailedStart(null, 'ENOENT', now);
  const delays: number[] = [];
  for (let attempt = 0; attempt < 9; attempt++) {
    delays.push(hold.nextAttemptAt - now);
    now = hold.nextAttemptAt;
    hold = afterFailedStart(onAttempt(hold, now), 'EMFILE', now);
  }
  expect(delays).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  expect(hold).toMatchObject({ since: 0, reason: 'EMFILE', failures: 10 });
});

it('counts what failed together as one', () => {
  const hold = afterFailedStart(null, 'ENOENT', 5);
  expect(afterFailedStart(hold, 'ENOENT', 6)).toBe(hold);
  expect(afterFailedStart(onAttempt(hold, 7), 'ENOENT', 8)).toBe(hold);
});

it('waits as long as the agent asks for', () => {
  const hold = afterFailedStart(null, '429', 0, 90_000);
  expect(hold).toMatchObject({ failures: 1, nextAttemptAt: 90_000 });
  // A turn that began together with the first one heard of a longer wait, and one of a shorter.
  expect(afterFailedStart(hold, '503', 10, 120_000)).toMatchObject({ failures: 1, nextAttemptAt: 120_010 });
  expect(afterFailedStart(hold, '503', 10, 5_000)).toBe(hold);
  const again = afterFailedStart(onAttempt(hold, 90_000), '429', 90_000, 500);
  expect(again).toMatchObject({ failures: 2, nextAttemptAt: 92_000 });
});

it('lets one turn begin once its time has come, and none beside it', () => {
  const hold = afterFailedStart(null, 'ENOENT', 0);
  expect(slotsUnderHold(null, 8, 0)).toBe(8);
  expect(slotsUnderHold(hold, 8, 999)).toBe(0);
  expect(slotsUnderHold(hold, 8, 1_000)).toBe(1);
  expect(slotsUnderHold(hold, 0, 1_000)).toBe(0);
  const attempted = onAttempt(hold, 1_000);
  expect(slotsUnderHold(attempted, 8, 5_000)).toBe(0);
  expect(slotsUnderHold(onInconclusive(attempted), 8, 5_000)).toBe(1);
});
