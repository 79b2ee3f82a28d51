import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Agent, AgentError, type AgentRequest } from '../../../src/agents/agent.js';
import { Dispatcher, type DispatcherOptions } from '../../../src/gateway/dispatch/dispatcher.js';
import type { MessageState } from '../../../src/store/messages.js';
import type { SqliteStore } from '../../../src/store/sqlite/sqlite-store.js';
import type { Store } from '../../../src/store/store.js';
import { StoreError } from '../../../src/store/store-error.js';
import { withCalls } from '../../store/with-calls.js';
import {
  agentsNamed,
  type Change,
  HeldAgent,
  ManualClock,
  Occurrences,
  openStore,
  post,
  recordingLog,
  type Settings,
  settings,
} from './fixture.js';

let opened: Awaited<ReturnType<typeof openStore>>;
let store: SqliteStore;
let clock: ManualClock;
/** By how much the store's clock is ahead of the dispatcher's, in milliseconds. */
let ahead: number;
let agent: HeldAgent;
let changes: Occurrences<Change>;
let recorded: ReturnType<typeof recordingLog>;

beforeEach(async () => {
  clock = new ManualClock();
  ahead = 0;
  opened = await openStore(() => clock.now() + ahead);
  store = opened.store;
  agent = new HeldAgent();
  changes = new Occurrences();
  recorded = recordingLog();
});

afterEach(() => opened.dispose());

function dispatcher(
  overrides: Partial<Settings> = {},
  over: Partial<Store> = {},
  more: Partial<DispatcherOptions> = {},
) {
  return new Dispatcher({
    store: withCalls(store, over),
    agents: agentsNamed({ default: agent }, { ...settings, ...overrides }),
    log: recorded.log,
    owner: 'first',
    settings: { ...settings, ...overrides },
    onChange: (turn, state) => changes.add({ turn, state }),
    clock,
    ...more,
  });
}

function until(state: MessageState, count = 1): Promise<void> {
  return changes.until((all) => all.filter((change) => change.state === state).length >= count);
}

/** Lets time pass until something falls due; there is nothing to wait for but the store's own answers. */
async function passUntil(milliseconds: number, happened: Promise<void>): Promise<void> {
  let over = false;
  void happened.then(() => {
    over = true;
  });
  while (!over) {
    await store.probe();
    clock.advance(milliseconds);
  }
}

