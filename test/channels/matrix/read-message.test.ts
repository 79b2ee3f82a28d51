import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../../src/channels/matrix/address.js';
import { eventsSinceArrival } from '../../../src/channels/matrix/arrivals.js';
import { earlierEventOf } from '../../../src/channels/matrix/earlier-event.js';
import {
  eventSchema,
  eventsIn,
  invitationIn,
  type RoomEvent,
} from '../../../src/channels/matrix/event-schema.js';
import { findSent } from '../../../src/channels/matrix/outgoing.js';
import { type EventFacts, readMatrixMessage } from '../../../src/channels/matrix/read-message.js';
import { troubleOf } from '../../../src/channels/matrix/trouble.js';
import { isDown } from '../../../src/channels/trouble.js';

const own = '@bot:example.org';
const ada = '@ada:example.org';

function event(content: object, members: object = {}): RoomEvent {
  return eventSchema.parse({
    type: 'm.room.message',
    event_id: '$1',
    sender: ada,
    origin_server_ts: 1_780_000_000_000,
    content,
    ...members,
  });
}

const facts: EventFacts = {
  ownId: own,
  ownName: 'The Bot',
  isGroup: true,
  nameOf: (id) => (id === ada ? 'Ada L' : null),
  edited: null,
  answered: null,
};

const text = (body: string, members: object = {}) => ({ msgtype: 'm.text', body, ...members });
const read = (content: object, changes: Partial<EventFacts> = {}, members: object = {}) =>
  readMatrixMessage(event(content, members), { ...facts, ...changes });

describe('a message', () => {
  it.each([
    ['The Bot: hello', 'hello'],
    ['@bot:example.org hello', 'hello'],
    ['@Bot, /stop', '/stop'],
    ['the bot', 'the bot'],
    ['bottle of milk', 'bottle of milk'],
    ['hello bot', 'hello bot'],
  ])('%j is given as %j', (body, expected) => {
    expect(read(text(body))?.text).toBe(expected);
  });

  it.each<[string, object, boolean]>([
    ['a mention', text('x', { 'm.mentions': { user_ids: [own] } }), true],
    ['a mention of others', text('bot', { 'm.mentions': { user_ids: [ada] } }), false],
    ['too many mentions', text('x', { 'm.mentions': { user_ids: [...Array(1_000).fill(ada), own] } }), false],
    ['a mention that is none', text('bot', { 'm.mentions': 7 }), true],
    [
      'a link',
      text('x', { formatted_body: '<a href="https://matrix.to/#/%40bot%3Aexample.org">x</a>' }),
      true,
    ],
    [
      'a link to another one',
      text('x', { formatted_body: '<a href="https://matrix.to/#/@botty:example.org">' }),
      false,
    ],
    ['the name', text('ask the bot!'), true],
    ['a part of a word', text('robot, bots and bot_'), false],
    ['nothing', text('hello'), false],
  ])('with %s is for the account or not', (_name, content, expected) => {
    expect(read(content)?.isAddressed).toBe(expected);
    expect(read(content, { isGroup: false })?.isAddressed).toBe(true);
  });

  it.each<[string, object, object]>([
    ['of a program', { msgtype: 'm.notice', body: 'x' }, {}],
    ['that was deleted', {}, {}],
    ['that was deleted and has a rest', text('x'), { unsigned: { redacted_because: {} } }],
    ['that asks for keys', { msgtype: 'm.key.verification.request', body: 'x' }, {}],
  ])('%s is left out', (_name, content, members) => {
    expect(read(content, {}, members)).toBeNull();
  });

  it.each<[object, string, object]>([
    [{ msgtype: 'm.emote', body: 'waves' }, '* waves', {}],
    [{ body: 'a [cat]' }, '[sticker a (cat)]', { type: 'm.sticker' }],
    [{ msgtype: 'm.location', body: 'here', geo_uri: 'geo:1,2' }, '[location 1,2]', {}],
    [{ msgtype: 'org.example.poll', body: 'a poll' }, 'a poll', {}],
    [{ msgtype: 'm.image', body: 'a.png', url: 'mxc://a/b' }, '', {}],
    [{ msgtype: 'm.image', body: 'my cat', filename: 'a.png', url: 'mxc://a/b' }, 'my cat', {}],
  ])('%j is given as %j', (content, expected, members) => {
    expect(read(content, {}, members)).toMatchObject({ text: expected, defect: null });
  });

  it('tells its author, its thread and its file', () => {
    const content = {
      msgtype: 'm.file',
      body: 'a.txt',
      url: 'mxc://example.org/a',
      info: { mimetype: 'text/plain; charset=utf-8', size: 'many' },
      'm.relates_to': {
        rel_type: 'm.thread',
        event_id: '$root',
        is_falling_back: true,
        'm.in_reply_to': { event_id: '$0' },
      },
    };
    expect(
      read(content, { answered: earlierEventOf(event(text('no answer'), { sender: '@c:d' })) }),
    ).toMatchObject({
      threadId: '$root',
      person: { id: ada, name: 'Ada L' },
      files: [{ uri: 'mxc://example.org/a', name: 'a.txt', mediaType: 'text/plain' }],
    });
    expect(read(text('x'), {}, { sender: '@ghost:a.b:8448' })?.person).toEqual({
      id: '@ghost:a.b:8448',
      name: 'ghost',
    });
  });

  it.each<[object]>([
    [{ msgtype: 7, body: 'x' }],
    [{ msgtype: 'm.text' }],
    [{ msgtype: 'm.text', body: null }],
    [text(' \n')],
  ])('%j is kept as it came', (content) => {
    const found = read(content);
    expect(found?.defect?.reason).toContain('the message $1 can’t be read'.replace('’', "'"));
    expect(JSON.parse(found?.defect?.raw ?? '')).toMatchObject({ content });
  });

  it('that is an edit has the id of the one that it edits, in its thread', () => {
    const relation = { 'm.relates_to': { rel_type: 'm.thread', event_id: '$root' } };
    const edited = earlierEventOf(event(text('old', relation), { event_id: '$0' }));
    const content = {
      ...text('* new'),
      'm.new_content': text('new'),
      'm.relates_to': { rel_type: 'm.replace', event_id: '$0' },
    };
    expect(read(content, { edited })).toMatchObject({
      id: '$0',
      threadId: '$root',
      text: 'new',
      origin: 'edited',
    });
    expect(read({ ...content, 'm.new_content': 7 }, { edited })).toBeNull();
  });
});

