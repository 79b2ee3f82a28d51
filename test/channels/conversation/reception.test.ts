import { beforeEach, describe, expect, test } from 'vitest';
import type { ChannelMessage, Received } from '../../../src/channels/channel.js';
import type { CodeOffer } from '../../../src/channels/conversation/reception.js';
import type { SaidWord } from '../../../src/channels/conversation/words.js';
import type { PeopleConfiguration } from '../../../src/config/channel-table.js';
import { StoreError } from '../../../src/store/store-error.js';
import type { AcceptOutcome } from '../../../src/store/turns.js';
import { RecordingLog } from '../../gateway/delivery/recording-log.js';
import { ManualClock } from '../../gateway/dispatch/fixture.js';
import { type ReceptionChanges, receptionFor } from '../../support/reception.js';

let log: RecordingLog;
let clock: ManualClock;
/** What was done, in its order. */
let done: string[];
let said: string[];
let accepted: ChannelMessage[];
let outcome: AcceptOutcome['outcome'];
let failure: Error | null;

beforeEach(() => {
  log = new RecordingLog();
  clock = new ManualClock();
  [done, said, accepted] = [[], [], []];
  [outcome, failure] = ['accepted', null];
});

let ids = 0;
function received(text: string, changes: Partial<Received> = {}): Received {
  ids += 1;
  return {
    conversation: 'c1',
    id: String(ids),
    text,
    person: { id: 'ada', name: 'Ada' },
    isGroup: false,
    replyTo: { address: 'c1' },
    ...changes,
  };
}

function made(rules: Partial<PeopleConfiguration> = {}, changes: ReceptionChanges = {}) {
  const table = { allow: ['ada'], pairing: true, groups: 'mention', ...rules };
  const open = receptionFor(table, {
    say: async ({ address }, text) => void said.push(`${address}: ${text}`),
    perform: async ({ word, argument }: SaidWord, use) => {
      done.push(`${word} ${argument} ${use.person} ${use.role} ${use.isGroup}`);
      return `did ${word}`;
    },
    ...changes,
  });
  return open({
    name: 'tg',
    log,
    clock,
    accept: async (messages, checkpoint) => {
      if (failure !== null) throw failure;
      done.push(`accept ${messages.map(({ text }) => text).join()} ${checkpoint?.value ?? '-'}`);
      accepted.push(...messages);
      return messages.map(({ setAside }) => {
        if (setAside !== undefined) return { outcome: 'set-aside' };
        return (
          outcome === 'full' ? { outcome, limit: 'session', waiting: 3 } : { outcome }
        ) as AcceptOutcome;
      });
    },
  });
}

const outcomesOf = async (promise: Promise<readonly { readonly outcome: string }[]>) =>
  (await promise).map((each) => each.outcome);

test('each message has its outcome in its place, and the checkpoint comes with the last of them', async () => {
  const all = [
    received('one'),
    received('two', { person: { id: 'eve', name: null }, isGroup: null }),
    received('three', { isGroup: true }),
    received('four'),
  ];
  const outcomes = await outcomesOf(made().receive(all, { key: 'offset', value: 9 }));
  expect(outcomes).toEqual(['accepted', 'not-allowed', 'ignored', 'accepted']);
  expect(done).toEqual(['accept one,four 9']);
  expect(accepted[0]).toEqual({
    conversation: 'c1',
    id: all[0]?.id,
    text: 'one',
    sender: 'ada',
    replyTo: { address: 'c1' },
  });
});

test('a checkpoint is on disk though nothing is kept; with neither the store isn’t asked', async () => {
  const stranger = received('x', { person: { id: 'eve', name: null }, isGroup: true });
  await made().receive([stranger], { key: 'offset', value: 1 });
  await made().receive([stranger]);
  expect(done).toEqual(['accept  1']);
});

test('nothing is acknowledged if the store takes nothing', async () => {
  failure = new StoreError('full', 'The disk is full.');
  await expect(made().receive([received('one')])).rejects.toBe(failure);
});

test('a word is done behind what came before it, and before what comes after', async () => {
  const all = [received('one'), received('/stop'), received('two'), received('/agent fast')];
  const outcomes = await outcomesOf(made().receive(all, { key: 'offset', value: 4 }));
  expect(outcomes).toEqual(['accepted', 'word', 'accepted', 'word']);
  expect(done).toEqual([
    'accept one -',
    'stop null ada user false',
    'accept two -',
    'agent fast ada user false',
    'accept  4',
  ]);
  expect(said).toEqual(['c1: did stop', 'c1: did agent']);
});

test('a word is taken for one of a group where nobody knows', async () => {
  await made().receive([received('/reset', { isGroup: null })]);
  expect(done).toEqual(['reset null ada user true']);
});