describe('running turns', () => {
  test('runs the messages of a session one after the other, in their order', async () => {
    const ids = [await post(store, 'a', 'one'), await post(store, 'a', 'two')].map((message) => message.id);
    const dispatch = dispatcher();
    dispatch.wake();
    (await agent.nth(0)).reply('1');
    (await agent.nth(1)).reply('2');
    await until('replied', 2);
    expect(agent.runs.all.map(({ request }) => request.messageId)).toEqual(ids);
    expect(changes.all.map(({ turn, state }) => [turn.seq, state])).toEqual([
      [1, 'running'],
      [1, 'replied'],
      [2, 'running'],
      [2, 'replied'],
    ]);
    expect((await store.message(ids[1] ?? ''))?.reply?.text).toBe('2');
    await dispatch.drain(0);
    expect(clock.timers).toBe(0);
  });

  test.each([true, false])('tells the store whether somebody waits for the reply: %s', async (waits) => {
    await post(store, 'a', 'x');
    const told: unknown[] = [];
    const progress: string[] = [];
    const completeTurn: Store['completeTurn'] = (turn, reply, isAwaited) => {
      expect(progress).toEqual([]);
      told.push(isAwaited);
      return store.completeTurn(turn, reply, isAwaited);
    };
    const dispatch = dispatcher(
      {},
      { completeTurn },
      {
        isAwaited: ({ session }) => waits && session === 'a',
        onProgress: (_turn, { type }) => progress.push(type),
      },
    );
    dispatch.wake();
    (await agent.nth(0)).reply('y');
    await until('replied');
    expect(told).toEqual([waits]);
    // Whoever waits may read together with the write.
    expect(progress).toEqual(waits ? ['ends'] : []);
    await dispatch.drain(0);
  });

  test('says that what a failed attempt wrote is void, also what the store had no time to take', async () => {
    await post(store, 'a', 'x');
    const written: string[] = [];
    const writer: Agent = {
      type: 'writer',
      async *run({ attempt }) {
        yield { type: 'delta', text: `of attempt ${attempt}` };
        if (attempt < 3) throw new AgentError('failed', 'it broke off', true);
        yield { type: 'end', reply: { text: 'whole', metadata: {} } };
      },
    };
    const dispatch = dispatcher(
      {},
      {},
      {
        agents: agentsNamed({ default: writer }, settings),
        onProgress: (_turn, progress) => {
          if (progress.type === 'delta') written.push(`${progress.position} ${progress.text}`);
        },
      },
    );
    dispatch.wake();
    await passUntil(1_000, until('replied'));
    expect(written).toEqual(['1 of attempt 1', '2 ', '3 of attempt 2', '4 ', '5 of attempt 3']);
    await dispatch.drain(0);
  });

  test('runs no more turns than its concurrency, and the next once one has ended', async () => {
    for (const session of ['a', 'b', 'c']) await post(store, session, session);
    const dispatch = dispatcher({ concurrency: 2 });
    dispatch.wake();
    const first = await agent.nth(1);
    expect(dispatch.facts()).toMatchObject({ running: 2, replied: 0, state: 'open' });
    expect((await store.counts()).queued).toBe(1);
    first.reply('x');
    expect((await agent.nth(2)).request.session).toBe('c');
    await dispatch.drain(0);
  });

  test('makes one turn of what came while another ran, where the session collects', async () => {
    await post(store, 'a', 'one');
    const dispatch = dispatcher({ policy: 'collect' });
    dispatch.wake();
    const first = await agent.nth(0);
    const [second, third] = [await post(store, 'a', 'two'), await post(store, 'a', 'three')];
    first.reply('1');
    const joined = await agent.nth(1);
    expect(joined.request).toMatchObject({
      messageId: third.id,
      text: 'two\n\nthree',
      collected: [{ messageId: second.id, text: 'two' }],
    });
    joined.reply('2 and 3');
    await until('replied', 2);
    expect((await store.message(second.id))?.reply?.text).toBe('2 and 3');
    await dispatch.drain(0);
  });

  test('tells by how long turns take when a full queue has room', async () => {
    const dispatch = dispatcher();
    expect(dispatch.retryAfterSeconds('session')).toBe(5);
    await post(store, 'a', 'one');
    dispatch.wake();
    (await agent.nth(0)).reply('1');
    await until('replied');
    await dispatch.drain(0);
    expect(dispatch.retryAfterSeconds('session')).toBe(1);
  });

  test('takes a larger concurrency with a reload', async () => {
    for (const session of ['a', 'b', 'c']) await post(store, session, session);
    const dispatch = dispatcher({ concurrency: 1 });
    dispatch.wake();
    await agent.nth(0);
    dispatch.configure({ ...settings, concurrency: 3 });
    await agent.nth(2);
    await dispatch.drain(0);
  });

  test('claims a message that comes while it sleeps', async () => {
    const dispatch = dispatcher();
    dispatch.wake();
    await post(store, 'a', 'later');
    dispatch.wake();
    (await agent.nth(0)).reply('now');
    await until('replied');
    await dispatch.drain(0);
  });
});

describe('failing turns', () => {
  test('tries again after 1, 2, … delays with the same turn id, then the message is dead', async () => {
    const { id } = await post(store, 'a', 'x');
    const dispatch = dispatcher();
    dispatch.wake();
    const begun: number[] = [];
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const run = agent.nth(attempt);
      await passUntil(
        100,
        run.then(() => {
          begun.push(clock.now());
        }),
      );
      (await run).fail(new AgentError('failed', 'The program exited with status 3.', true));
      await (attempt < 2 ? until('queued', attempt + 1) : until('dead'));
    }
    expect(begun[1]).toBeGreaterThanOrEqual((begun[0] ?? 0) + 1_000);
    expect(begun[2]).toBeGreaterThanOrEqual((begun[1] ?? 0) + 2_000);
    expect(new Set(agent.runs.all.map(({ request }) => request.turnId)).size).toBe(1);
    expect(agent.runs.all.map(({ request }) => request.attempt)).toEqual([1, 2, 3]);
    const message = await store.message(id);
    expect(message).toMatchObject({ state: 'dead', error: 'The program exited with status 3.', attempts: 3 });
    expect(dispatch.facts()).toMatchObject({ failed: 3, dead: 1 });
    await dispatch.drain(0);
  });

  test('a failure that can not end otherwise is dead at once, and the session goes on', async () => {
    await post(store, 'a', 'x');
    await post(store, 'a', 'y');
    const dispatch = dispatcher();
    dispatch.wake();
    (await agent.nth(0)).fail(new AgentError('failed', 'It never will.', false));
    expect((await agent.nth(1)).request.seq).toBe(2);
    expect(changes.all.map(({ state }) => state)).toEqual(['running', 'dead', 'running']);
    await dispatch.drain(0);
  });

  test('ends a turn that takes longer than its time', async () => {
    const { id } = await post(store, 'a', 'x');
    const dispatch = dispatcher({ timeout: 5_000, max_attempts: 1 });
    dispatch.wake();
    await agent.nth(0);
    clock.advance(5_000);
    await until('dead');
    expect((await store.message(id))?.error).toBe('The agent gave no reply within 5 s (agent.timeout).');
    await dispatch.drain(0);
  });

  test('takes a reply that is there when the time is over, as after a pause of the whole process', async () => {
    const { id } = await post(store, 'a', 'x');
    const dispatch = dispatcher({ timeout: 5_000, repeatable: false });
    dispatch.wake();
    const run = await agent.nth(0);
    clock.advance(5_000);
    // The event loop reads arrived data after its timers.
    run.reply('in time');
    await changes.until((all) => all.some(({ state }) => state === 'replied' || state === 'dead'));
    expect(await store.message(id)).toMatchObject({ state: 'replied', reply: { text: 'in time' } });
    expect(run.signal.aborted).toBe(false);
    await dispatch.drain(0);
  });

  test('an agent that throws something else fails its turn, not the gateway', async () => {
    const { id } = await post(store, 'a', 'x');
    const dispatch = new Dispatcher({
      store,
      agents: agentsNamed({
        default: {
          type: 'broken',
          run: () => {
            throw new TypeError('no');
          },
        },
      }),
      log: recorded.log,
      owner: 'first',
      settings: { ...settings, max_attempts: 1 },
      onChange: (turn, state) => changes.add({ turn, state }),
      clock,
    });
    dispatch.wake();
    await until('dead');
    expect((await store.message(id))?.error).toContain('no');
    await dispatch.drain(0);
  });
});