describe('events of a room', () => {
  it('are left out if they are larger than any may be', () => {
    const [small, large] = [text('x'.repeat(65_000)), text('x'.repeat(66_000))];
    const unsigned = { 'm.relations': 'x'.repeat(70_000) };
    const events = [event(small, { event_id: '$small', unsigned }), event(large)];
    expect(eventsIn(events).map(({ event_id: id }) => id)).toEqual(['$small']);
  });

  it('are remembered by what others need of them', () => {
    const content = { ...text('é'.repeat(60_000)), 'm.relates_to': { event_id: `$${'x'.repeat(60_000)}` } };
    const earlier = earlierEventOf(event(content, { type: 'x'.repeat(60_000) }));
    expect(JSON.stringify(earlier).length).toBeLessThan(1_000);
    expect(earlier.beginning).toBe(`${'é'.repeat(200)}…`);
  });

  const member = (membership: string, before: string | null, at: number) =>
    event(
      { membership },
      {
        type: 'm.room.member',
        state_key: own,
        event_id: `$m${at}`,
        unsigned: before === null ? {} : { prev_content: { membership: before } },
      },
    );
  const said = (at: number) => event(text(`${at}`), { event_id: `$${at}` });
  const texts = (events: readonly RoomEvent[]) =>
    eventsSinceArrival(events, own)
      .filter(({ type }) => type === 'm.room.message')
      .map(({ content }) => content['body']);

  it.each<[string, RoomEvent[], string[]]>([
    ['all, if the account was in the room', [said(1), said(2)], ['1', '2']],
    [
      'those from the invitation on',
      [said(1), member('invite', null, 2), said(3), member('join', 'invite', 4), said(5)],
      ['3', '5'],
    ],
    ['those from a join without one on', [said(1), member('join', null, 2), said(3)], ['3']],
    ['all, if it has another name only', [said(1), member('join', 'join', 2), said(3)], ['1', '3']],
    [
      'those while it was there',
      [said(1), member('leave', 'join', 2), said(3), member('join', 'leave', 4), said(5)],
      ['1', '5'],
    ],
  ])('are taken: %s', (_name, events, expected) => {
    expect(texts(events)).toEqual(expected);
  });
});

