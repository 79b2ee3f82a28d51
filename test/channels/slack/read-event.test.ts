import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventObject } from '../../../src/channels/slack/event-schema.js';
import { readEvent, type SlackMessage, textOf } from '../../../src/channels/slack/read-event.js';

const bot = { userId: 'U0BOT', botId: 'B0BOT', teamId: 'T0', name: 'gateway' };
const message = {
  type: 'message',
  channel: 'D42',
  user: 'U42',
  text: 'hello',
  ts: '1.000001',
};

const read = (members: object, threads = true) =>
  readEvent({ ...message, ...members } as EventObject, { bot, threads });

describe('a message', () => {
  it.each<[string, object, Partial<SlackMessage> | null]>([
    ['in private', {}, { conversation: 'D42', isGroup: false, isAddressed: true, origin: 'written' }],
    ['in a thread in private', { thread_ts: '0.000009' }, { conversation: 'D42:0.000009', isGroup: false }],
    ['that has begun a thread in private', { thread_ts: '1.000001' }, { conversation: 'D42', thread: null }],
    ['of a channel', { channel: 'C1' }, { conversation: 'C1:1.000001', isGroup: true, isAddressed: false }],
    ['of several people', { channel: 'G1' }, { isGroup: true, isAddressed: false }],
    ['that calls the bot', { channel: 'C1', text: 'hi <@U0BOT>' }, { isAddressed: true }],
    ['that calls the bot by its label', { channel: 'C1', text: '<@U0BOT|gateway>' }, { isAddressed: true }],
    // Looked at in one pass: each "<" could begin a long label.
    ['that only seems to', { channel: 'C1', text: '<@U11|'.repeat(200_000) }, { isAddressed: false }],
    ['that calls another one', { channel: 'C1', text: '<@U0BOTX>' }, { isAddressed: false }],
    [
      'of a thread',
      { channel: 'C1', thread_ts: '0.000009', parent_user_id: 'U7' },
      { conversation: 'C1:0.000009', isAddressed: false },
    ],
    [
      'of a thread that the bot has begun',
      { channel: 'C1', thread_ts: '0.000009', parent_user_id: 'U0BOT' },
      { isAddressed: true },
    ],
    [
      'also shown in the channel',
      { subtype: 'thread_broadcast', thread_ts: '0.000009' },
      { thread: '0.000009' },
    ],
    ['about oneself', { subtype: 'me_message' }, { origin: 'written' }],
    ['of the bot', { user: 'U0BOT' }, null],
    ['of another bot', { bot_id: 'B7' }, null],
    ['of a workflow', { subtype: 'bot_message', user: undefined }, null],
    ['of Slack', { user: 'USLACKBOT' }, null],
    ['of nobody', { user: undefined }, null],
    ['about the channel', { subtype: 'channel_topic' }, null],
    ['that is hidden', { hidden: true }, null],
    ['without a word', { text: ' ' }, null],
    ['of another kind', { type: 'reaction_added' }, null],
  ])('%s', (_name, members, expected) => {
    const found = read(members);
    if (expected === null) expect(found).toBeNull();
    else expect(found).toMatchObject({ id: expect.stringMatching(/^T0\/[CDG]\w+\/1\.000001$/), ...expected });
  });

  it('has the same id and conversation as a mention, as an edit, and in the history of its thread', () => {
    const members = { channel: 'C1', text: 'hi <@U0BOT>' };
    const names = [
      read(members),
      read({ ...members, type: 'app_mention' }),
      read({ ...members, thread_ts: '1.000001', reply_count: 3 }),
      read({
        channel: 'C1',
        subtype: 'message_changed',
        ts: '9.000009',
        message: { ...message, text: 'other', edited: { user: 'U42', ts: '8.000008' } },
        previous_message: { text: 'hi <@U0BOT>' },
      }),
      read({ channel: 'C1', subtype: 'message_deleted', ts: '9.000009', deleted_ts: '1.000001' }),
    ].map((found) => [found?.id, found?.conversation]);
    expect(new Set(names.map(String)).size).toBe(1);
  });

  it('is of the channel without threads', () => {
    expect(read({ channel: 'C1' }, false)).toMatchObject({ conversation: 'C1', thread: null });
    expect(read({ channel: 'C1', thread_ts: '0.000009' }, false)).toMatchObject({ thread: '0.000009' });
  });
});