describe('a turn that is tried again at once', () => {
  test('has its place, and its end, to itself', async () => {
    await post(store, 'a', 'x');
    await post(store, 'b', 'y');
    const dispatch = dispatcher({ concurrency: 1, retry_delay: 0 });
    dispatch.wake();
    for (const attempt of [1, 2]) {
      const run = await agent.nth(attempt - 1);
      run.fail(new AgentError('failed', 'The program exited with status 3.', true));
      await until('queued', attempt);
    }
    // Whatever comes next, its place is taken.
    await agent.nth(2);
    await store.probe();
    expect(dispatch.facts().running).toBe(1);
    expect(agent.runs.all).toHaveLength(3);
    expect(await dispatch.drain(0)).toEqual({ finished: 0, putBack: 1 });
    expect(await store.counts()).toMatchObject({ running: 0 });
  });
});

describe('a message that is cancelled', () => {
  /** The first of two of one session, cancelled in the store; the dispatcher has not been told. */
  const cancelledWhileItRuns = async () => {
    const { id } = await post(store, 'a', 'x');
    await post(store, 'a', 'y');
    const dispatch = dispatcher();
    dispatch.wake();
    const run = await agent.nth(0);
    await store.cancelMessage(id);
    return { id, dispatch, run };
  };

  test('has its turn ended before the next of its session begins', async () => {
    const { id, dispatch, run } = await cancelledWhileItRuns();
    expect(run.signal.aborted).toBe(false);
    dispatch.cancel(id);
    expect(run.signal.aborted).toBe(true);
    expect((await agent.nth(1)).request.seq).toBe(2);
    expect(await store.message(id)).toMatchObject({ state: 'cancelled', reply: null });
    expect(recorded.records.filter(({ priority }) => priority !== 'debug')).toEqual([]);
    await dispatch.drain(0);
  });

  test('while its reply is being written loses it, without a word of a lost lease', async () => {
    const { id } = await post(store, 'a', 'x');
    await post(store, 'a', 'y');
    const dispatch = dispatcher(
      {},
      {
        async completeTurn(turn, reply) {
          if (turn.messageId === id) await store.cancelMessage(id);
          return store.completeTurn(turn, reply);
        },
      },
    );
    dispatch.wake();
    (await agent.nth(0)).reply('late');
    (await agent.nth(1)).reply('in time');
    await until('replied');
    expect(await store.message(id)).toMatchObject({ state: 'cancelled', reply: null });
    expect(recorded.records.filter(({ priority }) => priority !== 'debug')).toEqual([]);
    await dispatch.drain(0);
  });

  test('and can’t be looked up is no trouble that would be shown from then on', async () => {
    const { id } = await post(store, 'a', 'x');
    const dispatch = dispatcher(
      {},
      {
        async completeTurn(turn, reply) {
          await store.cancelMessage(id);
          return store.completeTurn(turn, reply);
        },
        message: () => Promise.reject(new StoreError('unavailable', 'disk I/O error')),
      },
    );
    dispatch.wake();
    (await agent.nth(0)).reply('late');
    await expect.poll(() => dispatch.facts().running).toBe(0);
    expect(dispatch.facts().storeTrouble).toBeNull();
    expect(recorded.records.map(({ message }) => message).join()).toContain('can’t be told: disk I/O error');
    await dispatch.drain(0);
  });

  test('is found by the next renewal where nobody told of it, and holds its session no longer', async () => {
    const { dispatch, run } = await cancelledWhileItRuns();
    // With a claim on its way the renewal can't go by the number of turns.
    const slot = dispatch.reserveSlot();
    clock.advance(settings.lease / 3);
    expect((await agent.nth(1)).request.seq).toBe(2);
    expect(run.signal.aborted).toBe(true);
    expect(recorded.records.filter(({ priority }) => priority !== 'debug')).toEqual([]);
    slot?.release();
    await dispatch.drain(0);
  });

  test('and does not run here is no concern of the dispatcher', () => {
    dispatcher().cancel('nothing');
  });
});