it.each([
  ['!a:example.org', { roomId: '!a:example.org', threadId: null }],
  ['!a:example.org:8448', { roomId: '!a:example.org:8448', threadId: null }],
  [
    '!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM',
    { roomId: '!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM', threadId: null },
  ],
  ['!a:b:$c:d', { roomId: '!a:b', threadId: '$c:d' }],
  ['!a:$', null],
  ['#a:b', null],
  ['!', null],
  ['!a/../b', null],
])('the address %j is %j', (address, expected) => {
  expect(parseAddress(address)).toEqual(expected);
});

it('an invitation names who invites', () => {
  const state = (members: object) => ({
    invite_state: {
      events: [{ nothing: true }, { type: 'm.room.member', sender: ada, state_key: own, ...members }],
    },
  });
  const content = { membership: 'invite', is_direct: true };
  expect(invitationIn(state({ content }), own)).toEqual({ inviter: ada, isDirect: true });
  expect(invitationIn(state({ content, state_key: ada }), own)).toBeNull();
  expect(invitationIn(state({ content: { membership: 'join' } }), own)).toBeNull();
  expect(invitationIn('nothing', own)).toBeNull();
});

it.each<[string, number, string, boolean, boolean]>([
  ['M_UNKNOWN_TOKEN', 401, 'token', false, true],
  ['M_UNKNOWN_TOKEN', 401, 'token', true, true],
  ['M_MISSING_TOKEN', 401, 'token', false, true],
  ['M_USER_LOCKED', 401, 'account', true, true],
  ['M_USER_DEACTIVATED', 403, 'account', false, true],
  ['M_UNRECOGNIZED', 404, 'homeserver', false, true],
  ['M_LIMIT_EXCEEDED', 429, 'limit', false, false],
  ['M_UNKNOWN', 500, 'passing', false, false],
])('%s (%d) is trouble of the kind %s (soft logout: %s)', (code, status, kind, isSoftLogout, isFinal) => {
  const end = {
    kind: 'refused',
    status,
    code,
    description: 'why',
    retryAfterMs: null,
    isSoftLogout,
  } as const;
  const trouble = troubleOf(end, { name: 'mx', tokenPlace: '/etc/mx.token' });
  expect(trouble).toMatchObject({ kind, reason: expect.stringContaining(`${code}: why`) });
  expect(isDown(trouble, 1)).toBe(isFinal);
});

it('a message of the account is found by its transaction, or known not to be there', () => {
  const since = 1_780_000_000_000;
  const sent = (transaction: string, at: number) => ({
    ...event(
      { 'sd-gateway.transaction': transaction },
      { event_id: `$${transaction}`, origin_server_ts: at },
    ),
  });
  expect(findSent({ chunk: [sent('a', since), sent('b', since)] }, 'b', since)).toEqual({
    kind: 'found',
    eventId: '$b',
  });
  expect(findSent({ chunk: [sent('a', since)] }, 'b', since)).toEqual({ kind: 'absent' });
  expect(findSent({ chunk: [sent('a', since)], end: 't1' }, 'b', since)).toEqual({
    kind: 'earlier',
    from: 't1',
  });
  expect(findSent({ chunk: [sent('a', since - 3_600_000)], end: 't1' }, 'b', since)).toEqual({
    kind: 'absent',
  });
  expect(findSent('nothing', 'b', since)).toEqual({ kind: 'unknown' });
});