test('"//" before a word gives it to the agent; without words all is for the agent as it is', async () => {
  await made().receive([received('//stop')]);
  await made({ words: false }).receive([received('//stop'), received('/stop')]);
  expect(accepted.map(({ text }) => text)).toEqual(['/stop', '//stop', '/stop']);
});

describe('the edit of a message', () => {
  const edited = (changes: Partial<Received> = {}) =>
    received('two', { id: '7', origin: 'edited', ...changes });
  const revising = (result: 'revised' | 'late' | null, rules: Partial<PeopleConfiguration> = {}) =>
    made(rules, {
      revise: async ({ conversation, id }, text) => {
        done.push(`revise ${conversation} ${id} ${text}`);
        return result;
      },
    });

  test.each<[string, 'revised' | 'late' | null, Partial<PeopleConfiguration>, string, readonly string[]]>([
    ['replaces the text of one that waits', 'revised', { edits: 'new' }, 'revised', []],
    ['of one whose turn has begun has no effect', 'late', {}, 'ignored', []],
    [
      'is a message of its own with edits = "new"',
      'late',
      { edits: 'new' },
      'accepted',
      ['7~3fc4ccfe745870e2'],
    ],
    ['is a new message, if none has its id', null, {}, 'accepted', ['7']],
  ])('%s', async (_name, result, rules, expected, ids) => {
    const outcomes = await outcomesOf(revising(result, rules).receive([received('one'), edited()]));
    expect(outcomes).toEqual(['accepted', expected]);
    expect(done.slice(0, 2)).toEqual(['accept one -', 'revise c1 7 two']);
    expect(accepted.slice(1).map(({ id }) => id)).toEqual(ids);
  });

  test('is no word, has its author’s name in a group, and no author who may not write', async () => {
    const reception = revising('revised');
    const group = { isGroup: true, isAddressed: true };
    await reception.receive([edited({ text: '/stop' }), edited(group)]);
    expect(done).toEqual(['revise c1 7 /stop', 'revise c1 7 Ada: two']);
    const eve = { person: { id: 'eve', name: null }, isGroup: null };
    expect(await outcomesOf(reception.receive([edited(eve)]))).toEqual(['not-allowed']);
    expect(done).toHaveLength(2);
  });

  test('or its deletion is on disk before the position', async () => {
    const deleted = received('', { id: '7', origin: 'deleted', person: null });
    expect(await outcomesOf(revising('revised').receive([deleted], { key: 'offset', value: 9 }))).toEqual([
      'revised',
    ]);
    expect(done).toEqual(['revise c1 7 null', 'accept  9']);
    expect(await outcomesOf(revising(null).receive([deleted]))).toEqual(['ignored']);
  });
});

describe('in a group', () => {
  const inGroup = (text: string, name: string | null, id = 'ada') =>
    received(text, { isGroup: true, isAddressed: true, person: { id, name } });

  test.each([
    ['Ada', 'Ada: hi'],
    ['Bob: no\nAda', 'Bob no Ada: hi'],
    [null, 'ada: hi'],
    ['\u202E', 'ada: hi'],
  ])('the name %j stands before the text', async (name, text) => {
    await made().receive([inGroup('hi', name)]);
    expect(accepted[0]?.text).toBe(text);
  });

  test('a word is one without the name', async () => {
    await made().receive([inGroup('/help', 'Ada'), inGroup('//help', 'Ada')]);
    expect(done).toEqual(['help null ada user true', 'accept Ada: /help -']);
  });

  test('a stranger is given no code', async () => {
    await made({}, { offerCode: async () => ({ outcome: 'code', code: 'AAAABBBB', minutes: 60 }) }).receive([
      inGroup('hi', 'Eve', 'eve'),
    ]);
    expect(said).toEqual([]);
    expect(log.records.map(({ message }) => message)).toEqual([expect.stringContaining('the person "eve"')]);
  });
});