describe('an agent that must not be run twice', () => {
  test.each(['failed', 'stopped'])('whose turn has %s: the message is dead', async (how) => {
    const { id } = await post(store, 'a', 'x');
    const dispatch = dispatcher({ repeatable: false });
    dispatch.wake();
    const run = await agent.nth(0);
    if (how === 'failed') run.fail(new AgentError('failed', 'The program exited with status 3.', true));
    else expect(await dispatch.drain(0)).toEqual({ finished: 1, putBack: 0 });
    await until('dead');
    expect(await store.message(id)).toMatchObject({
      state: 'dead',
      attempts: 1,
      error: expect.stringMatching(/ \(agent\.retry is "never"\)$/),
    });
    await dispatch.drain(0);
  });
});

describe('leases', () => {
  test('are renewed while a turn runs, so that no other gateway takes it', async () => {
    await post(store, 'a', 'x');
    const renewed = new Occurrences<number>();
    const dispatch = dispatcher(
      {},
      {
        async renewLeases(owner, leaseMs) {
          const held = await store.renewLeases(owner, leaseMs);
          renewed.add(held.turns);
          return held;
        },
      },
    );
    dispatch.wake();
    const run = await agent.nth(0);
    for (let round = 1; round <= 4; round += 1) {
      await passUntil(
        1_000,
        renewed.until((all) => all.length >= round),
      );
      const other = { owner: 'second', limit: 1, leaseMs: 1_000 };
      expect(await store.claimTurns(other)).toEqual([]);
    }
    run.reply('done');
    await until('replied');
    await dispatch.drain(0);
  });

  test('a claim that another gateway has taken ends the turn here, and nothing is written of it', async () => {
    const { id } = await post(store, 'a', 'x');
    const dispatch = dispatcher();
    dispatch.wake();
    const run = await agent.nth(0);
    const aborted = new Promise<void>((resolve) => run.signal.addEventListener('abort', () => resolve()));
    // This process was paused: for the store the lease is over.
    ahead = 31_000;
    const taken = await store.claimTurns({ owner: 'second', limit: 1, leaseMs: 60_000 });
    expect(taken.map((turn) => turn.attempt)).toEqual([2]);
    await passUntil(5_000, aborted);
    await dispatch.drain(0);
    expect(await store.message(id)).toMatchObject({ state: 'running', attempts: 2, error: null });
    expect(recorded.records.some(({ message }) => message.includes('another gateway has the turn now'))).toBe(
      true,
    );
  });

  test("another gateway's turn is taken once its lease is over", async () => {
    await post(store, 'a', 'x');
    const now = clock.now();
    await store.claimTurns({ owner: 'second', limit: 1, leaseMs: 10_000 });
    const dispatch = dispatcher();
    dispatch.wake();
    const run = agent.nth(0);
    await passUntil(
      1_000,
      run.then(() => {}),
    );
    expect((await run).request.attempt).toBe(2);
    expect(clock.now()).toBeGreaterThanOrEqual(now + 10_000);
    await dispatch.drain(0);
  });
});

