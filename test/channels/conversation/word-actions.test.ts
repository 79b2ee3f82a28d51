import { beforeEach, describe, expect, test } from 'vitest';
import { defaultTexts } from '../../../src/channels/conversation/texts.js';
import { WordActions, type WordUse } from '../../../src/channels/conversation/word-actions.js';
import { type Approvals, wordOf } from '../../../src/channels/conversation/words.js';
import type { AskedQuestion, QuestionState } from '../../../src/channels/surroundings.js';
import { StoreError } from '../../../src/store/store-error.js';
import { RecordingLog } from '../../gateway/delivery/recording-log.js';

let log: RecordingLog;
let done: string[];
let words: WordActions;
let noted: Set<string>;
let storeFailure: Error | null;
let sender: string;
let approvals: Approvals;

const question = (
  code: string,
  session: string,
  state: QuestionState = 'open',
  author: AskedQuestion['author'] = { channel: 'tg', id: 'bob' },
): AskedQuestion => ({
  code,
  session,
  messageId: 'm',
  attempt: 1,
  agent: 'default',
  kind: 'execute',
  title: `run ${code}`,
  input: null,
  inputIsCut: false,
  options: [],
  askedAt: 0,
  expiresAt: 0,
  state,
  author,
});
const questions = [
  question('AAAAAAAA', 'tg:c1'),
  question('BBBBBBBB', 'tg:c2'),
  question('CCCCCCCC', 'tg:c1', 'denied'),
  question('DDDDDDDD', 'tg:c1', 'open', { channel: 'irc', id: 'bob' }),
  question('EEEEEEEE', 'tg:c1', 'open', null),
];

beforeEach(() => {
  log = new RecordingLog();
  [done, noted] = [[], new Set()];
  storeFailure = null;
  sender = 'ada';
  approvals = 'author';
  const summary = {
    session: 'tg:c1',
    lastSeq: 3,
    waiting: 2,
    running: true,
    lastAcceptedAt: 0,
    policy: null,
    agent: null,
    generation: 1,
  };
  words = new WordActions({
    name: 'tg',
    texts: defaultTexts,
    log,
    get approvals() {
      return approvals;
    },
    store: {
      session: async () => summary,
      settledUpTo: async () => 1,
      settledMessages: async () => ({ items: [], more: false, next: { id: 'm2', state: 'running' } }),
      message: async (id) => ({ id, sender }) as never,
      putRecord: async ({ kind, key }) => {
        if (storeFailure !== null) throw storeFailure;
        const isNew = !noted.has(`${kind} ${key}`);
        noted.add(`${kind} ${key}`);
        return isNew ? { outcome: 'written', version: 1 } : { outcome: 'conflict', record: null };
      },
    },
    sessions: {
      agents: ['default', 'fast'],
      resetSession: async (session) => {
        done.push(`reset ${session}`);
        return summary;
      },
      deleteSession: async () => null,
      setAgent: async (session, agent) => {
        done.push(`${session} has ${agent}`);
        return summary;
      },
      route: async () => ({ agent: 'default', isConfigured: true, source: 'default', route: null }),
    },
    actions: {
      cancelMessage: async (id) => {
        done.push(`cancel ${id}`);
        return { outcome: 'cancelled', message: { id } as never, running: true };
      },
    },
    questions: {
      list: async () => ({ items: questions, next: null }),
      question: async (code) => questions.find((each) => each.code === code) ?? null,
      answer: async (code, effect) => {
        done.push(`${effect} ${code}`);
        const asked = questions.find((each) => each.code === code);
        if (asked === undefined) return null;
        return { outcome: asked.state === 'open' ? 'answered' : 'too-late', question: asked };
      },
    },
  });
});

function say(text: string, changes: Partial<WordUse> = {}): Promise<string | null> {
  const said = wordOf({ text });
  if (said === null) throw new Error(`${text} is no word.`);
  const use = { conversation: 'c1', id: null, person: 'ada', role: 'owner', isGroup: false, ...changes };
  return words.perform(said, use as WordUse);
}

test.each([
  ['/reset', 'Our conversation begins anew.', ['reset tg:c1']],
  ['/stop', 'Stopped.', ['cancel m2']],
  ['/status', 'Agent: default. Working: yes. Waiting messages: 2.', []],
  ['/agent', 'The agent here is default.\nThere are: default, fast.', []],
  ['/agent fast', 'From now on fast answers here.', ['tg:c1 has fast']],
  ['/agent none', 'There is no agent none. There are: default, fast.', []],
  ['/approve AAAAAAAA', 'Allowed: run AAAAAAAA', ['allow AAAAAAAA']],
  ['/deny AAAAAAAA', 'Refused: run AAAAAAAA', ['deny AAAAAAAA']],
  // Without a code nothing is answered; that of another conversation is none here.
  ['/approve', 'AAAAAAAA: run AAAAAAAA\nDDDDDDDD: run DDDDDDDD\nEEEEEEEE: run EEEEEEEE', []],
  ['/approve EEEEEEEE', 'Allowed: run EEEEEEEE', ['allow EEEEEEEE']],
  ['/approve BBBBBBBB', 'Nothing is asked here under this code.', []],
  ['/approve ZZZZZZZZ', 'Nothing is asked here under this code.', []],
  ['/deny CCCCCCCC', 'It was answered already, or it is too late.', ['deny CCCCCCCC']],
])('%s of an owner: %j', async (text, answer, effects) => {
  expect(await say(text)).toBe(answer);
  expect(done).toEqual(effects);
});