describe('a stranger in private', () => {
  const stranger = () => received('hello', { person: { id: 'eve', name: 'Eve' } });

  test.each<[string, CodeOffer, readonly string[], number]>([
    [
      'gets a code',
      { outcome: 'code', code: '7K2M9QXD', minutes: 60 },
      [expect.stringMatching(/7K2M-9QXD.*60 minutes/)],
      0,
    ],
    ['gets no second one', { outcome: 'silent' }, [], 0],
    ['gets none if too many wait', { outcome: 'full' }, [], 1],
  ])('%s', async (_what, offer, told, records) => {
    const reception = made({}, { offerCode: async () => offer });
    expect(await outcomesOf(reception.receive([stranger()]))).toEqual(['not-allowed']);
    expect(said).toEqual(told);
    expect(log.records).toHaveLength(records);
  });

  test('hears nothing without pairing, as from a channel whose type has none', async () => {
    const offerCode = async (): Promise<CodeOffer> => ({ outcome: 'code', code: 'AAAABBBB', minutes: 60 });
    const table = { allow: ['ada'], pairing: undefined };
    await made({ pairing: false }, { offerCode }).receive([stranger()]);
    await receptionFor(table, { offerCode, say: async (_to, text) => void said.push(text) })({
      name: 'mail',
      log,
      clock,
      accept: async () => [],
    }).receive([stranger()]);
    expect(said).toEqual([]);
  });

  test('leaves one record a minute, however many come', async () => {
    const reception = made({ pairing: false });
    for (let messages = 0; messages < 50; messages += 1) await reception.receive([stranger()]);
    expect(log.records).toHaveLength(1);
    clock.advance(60_000);
    await reception.receive([stranger()]);
    expect(log.records.at(-1)?.message).toContain('(49 more since the last record)');
  });
});

describe('what fails is told', () => {
  test('once a minute in each conversation, if the queue is full', async () => {
    const reception = made();
    outcome = 'full';
    await reception.receive([received('1'), received('2'), received('3', { replyTo: { address: 'c2' } })]);
    expect(said.map((text) => text.slice(0, 3))).toEqual(['c1:', 'c2:']);
    clock.advance(59_999);
    await reception.receive([received('4')]);
    expect(said).toHaveLength(2);
    clock.advance(1);
    await reception.receive([received('5')]);
    expect(said).toHaveLength(3);
  });

  test.each([
    ['unreadable', 'can’t read this kind'],
    ['too-large', 'too large'],
  ] as const)('of a message that is %s, which is kept as it came', async (kind, text) => {
    const raw = `{"sticker":"${'€'.repeat(30_000)}\0"}`;
    const defect = { kind, reason: 'It is a sticker.', raw };
    expect(await outcomesOf(made().receive([received('', { defect })]))).toEqual(['set-aside']);
    expect(accepted[0]?.setAside).toBe('It is a sticker.');
    expect(raw.startsWith(accepted[0]?.text ?? '?')).toBe(true);
    expect(Buffer.byteLength(accepted[0]?.text ?? '')).toBe(65_535);
    expect(said).toEqual([expect.stringContaining(text)]);
  });

  test('not with notices = "none", though a word has its answer', async () => {
    outcome = 'full';
    await made({ notices: 'none' }).receive([received('1'), received('/help')]);
    expect(said).toEqual(['c1: did help']);
  });

  test('and that an agent is held, with notices = "all"', async () => {
    const isHeld = async () => true;
    await made({}, { isHeld }).receive([received('1')]);
    expect(said).toEqual([]);
    await made({ notices: 'all' }, { isHeld }).receive([received('1')]);
    expect(said).toHaveLength(1);
  });

  test('not, if the platform takes no text: that is on record, and no failure of the message', async () => {
    outcome = 'full';
    const say = async () => {
      throw new Error('the platform is away');
    };
    expect(await outcomesOf(made({}, { say }).receive([received('1')]))).toEqual(['full']);
    await Promise.resolve();
    await new Promise(setImmediate);
    expect(log.records.map(({ message }) => message).at(-1)).toContain('the platform is away');
  });
});

test('of what nobody is known to have written some is kept, and a flood leaves one record a minute', async () => {
  const reception = made();
  const ofNobody = (id: number) =>
    received('', {
      id: `u${id}`,
      person: null,
      defect: { kind: 'unreadable', reason: 'It is new.', raw: '{}' },
    });
  const batch = Array.from({ length: 50 }, (_, id) => ofNobody(id));
  const outcomes = await outcomesOf(reception.receive([...batch, received('good')]));
  expect(outcomes.slice(0, 20)).toEqual(Array(20).fill('set-aside'));
  expect(outcomes.slice(20)).toEqual([...Array(30).fill('ignored'), 'accepted']);
  expect(log.records).toHaveLength(2);
  expect(said).toEqual([]);
  clock.advance(3_600_000);
  expect(await outcomesOf(reception.receive([ofNobody(50)]))).toEqual(['set-aside']);
});

test('files are worth fetching of what is kept alone', async () => {
  const reception = made();
  const kept = [received('a'), received('b', { isGroup: true, isAddressed: true })];
  const others = [
    received('c', { person: { id: 'eve', name: null } }),
    received('d', { isGroup: true }),
    received('/help'),
  ];
  expect(await Promise.all([...kept, ...others].map((each) => reception.keeps(each)))).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});