describe('a store in trouble', () => {
  test('a reply is neither lost nor made again: it is written once there is room', async () => {
    const { id } = await post(store, 'a', 'x');
    let failures = 5;
    const dispatch = dispatcher(
      {},
      {
        completeTurn(...parameters) {
          failures -= 1;
          if (failures >= 0) return Promise.reject(new StoreError('full', 'The disk is full.'));
          return store.completeTurn(...parameters);
        },
      },
    );
    dispatch.wake();
    (await agent.nth(0)).reply('kept');
    await passUntil(100, until('replied'));
    expect((await store.message(id))?.reply?.text).toBe('kept');
    expect(agent.runs.all.length).toBe(1);
    const about = recorded.records.filter(({ message }) => message.includes('The store'));
    expect(about.map(({ priority }) => priority)).toEqual(['err', 'notice']);
    await dispatch.drain(0);
  });

  test('claims go on once it answers again', async () => {
    await post(store, 'a', 'x');
    let failures = 3;
    const dispatch = dispatcher(
      {},
      {
        claimTurns(claim) {
          failures -= 1;
          if (failures >= 0) return Promise.reject(new StoreError('unavailable', 'The disk fails.'));
          return store.claimTurns(claim);
        },
      },
    );
    dispatch.wake();
    await passUntil(
      100,
      agent.nth(0).then(() => {}),
    );
    expect(dispatch.facts().storeTrouble).toBeNull();
    await dispatch.drain(0);
  });

  test('a call that hangs shows as no progress', async () => {
    await post(store, 'a', 'x');
    const began = clock.now();
    let answer: () => void = () => {};
    const dispatch = dispatcher(
      {},
      {
        claimTurns: () =>
          new Promise((resolve) => {
            answer = () => resolve([]);
          }),
      },
    );
    expect(dispatch.facts().lastProgressAt).toBe(clock.now());
    dispatch.wake();
    clock.advance(40_000);
    expect(dispatch.facts().lastProgressAt).toBe(began);
    answer();
    await dispatch.drain(0);
    expect(dispatch.facts().lastProgressAt).toBe(clock.now());
  });
});

describe('drain', () => {
  test('lets turns end in their time and claims no more', async () => {
    for (const session of ['a', 'b', 'c']) await post(store, session, session);
    const dispatch = dispatcher();
    dispatch.wake();
    const runs = [await agent.nth(0), await agent.nth(1)];
    const drained = dispatch.drain(30_000);
    expect(dispatch.facts().state).toBe('draining');
    for (const run of runs) run.reply('in time');
    expect(await drained).toEqual({ finished: 2, putBack: 0 });
    expect(agent.runs.all.length).toBe(2);
    expect(await store.counts()).toMatchObject({ queued: 1, running: 0, replied: 2 });
    expect(clock.timers).toBe(0);
    dispatch.wake();
    expect(dispatch.facts()).toMatchObject({ state: 'drained', running: 0 });
  });

  test('cuts off what runs longer, and puts it back without counting the attempt', async () => {
    const { id } = await post(store, 'a', 'x');
    await post(store, 'b', 'y');
    const dispatch = dispatcher();
    dispatch.wake();
    const runs = [await agent.nth(0), await agent.nth(1)];
    const drained = dispatch.drain(30_000);
    runs[1]?.reply('in time');
    await until('replied');
    clock.advance(30_000);
    expect(await drained).toEqual({ finished: 1, putBack: 1 });
    expect(await store.message(id)).toMatchObject({ state: 'queued', attempts: 0 });
  });

  test('counts that it cut a turn off, and as often as it may be tried its message is dead', async () => {
    const { id } = await post(store, 'a', 'x');
    await post(store, 'a', 'next');
    for (const putBacks of [0, 1]) {
      const dispatch = dispatcher();
      dispatch.wake();
      expect((await agent.nth(putBacks)).request).toMatchObject({ attempt: 1, putBacks });
      expect(await dispatch.drain(0)).toEqual({ finished: 0, putBack: 1 });
      expect(await store.message(id)).toMatchObject({ state: 'queued', attempts: 0 });
    }
    const dispatch = dispatcher();
    dispatch.wake();
    expect((await agent.nth(2)).request).toMatchObject({ attempt: 1, putBacks: 2 });
    expect(await dispatch.drain(0)).toEqual({ finished: 1, putBack: 0 });
    const reason = expect.stringContaining('cut its turn off, 3 of 3 times (dispatch.max_attempts)');
    expect(await store.message(id)).toMatchObject({ state: 'dead', attempts: 1, error: reason });
    expect(changes.all.at(-1)).toMatchObject({ turn: { messageId: id }, state: 'dead' });
    expect(recorded.records.filter(({ message }) => message.includes(' of 3 times'))).toEqual([
      { priority: 'notice', message: expect.stringContaining('1 of 3 times') },
      { priority: 'notice', message: expect.stringContaining('2 of 3 times') },
      { priority: 'err', message: reason },
    ]);
  });

  test('does not count turns that had not begun', async () => {
    const { id } = await post(store, 'a', 'x');
    for (let stops = 0; stops < 5; stops += 1) {
      const dispatch = dispatcher();
      dispatch.wake();
      expect(await dispatch.drain(0)).toEqual({ finished: 0, putBack: 1 });
    }
    expect(agent.runs.all.length).toBe(0);
    expect(await store.message(id)).toMatchObject({ state: 'queued', attempts: 0 });
  });

  test('ends at once when it is told to', async () => {
    await post(store, 'a', 'x');
    const dispatch = dispatcher();
    dispatch.wake();
    await agent.nth(0);
    const hurry = new AbortController();
    const drained = dispatch.drain(30_000, hurry.signal);
    hurry.abort();
    expect(await drained).toEqual({ finished: 0, putBack: 1 });
  });

  test('puts back what was being claimed when it began', async () => {
    const { id } = await post(store, 'a', 'x');
    const dispatch = dispatcher();
    dispatch.wake();
    expect(await dispatch.drain(30_000)).toEqual({ finished: 0, putBack: 1 });
    expect(agent.runs.all.length).toBe(0);
    expect(await store.message(id)).toMatchObject({ state: 'queued', attempts: 0 });
  });

  test('counts what a store that takes nothing leaves to the next start', async () => {
    const full = () => Promise.reject(new StoreError('full', 'The disk is full.'));
    await post(store, 'a', 'x');
    await post(store, 'b', 'y');
    const dispatch = dispatcher({}, { completeTurn: full, putBackTurns: full });
    dispatch.wake();
    await agent.nth(1);
    (await agent.nth(0)).reply('lost');
    expect(await dispatch.drain(0)).toEqual({ finished: 0, putBack: 2 });
  });

  test('a reply that the store would not take is run again, and that is said', async () => {
    const { id } = await post(store, 'a', 'x');
    const tried = new Occurrences<null>();
    const dispatch = dispatcher(
      {},
      {
        completeTurn() {
          tried.add(null);
          return Promise.reject(new StoreError('full', 'The disk is full.'));
        },
      },
    );
    dispatch.wake();
    (await agent.nth(0)).reply('lost');
    await tried.until((all) => all.length > 0);
    const drained = dispatch.drain(1_000);
    clock.advance(1_000);
    expect(await drained).toEqual({ finished: 0, putBack: 1 });
    expect(await store.message(id)).toMatchObject({ state: 'queued' });
    expect(recorded.records.some(({ message }) => message.includes('the turn is run again'))).toBe(true);
  });
});