test('help names the words that the person has', async () => {
  expect(await say('/help')).toContain('/approve CODE');
  expect(await say('/help', { role: 'user' })).toContain('/approve CODE');
  expect(await say('/help', { role: 'user', isGroup: true })).not.toContain('/reset');
  expect(await say('/help')).toContain('/agent NAME');
  expect(await say('/help', { role: 'user' })).toMatch(/\/agent (?!NAME)/);
  expect(await say('/help', { role: 'user' })).not.toContain('/agent NAME');
});

describe('a user', () => {
  const bob = { person: 'bob', role: 'user', isGroup: true } as const;

  test.each([
    '/agent fast',
    '/approve AAAAAAAA',
    '/deny AAAAAAAA',
    '/approve CCCCCCCC',
    '/approve DDDDDDDD',
    '/approve EEEEEEEE',
  ])('has not %s', async (text) => {
    expect(await say(text, { role: 'user' })).toBe('You may not do that here.');
    expect(done).toEqual([]);
  });

  test.each([
    ['/approve AAAAAAAA', 'Allowed: run AAAAAAAA', ['allow AAAAAAAA']],
    ['/deny AAAAAAAA', 'Refused: run AAAAAAAA', ['deny AAAAAAAA']],
    ['/deny CCCCCCCC', 'It was answered already, or it is too late.', ['deny CCCCCCCC']],
    // One's own turn in another conversation, one's namesake of another channel, and a turn that is not one's own alone.
    ['/approve BBBBBBBB', 'Nothing is asked here under this code.', []],
    ['/approve DDDDDDDD', 'You may not do that here.', []],
    ['/approve EEEEEEEE', 'You may not do that here.', []],
    ['/approve', 'AAAAAAAA: run AAAAAAAA', []],
  ])('answers what is asked in the own turn: %s', async (text, answer, effects) => {
    expect(await say(text, bob)).toBe(answer);
    expect(done).toEqual(effects);
  });

  test('who has asked for nothing is shown no question', async () => {
    expect(await say('/approve', { ...bob, person: 'eve' })).toBe('Nothing is asked here.');
  });

  test.each(['/approve AAAAAAAA', '/deny AAAAAAAA', '/approve BBBBBBBB', '/approve'])(
    'has not %s where that is kept to owners',
    async (text) => {
      approvals = 'owner';
      expect(await say(text, bob)).toBe('You may not do that here.');
      expect(await say('/help', bob)).not.toContain('/approve');
      expect(done).toEqual([]);
    },
  );

  test('stops the own turn in a group, and no one else’s', async () => {
    const inGroup = { role: 'user', isGroup: true } as const;
    expect(await say('/stop', inGroup)).toBe('Stopped.');
    sender = 'bob';
    expect(await say('/stop', inGroup)).toBe('You may not do that here.');
    expect(await say('/stop', { role: 'user' })).toBe('Stopped.');
    expect(done).toEqual(['cancel m2', 'cancel m2']);
  });
});

test('a word that the platform sends again is done once, in each conversation', async () => {
  expect(await say('/reset', { id: '7' })).not.toBeNull();
  expect(await say('/reset', { id: '7' })).toBeNull();
  expect(await say('/reset', { id: '7', conversation: 'c2' })).not.toBeNull();
  expect(done).toEqual(['reset tg:c1', 'reset tg:c2']);
});

test('a store that can’t tell if it was done has it come again', async () => {
  storeFailure = new StoreError('unavailable', 'The store is away.');
  await expect(say('/reset', { id: '7' })).rejects.toBe(storeFailure);
  storeFailure = null;
  expect(await say('/reset', { id: '7' })).not.toBeNull();
});

test('who changes something stands in the journal', async () => {
  await say('/reset', { person: 'olga\u001b[2J' });
  await say('/agent fast');
  await say('/approve AAAAAAAA');
  expect(log.records.map(({ message }) => message)).toEqual([
    'Reset by "olga\\u001b[2J": the session "tg:c1".',
    'Set by "ada": the agent fast for the session "tg:c1".',
    'Question AAAAAAAA was answered by "ada", with /approve.',
  ]);
});