describe('a change', () => {
  const edited = { user: 'U42', ts: '8.000008' };
  const change = (changed: object, previous: object = { text: 'hello' }) =>
    read({
      subtype: 'message_changed',
      message: { ...message, channel: undefined, ...changed },
      previous_message: previous,
    });

  it.each<[string, SlackMessage | null, object | null]>([
    ['of the text', change({ text: 'other', edited }), { origin: 'edited', markup: 'other', userId: 'U42' }],
    ['of a preview of a link', change({ attachments: [{}] }), null],
    ['of a preview behind an edit', change({ text: 'hello', edited }, { text: 'hello', edited }), null],
    ['of nothing', change({ edited }), null],
    ['of the bot’s own', change({ text: 'other', user: 'U0BOT', edited }), null],
    [
      'to a stone',
      change({ subtype: 'tombstone', text: 'This message was deleted.', user: 'USLACKBOT' }),
      { origin: 'deleted' },
    ],
    [
      'that is a deletion',
      read({ subtype: 'message_deleted', deleted_ts: '1.000001' }),
      { origin: 'deleted' },
    ],
    [
      'that is a deletion of the bot’s own',
      read({ subtype: 'message_deleted', deleted_ts: '1.000001', previous_message: { user: 'U0BOT' } }),
      null,
    ],
    [
      'that is a deletion in a thread',
      read({
        subtype: 'message_deleted',
        deleted_ts: '1.000001',
        previous_message: { thread_ts: '0.000009' },
      }),
      { conversation: 'D42:0.000009' },
    ],
  ])('%s', (_name, found, expected) => {
    if (expected === null) expect(found).toBeNull();
    else expect(found).toMatchObject({ id: 'T0/D42/1.000001', ...expected });
  });
});

describe('a text', () => {
  const names: Readonly<Record<string, string>> = { U42: 'Ada' };
  const shown = (text: string) => {
    const found = read({ text });
    return found === null ? null : textOf(found, bot, (id) => names[id] ?? null);
  };

  it.each([
    ['a &lt;b&gt; &amp;amp;', 'a <b> &amp;'],
    ['<@U0BOT> !status', '!status'],
    ['<@U0BOT>: hi', 'hi'],
    ['<@U0BOT>', '@gateway'],
    ['ask <@U0BOT> or <@U42> or <@U7> or <@U8|eve>', 'ask @gateway or @Ada or @U7 or @eve'],
    ['<#C1|general> <#C2>', '#general #C2'],
    ['<!here> <!subteam^S1|@team> <!subteam^S1>', '@here @team @S1'],
    ['<https://a.example/?a=1&amp;b=2>', 'https://a.example/?a=1&b=2'],
    ['<https://a.example|here>', 'here (https://a.example)'],
    ['<mailto:a@a.example|a@a.example>', 'a@a.example'],
    ['a <b> c', 'a <b> c'],
    ['\0 \ud800', '\ufffd \ufffd'],
  ])('%j is %j', (text, expected) => {
    expect(shown(text)).toBe(expected);
  });
});

it('never throws, and takes what it can’t read for what nobody else could be given', () => {
  const value = fc.oneof(
    fc.constantFrom('U42', 'D42', '1.000001', 'message_changed', 'file_share'),
    fc.jsonValue(),
  );
  const event = fc.dictionary(
    fc.constantFrom(
      'subtype',
      'channel',
      'user',
      'text',
      'ts',
      'thread_ts',
      'files',
      'message',
      'bot_id',
      'deleted_ts',
    ),
    value,
  );
  fc.assert(
    fc.property(event, (members) => {
      const found = readEvent({ type: 'message', ...members } as EventObject, { bot, threads: true });
      if (found === null) return;
      expect(typeof found.conversation).toBe('string');
      if (found.defect !== null) expect(found.defect.raw).toContain('"type":"message"');
    }),
  );
});