describe('an agent that can’t be started', () => {
  const gone = () => new AgentError('unavailable', 'the command "gone" could not be started: ENOENT', false);

  test('is held, and tried again by one turn at a time, without an attempt that counts', async () => {
    const ids: string[] = [];
    for (const session of ['a', 'b', 'c']) ids.push((await post(store, session, session)).id);
    const dispatch = dispatcher();
    dispatch.wake();
    await agent.nth(1);
    for (const run of agent.runs.all) run.fail(gone());
    await until('queued', 2);
    expect(dispatch.facts()).toMatchObject({
      failed: 0,
      dead: 0,
    });
    const hold = () => dispatch.facts().agentHolds.get('default');
    expect(hold()).toMatchObject({ failures: 1, since: clock.now() });
    expect(hold()?.reason).toContain('ENOENT');
    dispatch.wake();
    await store.probe();
    expect(agent.runs.all).toHaveLength(2);
    expect(recorded.records.filter(({ priority }) => priority === 'err')).toHaveLength(1);

    clock.advance(1_000);
    (await agent.nth(2)).fail(gone());
    await until('queued', 3);
    expect(hold()?.failures).toBe(2);
    clock.advance(1_000);
    await store.probe();
    expect(agent.runs.all).toHaveLength(3);
    clock.advance(1_000);

    const tries = await agent.nth(3);
    dispatch.wake();
    await store.probe();
    expect(agent.runs.all).toHaveLength(4);
    tries.reply('here again');
    (await agent.nth(4)).reply('2');
    (await agent.nth(5)).reply('3');
    await until('replied', 3);
    expect(hold()).toBeUndefined();
    for (const id of ids) expect(await store.message(id)).toMatchObject({ state: 'replied', attempts: 1 });
    await dispatch.drain(0);
    expect(clock.timers).toBe(0);
  });

  test('holds up no other agent', async () => {
    const fast = new HeldAgent();
    await store.setAgent('b', 'fast');
    const first = await post(store, 'a', 'one');
    const dispatch = dispatcher({ concurrency: 1 }, {}, { agents: agentsNamed({ default: agent, fast }) });
    dispatch.wake();
    (await agent.nth(0)).fail(gone());
    await until('queued');
    await post(store, 'b', 'two');
    dispatch.wake();
    (await fast.nth(0)).reply('done');
    await until('replied');
    expect([...dispatch.facts().agentHolds.keys()]).toEqual(['default']);
    expect(agent.runs.all).toHaveLength(1);

    clock.advance(1_000);
    (await agent.nth(1)).reply('here');
    await until('replied', 2);
    expect(await store.message(first.id)).toMatchObject({ state: 'replied', attempts: 1 });
    expect(dispatch.facts().agentHolds.size).toBe(0);
    await dispatch.drain(0);
  });

  test('that hangs takes no more turns than it may, and leaves the others theirs', async () => {
    const fast = new HeldAgent();
    for (const session of ['a', 'b', 'c', 'd']) await post(store, session, session);
    await store.setAgent('e', 'fast');
    await post(store, 'e', 'e');
    const dispatch = dispatcher({ concurrency: 3 }, {}, { agents: agentsNamed({ default: agent, fast }) });
    dispatch.wake();
    // Two of three: the others wait, before the one of the other agent.
    await agent.nth(1);
    (await fast.nth(0)).reply('done');
    await until('replied');
    await store.probe();
    expect(agent.runs.all.map(({ request }) => request.session)).toEqual(['a', 'b']);
    (await agent.nth(0)).reply('late');
    expect((await agent.nth(2)).request.session).toBe('c');
    await dispatch.drain(0);
  });

  test('has as many turns as its table says', async () => {
    for (const session of ['a', 'b', 'c']) await post(store, session, session);
    const agents = agentsNamed({ default: agent }, settings, { default: 1 });
    const dispatch = dispatcher({ concurrency: 3 }, {}, { agents });
    dispatch.wake();
    for (const [index, session] of ['a', 'b', 'c'].entries()) {
      const run = await agent.nth(index);
      expect(run.request.session).toBe(session);
      expect(dispatch.facts().running - dispatch.facts().writing).toBe(1);
      run.reply('r');
    }
    await until('replied', 3);
    await dispatch.drain(0);
  });

  test('lets others begin as soon as it is started, however long its turn takes', async () => {
    await post(store, 'a', 'one');
    await post(store, 'b', 'two');
    const dispatch = dispatcher({ concurrency: 1 });
    dispatch.wake();
    (await agent.nth(0)).fail(gone());
    await until('queued');
    dispatch.configure({ ...settings, concurrency: 1 });
    (await agent.nth(1)).fail(gone());
    await until('queued', 2);
    dispatch.configure(settings);
    await agent.nth(3);
    expect(dispatch.facts().running).toBe(2);
    expect(dispatch.facts().agentHolds.size).toBe(0);
    await dispatch.drain(0);
  });

  test('is held whatever agent.retry says, as it has done nothing', async () => {
    const { id } = await post(store, 'a', 'one');
    const dispatch = dispatcher({ repeatable: false });
    dispatch.wake();
    (await agent.nth(0)).fail(gone());
    await until('queued');
    expect(await store.message(id)).toMatchObject({ state: 'queued', attempts: 0 });
    await dispatch.drain(0);
    expect(clock.timers).toBe(0);
  });
});

