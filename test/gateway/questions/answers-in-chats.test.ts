import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AgentQuestion } from '../../../src/agents/agent.js';
import type { Received } from '../../../src/channels/channel.js';
import { Teller } from '../../../src/channels/conversation/teller.js';
import { defaultTexts } from '../../../src/channels/conversation/texts.js';
import type { SessionOperations } from '../../../src/channels/surroundings.js';
import type { PeopleConfiguration } from '../../../src/config/channel-table.js';
import { openReception } from '../../../src/gateway/people/open-reception.js';
import { People } from '../../../src/gateway/people/people.js';
import { Questions } from '../../../src/gateway/questions/questions.js';
import { claim, newMessage, noLimits } from '../../store/samples.js';
import { RecordingLog } from '../delivery/recording-log.js';
import { ManualClock, openStore } from '../dispatch/fixture.js';

const call: AgentQuestion = {
  kind: 'execute',
  title: 'rm -r build',
  input: null,
  options: [
    { id: 'yes', name: 'Allow once', effect: 'allow' },
    { id: 'no', name: 'Reject', effect: 'deny' },
  ],
};

let opened: Awaited<ReturnType<typeof openStore>>;
let end: AbortController;
let answer: Promise<string | null>;

beforeEach(async () => {
  opened = await openStore();
  end = new AbortController();
});
afterEach(async () => {
  end.abort();
  await answer;
  await opened.dispose();
});

/** A channel `tg` of ada and bob, whose owner is olga, and a turn of these authors' messages that asks. */
async function asks(authors: readonly string[] = ['ada'], changes: Partial<PeopleConfiguration> = {}) {
  const { store } = opened;
  const rules: PeopleConfiguration = {
    allow: ['ada', 'bob'],
    owners: ['olga'],
    approvals: 'author',
    words: true,
    notices: 'failures',
    texts: null,
    groups: 'all',
    ...changes,
  };
  const log = new RecordingLog();
  const people = new People({ store, log, channels: () => new Map([['tg', rules]]) });
  let isAsked: (code: string) => void = () => undefined;
  const questions = new Questions({
    store,
    log,
    owner: 'first',
    timeoutMs: () => 60_000,
    onAsked: (asked) => isAsked(asked.code),
  });
  const said: string[] = [];
  const clock = new ManualClock();
  const say = () => async (_target: object, text: string) => void said.push(text);
  const teller = new Teller({ name: 'tg', log, clock, say, level: 'failures', texts: defaultTexts });
  const reception = openReception(
    {
      name: 'tg',
      log,
      clock,
      accept: async (messages) => messages.map(() => ({ outcome: 'set-aside' })),
    },
    defaultTexts,
    {
      rules,
      people: {
        role: async (person) => (await people.person('tg', person))?.role ?? null,
        offerCode: async () => ({ outcome: 'full' }),
      },
      words: {
        store,
        sessions: { agents: ['default'] } as unknown as SessionOperations,
        actions: { cancelMessage: async () => null },
        questions,
      },
      teller,
      actions: { reviseMessage: async () => null },
      isHeld: async () => false,
    },
  );
  const written = authors.map((sender) => newMessage('tg:1', { sender, channel: 'tg' }));
  await store.acceptAll(written, noLimits, null);
  const [turn] = await store.claimTurns(claim({ policy: 'collect', collectLimit: 9 }));
  if (turn === undefined) throw new Error('There is no turn.');
  const asked = new Promise<string>((resolve) => (isAsked = resolve));
  answer = questions.ask(turn, call, end.signal);
  const code = await asked;
  let count = 0;
  const write = async (person: string, text: string, how: Partial<Received> = {}) => {
    count += 1;
    const [outcome] = await reception.receive([
      {
        conversation: '1',
        id: `word-${count}`,
        text,
        person: { id: person, name: null },
        isGroup: true,
        replyTo: { address: '1' },
        ...how,
      },
    ]);
    return outcome?.outcome;
  };
  const isOpen = async () => (await questions.question(code))?.state === 'open';
  return { code, write, isOpen, said, people };
}

test.each([
  ['ada', '/approve', 'yes'],
  ['ada', '/deny', 'no'],
  ['olga', '/approve', 'yes'],
])('%s answers with %s, and the code counts once', async (person, word, option) => {
  const { code, write, said } = await asks();
  expect(await write(person, `${word} ${code.toLowerCase()}`)).toBe('word');
  expect(await answer).toBe(option);
  await write(person, `/approve ${code}`);
  expect(said.at(-1)).toBe('It was answered already, or it is too late.');
});

test('another person who may write can’t answer, and the owner still can', async () => {
  const { code, write, isOpen, said } = await asks();
  await write('bob', `/approve ${code}`);
  await write('bob', `/deny ${code}`);
  expect(said).toEqual(['You may not do that here.', 'You may not do that here.']);
  expect(await isOpen()).toBe(true);
  await write('olga', `/deny ${code}`);
  expect(await answer).toBe('no');
});

test('the author can’t answer in another conversation', async () => {
  const { code, write, isOpen, said } = await asks();
  await write('ada', `/approve ${code}`, { conversation: '2', replyTo: { address: '2' } });
  expect(said).toEqual(['Nothing is asked here under this code.']);
  expect(await isOpen()).toBe(true);
});

test.each(['forwarded', 'quoted', 'edited'] as const)('a word that was %s is no answer', async (origin) => {
  const { code, write, isOpen } = await asks();
  expect(await write('ada', `/approve ${code}`, { origin })).not.toBe('word');
  expect(await isOpen()).toBe(true);
});

test('a person who has lost the right to write meanwhile can’t answer', async () => {
  const { code, write, isOpen, people } = await asks(['eve']);
  const offer = await people.offerCode('tg', { id: 'eve', name: null });
  if (offer.outcome !== 'code') throw new Error('There is no code.');
  await people.accept(offer.code, 'user');
  await people.remove('tg', 'eve');
  expect(await write('eve', `/approve ${code}`)).toBe('not-allowed');
  expect(await isOpen()).toBe(true);
});

test('what is asked in a turn of several persons’ messages only an owner answers', async () => {
  const { code, write, isOpen } = await asks(['ada', 'bob']);
  await write('ada', `/approve ${code}`);
  await write('bob', `/approve ${code}`);
  expect(await isOpen()).toBe(true);
  await write('olga', `/approve ${code}`);
  expect(await answer).toBe('yes');
});

test('the author answers in a turn of several messages of theirs', async () => {
  const { code, write } = await asks(['ada', 'ada']);
  await write('ada', `/approve ${code}`);
  expect(await answer).toBe('yes');
});

test('with approvals = "owner" the author can’t answer', async () => {
  const { code, write, isOpen, said } = await asks(['ada'], { approvals: 'owner' });
  await write('ada', `/approve ${code}`);
  expect(said).toEqual(['You may not do that here.']);
  expect(await isOpen()).toBe(true);
});
