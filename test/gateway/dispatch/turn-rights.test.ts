import { afterEach, beforeEach, expect, test } from 'vitest';
import type { PeopleConfiguration } from '../../../src/config/channel-table.js';
import { Dispatcher } from '../../../src/gateway/dispatch/dispatcher.js';
import { People } from '../../../src/gateway/people/people.js';
import { sendersOf } from '../../../src/gateway/people/people-senders.js';
import type { MessageState, SessionPolicy } from '../../../src/store/messages.js';
import type { Store } from '../../../src/store/store.js';
import { StoreError } from '../../../src/store/store-error.js';
import { newMessage, noLimits } from '../../store/samples.js';
import { withCalls } from '../../store/with-calls.js';
import { agentsNamed, HeldAgent, Occurrences, openStore, recordingLog, settings } from './fixture.js';

let opened: Awaited<ReturnType<typeof openStore>>;
let agent: HeldAgent;
let changes: Occurrences<MessageState>;
let recorded: ReturnType<typeof recordingLog>;
let channels: Map<string, PeopleConfiguration>;
let made: Dispatcher | null;

const rules: PeopleConfiguration = {
  allow: ['ada'],
  owners: ['olga'],
  approvals: 'author',
  words: true,
  notices: 'failures',
  texts: null,
};

beforeEach(async () => {
  opened = await openStore();
  agent = new HeldAgent();
  changes = new Occurrences();
  recorded = recordingLog();
  channels = new Map([['tg', rules]]);
  made = null;
});
afterEach(async () => {
  await made?.drain(0);
  await opened.dispose();
});

function dispatch(over: Partial<Store> = {}, policy: SessionPolicy = 'queue') {
  const store = withCalls(opened.store, over);
  const people = new People({ store, log: recorded.log, channels: () => channels });
  made = new Dispatcher({
    store: opened.store,
    agents: agentsNamed({ default: agent }),
    sendersOf: (turn) => sendersOf(people, turn),
    log: recorded.log,
    owner: 'first',
    settings: { ...settings, policy, retry_delay: 1 },
    onChange: (_turn, state) => changes.add(state),
  });
  made.wake();
  return people;
}

async function write(sender: string, text: string, channel = 'tg'): Promise<string> {
  const message = newMessage('tg:1', { sender, text, channel });
  await opened.store.acceptAll([message], noLimits, null);
  return message.id;
}

test('a message whose author may no longer write is dead with that reason, and the next one is run', async () => {
  const id = await write('eve', 'one');
  await write('olga', 'two');
  dispatch();
  const run = await agent.nth(0);
  expect(run.request).toMatchObject({
    text: 'two',
    sender: { id: 'olga', name: null, channel: 'tg', role: 'owner' },
  });
  expect(await opened.store.message(id)).toMatchObject({
    state: 'dead',
    error: expect.stringContaining('"eve" may no longer write by the channel tg'),
  });
  expect(agent.runs.all).toHaveLength(1);
});

test('the right is that of the moment in which the turn begins', async () => {
  const people = dispatch();
  const offer = await people.offerCode('tg', { id: 'eve', name: 'Eve' });
  if (offer.outcome !== 'code') throw new Error('There is no code.');
  await people.accept(offer.code, 'user');
  await write('eve', 'one');
  made?.wake();
  const run = await agent.nth(0);
  expect(run.request.sender).toEqual({ id: 'eve', name: 'Eve', channel: 'tg', role: 'user' });
  const id = await write('eve', 'two');
  await people.remove('tg', 'eve');
  run.reply('done');
  await changes.until((all) => all.includes('dead'));
  expect(await opened.store.message(id)).toMatchObject({ state: 'dead' });
});

test('messages of others that are collected into a turn are left out', async () => {
  dispatch({}, 'collect');
  await write('ada', 'first');
  made?.wake();
  const first = await agent.nth(0);
  for (const [sender, text] of [
    ['ada', 'one'],
    ['eve', 'two'],
    ['olga', 'three'],
  ] as const) {
    await write(sender, text);
  }
  first.reply('done');
  const second = await agent.nth(1);
  expect(second.request.text).toBe('one\n\nthree');
  expect(second.request.collected).toMatchObject([{ text: 'one', sender: { id: 'ada', role: 'user' } }]);
  expect(recorded.records).toContainEqual({
    priority: 'warning',
    message: '1 messages of a turn are left out, as their authors may no longer write.',
  });
});

test('a look-up that fails is tried again', async () => {
  let failures = 0;
  await write('eve', 'one');
  dispatch({
    record: () => {
      failures += 1;
      return Promise.reject(new StoreError('unavailable', 'The store is away.'));
    },
  });
  await changes.until((all) => all.includes('dead'));
  expect(failures).toBe(settings.max_attempts);
  expect(agent.runs.all).toEqual([]);
});

test('nobody is looked up who came by another way', async () => {
  await write('eve', 'one', 'http');
  dispatch();
  const { request } = await agent.nth(0);
  expect(request.sender).toEqual({ id: 'eve', name: null, channel: 'http', role: null });
});