describe('a question of an agent', () => {
  const question = { kind: 'execute', title: 'Run make', input: { command: 'make' }, options: [] };
  /** Asks, and replies with the answer. */
  const asking: Agent = {
    type: 'asking',
    async *run() {
      let answered = (_optionId: string | null): void => undefined;
      const answer = new Promise<string | null>((resolve) => {
        answered = resolve;
      });
      yield { type: 'question', question, answer: answered };
      yield { type: 'end', reply: { text: String(await answer), metadata: {} } };
    },
  };

  test('holds no slot and no time until a person answers', async () => {
    const { id } = await post(store, 'a', 'x');
    const asked = new Occurrences<(optionId: string | null) => void>();
    const dispatch = dispatcher(
      { concurrency: 1, timeout: 5_000 },
      {},
      {
        agents: agentsNamed({ default: agent, asking }, { timeout: 5_000, repeatable: true }),
        ask: (turn, what) => {
          expect([turn.messageId, what]).toEqual([id, question]);
          return new Promise((resolve) => asked.add(resolve));
        },
      },
    );
    await store.setAgent('a', 'asking');
    dispatch.wake();
    await asked.until((all) => all.length === 1);
    await expect.poll(async () => (await store.message(id))?.waitingFor).toBe('question');
    await post(store, 'b', 'y');
    dispatch.wake();
    (await agent.nth(0)).reply('meanwhile');
    await until('replied');
    clock.advance(60_000);
    asked.all[0]?.('allow');
    await until('replied', 2);
    expect(await store.message(id)).toMatchObject({ reply: { text: 'allow' }, waitingFor: null });
    await dispatch.drain(0);
    expect(clock.timers).toBe(0);
  });

  test.each(['before', 'after'])('that comes %s a stop puts its turn back at once', async (when) => {
    const { id } = await post(store, 'a', 'x');
    const asked = new Occurrences<AbortSignal>();
    const began = new Occurrences<() => void>();
    const slow: Agent = {
      type: 'slow',
      async *run(_, signal) {
        await new Promise<void>((resolve) => began.add(resolve));
        yield { type: 'question', question, answer: () => undefined };
        await new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
          if (signal.aborted) reject(signal.reason);
        });
      },
    };
    const dispatch = dispatcher(
      {},
      {},
      {
        agents: agentsNamed({ default: slow }),
        ask: (_turn, _what, signal) =>
          new Promise((resolve) => {
            asked.add(signal);
            signal.addEventListener('abort', () => resolve(null));
          }),
      },
    );
    dispatch.wake();
    await began.until((all) => all.length === 1);
    if (when === 'before') {
      began.all[0]?.();
      await asked.until((all) => all.length === 1);
    }
    // It does not wait for the hour that it may.
    const drained = dispatch.drain(3_600_000);
    if (when === 'after') began.all[0]?.();
    expect(await drained).toEqual({ finished: 0, putBack: 1 });
    expect(asked.all.map(({ aborted }) => aborted)).toEqual(when === 'before' ? [true] : []);
    expect(await store.message(id)).toMatchObject({ state: 'queued', attempts: 0, waitingFor: null });
  });

  test('is answered with no where nobody is there to answer, or the asking fails', async () => {
    for (const [index, ask] of [undefined, () => Promise.reject(new Error('no channel'))].entries()) {
      const { id } = await post(store, `s${index}`, 'x');
      const agents = agentsNamed({ default: asking });
      const dispatch = dispatcher({}, {}, { agents, ...(ask === undefined ? {} : { ask }) });
      dispatch.wake();
      await until('replied', index + 1);
      expect((await store.message(id))?.reply?.text).toBe('null');
      await dispatch.drain(0);
    }
    expect(recorded.records.map(({ message }) => message)).toContainEqual(
      expect.stringContaining('could not be asked, and is answered with no: no channel'),
    );
  });
});

