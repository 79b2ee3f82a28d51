import { describe, expect, it } from 'vitest';
import { findSent, nonceOf } from '../../../src/channels/discord/outgoing.js';
import { snowflakeAt } from '../../../src/channels/discord/snowflake.js';
import { afterClose, troubleOfCall, troubleOfStarts } from '../../../src/channels/discord/trouble.js';
import { isDown, passing } from '../../../src/channels/trouble.js';

const words = { name: 'dc', tokenPlace: '/etc/dc.token' };

describe('the end of a connection', () => {
  it.each([
    [1_000, 'resume', 'passing'],
    [1_006, 'resume', 'passing'],
    [4_000, 'resume', 'passing'],
    [4_003, 'identify', 'passing'],
    [4_004, 'identify', 'token'],
    [4_007, 'identify', 'passing'],
    [4_008, 'resume', 'passing'],
    [4_009, 'identify', 'passing'],
    [4_010, 'identify', 'setup'],
    [4_011, 'identify', 'setup'],
    [4_012, 'identify', 'setup'],
    [4_013, 'identify', 'intents'],
    [4_014, 'identify', 'intents'],
  ])('with %d is followed by: %s, %s', (code, next, kind) => {
    const after = afterClose({ code, reason: 'why' }, words);
    expect(after).toMatchObject({ next, trouble: { kind, reason: expect.stringContaining(String(code)) } });
    // A thousand starts a day cost the token.
    const isFinal = kind !== 'passing';
    expect((after.trouble.retryAfterMs ?? 0) >= 60_000).toBe(isFinal);
    expect(isDown(after.trouble, 1)).toBe(isFinal);
  });
});

it.each([
  [1_000, null],
  [6, null],
  [5, 3_600_000],
  [0, 3_600_000],
])('with %d starts left, the next one is in %s ms', (remaining, retryAfterMs) => {
  const trouble = troubleOfStarts({ remaining, resetAfterMs: 86_400_000 });
  expect(trouble?.retryAfterMs ?? null).toBe(retryAfterMs);
});

it.each([
  [{ kind: 'refused', status: 401, code: 0, description: 'no', retryAfterMs: null }, 'token'],
  [{ kind: 'refused', status: 429, code: 0, description: 'no', retryAfterMs: 5 }, 'limit'],
  [{ kind: 'refused', status: 500, code: 0, description: 'no', retryAfterMs: null }, 'passing'],
  [{ kind: 'held', delayMs: 5 }, 'limit'],
  [{ kind: 'failed', reason: 'no', inDoubt: true }, 'passing'],
  [{ kind: 'aborted', inDoubt: false }, 'passing'],
] as const)('a call that ends as %j is trouble of the kind %s', (end, kind) => {
  expect(troubleOfCall(end, words).kind).toBe(kind);
});

it('is no trouble yet if one failure may pass', () => {
  expect([isDown(passing('x'), 1), isDown(passing('x'), 2)]).toEqual([false, true]);
});

describe('a message of ours', () => {
  const now = 1_780_000_000_000;
  const search = {
    botId: '9',
    nonce: 'n',
    part: { kind: 'text', text: ' hello ' } as const,
    answers: null,
    since: now,
    others: new Set<string>(),
  };
  const sent = (members: object = {}, at = now) => ({
    id: snowflakeAt(at),
    author: { id: '9' },
    content: 'hello',
    attachments: [],
    ...members,
  });

  it.each<[string, unknown, string, object?]>([
    ['found by its text', [sent()], 'found'],
    ['found by its number', [sent({ nonce: 'n', content: 'as Discord made it' })], 'found'],
    ['absent if the number is another', [sent({ nonce: 'm' })], 'absent'],
    ['absent if somebody else wrote it', [sent({ author: { id: '8' } })], 'absent'],
    ['absent if it was before', [sent({}, now - 20_000)], 'absent'],
    ['absent if it is another part', [sent()], 'absent', { others: new Set([snowflakeAt(now)]) }],
    [
      'absent if it answers something else',
      [sent({ message_reference: { message_id: '5' } })],
      'absent',
      { answers: '6' },
    ],
    ['unknown if none may be read', [], 'unknown'],
    ['unknown if they do not go back so far', [sent({ content: 'a' }), sent({ content: 'b' })], 'unknown'],
    ['unknown if they are none', { message: 'no' }, 'unknown'],
  ])('is %s', (_name, messages, kind, members = {}) => {
    expect(findSent(messages, 2, { ...search, ...members }).kind).toBe(kind);
  });

  it('has a number that no other part, reply or channel has', () => {
    const number = (webhookId: string, address: string, part: number) =>
      nonceOf({ webhookId, target: { channel: 'dc', address, options: {} } }, part);
    const numbers = [number('a', '1', 1), number('a', '1', 2), number('b', '1', 1), number('a', '2', 1)];
    expect(new Set(numbers).size).toBe(4);
    expect(number('a', '1', 1)).toBe(numbers[0]);
    for (const each of numbers) expect(each.length).toBeLessThanOrEqual(25);
  });
});
