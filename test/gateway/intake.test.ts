import { afterEach, beforeEach, expect, test } from 'vitest';
import { Dispatcher } from '../../src/gateway/dispatch/dispatcher.js';
import { Intake } from '../../src/gateway/intake.js';
import { MessageActions } from '../../src/gateway/message-actions.js';
import type { Message, MessageState } from '../../src/store/messages.js';
import type { SqliteStore } from '../../src/store/sqlite/sqlite-store.js';
import type { Store } from '../../src/store/store.js';
import { StoreError } from '../../src/store/store-error.js';
import { newMessage, noLimits } from '../store/samples.js';
import { withCalls } from '../store/with-calls.js';
import {
  agentsNamed,
  type Change,
  HeldAgent,
  Occurrences,
  openStore,
  recordingLog,
  settings,
} from './dispatch/fixture.js';

let opened: Awaited<ReturnType<typeof openStore>>;
let store: SqliteStore;
let agent: HeldAgent;
let changes: Occurrences<Change>;
let accepted: Message[];

beforeEach(async () => {
  opened = await openStore();
  store = opened.store;
  agent = new HeldAgent();
  changes = new Occurrences();
  accepted = [];
});
afterEach(() => opened.dispose());

/** A dispatcher, and what new messages take to get to it. */
function gateway(concurrency: number, over: Partial<Store> = {}) {
  const called = withCalls(store, over);
  const dispatcher = new Dispatcher({
    store: called,
    agents: agentsNamed({ default: agent }),
    log: recordingLog().log,
    owner: 'first',
    settings: { ...settings, concurrency },
    onChange: (turn, state) => changes.add({ turn, state }),
  });
  const intake = new Intake({
    store: called,
    dispatcher,
    onAccepted: (message) => accepted.push(message),
  });
  const take = (session: string, text = session) => intake.accept(newMessage(session, { text }), noLimits);
  return { dispatcher, intake, take };
}

const states = (state: MessageState) => changes.all.filter((change) => change.state === state);

test('a turn begins with its message, in one transaction, once that was told', async () => {
  const { take, dispatcher } = gateway(1);
  const before = await store.statistics();
  await take('a');
  const after = await store.statistics();
  expect(after.commits - before.commits).toBe(1);
  expect(accepted).toHaveLength(1);
  const run = await agent.nth(0);
  expect(run.request).toMatchObject({ session: 'a', seq: 1, attempt: 1, text: 'a' });
  expect(await store.counts()).toMatchObject({ queued: 0, running: 1 });
  run.reply('r');
  await changes.until(() => states('replied').length === 1);
  await dispatcher.drain(0);
});

test('no more turns run than there are places, whatever comes at once', async () => {
  const { take, dispatcher } = gateway(2);
  await Promise.all(['a', 'b', 'c', 'd'].map((session) => take(session)));
  await agent.nth(1);
  expect(await store.counts()).toMatchObject({ queued: 2, running: 2 });
  (await agent.nth(0)).reply('r');
  (await agent.nth(2)).reply('r');
  (await agent.nth(3)).reply('r');
  (await agent.nth(1)).reply('r');
  await changes.until(() => states('replied').length === 4);
  await dispatcher.drain(0);
});

test('the next message of a session runs when the one before has ended', async () => {
  const { take, dispatcher } = gateway(4);
  await Promise.all(['one', 'two', 'three'].map((text) => take('a', text)));
  for (const [index, text] of ['one', 'two', 'three'].entries()) {
    const run = await agent.nth(index);
    expect(run.request.text).toBe(text);
    run.reply('r');
  }
  await changes.until(() => states('replied').length === 3);
  await dispatcher.drain(0);
});

test('a place that was kept for nothing goes to who waits for it', async () => {
  let refuse: (error: StoreError) => void = () => undefined;
  const { take, dispatcher } = gateway(1, {
    accept: (message, limits, claim) =>
      message.text === 'refused'
        ? new Promise((_, reject) => {
            refuse = reject;
          })
        : store.accept(message, limits, claim),
  });
  const refused = take('a', 'refused');
  // The one place is kept for the first: this one waits.
  await take('b');
  expect(await store.counts()).toMatchObject({ queued: 1, running: 0 });
  refuse(new StoreError('full', 'The disk is full.'));
  await expect(refused).rejects.toThrow('The disk is full.');
  const run = await agent.nth(0);
  expect(run.request.session).toBe('b');
  run.reply('r');
  await changes.until(() => states('replied').length === 1);
  await dispatcher.drain(0);
});

test.each(['message', 'session'] as const)(
  'a message that is cancelled with its acceptance, as a %s, is not run, and holds nobody up',
  async (what) => {
    const { dispatcher, intake, take } = gateway(4);
    const actions = new MessageActions({
      store,
      cutOff: (id) => dispatcher.cancel(id),
      onChange: () => undefined,
      log: recordingLog().log,
    });
    const message = newMessage('a');
    const [taken] = await Promise.all([
      intake.accept(message, noLimits),
      what === 'session' ? actions.cancelSession('a') : actions.cancelMessage(message.id),
    ]);
    expect(taken).toMatchObject({ outcome: 'accepted', turn: { session: 'a' } });
    await take('a', 'next');
    const run = await agent.nth(0);
    expect(run.request.text).toBe('next');
    expect(await store.message(message.id)).toMatchObject({ state: 'cancelled' });
    run.reply('r');
    await changes.until(() => states('replied').length === 1);
    await dispatcher.drain(0);
  },
);

test('what is claimed is run, though who is told of its acceptance fails', async () => {
  const { dispatcher } = gateway(1);
  const intake = new Intake({
    store,
    dispatcher,
    onAccepted: () => {
      throw new Error('The listener failed.');
    },
  });
  await expect(intake.accept(newMessage('a'), noLimits)).rejects.toThrow('The listener failed.');
  (await agent.nth(0)).reply('r');
  await changes.until(() => states('replied').length === 1);
  await dispatcher.drain(0);
});

test('what is accepted while a drain begins is put back, not lost', async () => {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { take, dispatcher } = gateway(1, {
    accept: async (message, limits, claim) => {
      const outcome = await store.accept(message, limits, claim);
      await held;
      return outcome;
    },
  });
  const taking = take('a');
  const drained = dispatcher.drain(60_000);
  release();
  expect((await taking).outcome).toBe('accepted');
  expect(await drained).toEqual({ finished: 0, putBack: 1 });
  expect(agent.runs.all).toEqual([]);
  expect(await store.counts()).toMatchObject({ queued: 1, running: 0 });
  // No attempt counts that nothing was run of.
  expect(await store.message(accepted[0]?.id ?? '')).toMatchObject({ state: 'queued', attempts: 0 });
  // While it stops, messages are taken for the next start to run.
  expect(await take('b')).toMatchObject({ outcome: 'accepted', turn: null });
});