describe('a turn whose agent calls back', () => {
  /** Says that it calls back, and waits until it is cut off or the test has it reply. */
  function callingBack() {
    const runs = new Occurrences<{
      readonly request: AgentRequest;
      readonly reply: (text: string) => void;
    }>();
    const calling: Agent = {
      type: 'calling',
      async *run(request, signal) {
        const reply = new Promise<string>((resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
          runs.add({ request, reply: resolve });
        });
        yield { type: 'waits', reason: 'callback' };
        yield { type: 'end', reply: { text: await reply, metadata: {} } };
      },
    };
    return { runs, calling };
  }

  test('holds no slot while it waits', async () => {
    const { runs, calling } = callingBack();
    const { id } = await post(store, 'a', 'x');
    const agents = agentsNamed({ default: agent, calling });
    const dispatch = dispatcher({ concurrency: 1 }, {}, { agents });
    await store.setAgent('a', 'calling');
    dispatch.wake();
    await runs.until((all) => all.length === 1);
    await expect.poll(async () => (await store.message(id))?.waitingFor).toBe('callback');
    await post(store, 'b', 'y');
    dispatch.wake();
    (await agent.nth(0)).reply('meanwhile');
    await until('replied');
    runs.all[0]?.reply('at last');
    await until('replied', 2);
    expect(await store.message(id)).toMatchObject({ reply: { text: 'at last' }, waitingFor: null });
    await dispatch.drain(0);
  });

  test.each([true, false])(
    'is put back at once by a stop, and no attempt counts; repeatable: %s',
    async (repeatable) => {
      const { runs, calling } = callingBack();
      const { id } = await post(store, 'a', 'x');
      const agents = agentsNamed({ default: calling }, { timeout: 60_000, repeatable });
      for (let start = 1; start <= 5; start += 1) {
        const dispatch = dispatcher({}, {}, { agents });
        dispatch.wake();
        await runs.until((all) => all.length === start);
        await expect.poll(async () => (await store.message(id))?.waitingFor).toBe('callback');
        // It does not wait for the hour that it may.
        await dispatch.drain(3_600_000);
        expect(await store.message(id)).toMatchObject({ state: 'queued', attempts: 0 });
      }
      expect(runs.all.map(({ request }) => [request.attempt, request.putBacks])).toEqual(
        Array(5).fill([1, 0]),
      );
    },
  );
});
