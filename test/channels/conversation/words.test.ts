import { describe, expect, test } from 'vitest';
import {
  type Approvals,
  chatWords,
  mayUse,
  withoutEscape,
  wordOf,
} from '../../../src/channels/conversation/words.js';

const file = { id: 'f', sizeBytes: 1, sha256: '00', name: 'a', mediaType: 'text/plain' };

describe('a word', () => {
  test.each([
    ['/help', 'help', null],
    ['!stop', 'stop', null],
    ['  /Reset \n', 'reset', null],
    ['/agent', 'agent', null],
    ['/agent fast', 'agent', 'fast'],
    ['/approve 7K2M-9QXD', 'approve', '7K2M-9QXD'],
    ['!DENY\t7k2m9qxd', 'deny', '7k2m9qxd'],
  ])('%j is %s with %s', (text, word, argument) => {
    expect(wordOf({ text })).toEqual({ word, argument });
  });

  test.each([
    ['stop'],
    ['please /stop'],
    ['/stop it'],
    ['/stop\nand then this'],
    ['/approve ABCD and go on'],
    ['//stop'],
    ['/ stop'],
    ['/stopp'],
    ['/compact'],
    ['/'],
    [`/agent ${'x'.repeat(300)}`],
    [`/stop${' '.repeat(2_000)}`],
    ['> /stop'],
    ['／stop'],
  ])('%j is none', (text) => {
    expect(wordOf({ text })).toBeNull();
  });

  test.each(['forwarded', 'quoted', 'edited'] as const)('that was %s is none', (origin) => {
    expect(wordOf({ text: '/stop', origin })).toBeNull();
  });

  test('beside a file is none', () => {
    expect(wordOf({ text: '/stop', attachments: [file] })).toBeNull();
  });

  test.each([
    ['//stop', '/stop'],
    ['!!agent fast', '!agent fast'],
    ['//todo: mend this', '//todo: mend this'],
    ['//stop it', '//stop it'],
    ['/!stop', '/!stop'],
    ['hello', 'hello'],
  ])('with its sign doubled is for the agent: %j reaches it as %j', (text, reaches) => {
    expect(withoutEscape(text)).toBe(reaches);
    expect(wordOf({ text })).toBeNull();
  });
});

describe('the right to a word', () => {
  const can = (
    text: string,
    role: 'owner' | 'user',
    isGroup: boolean,
    isOwnTurn = false,
    approvals: Approvals = 'author',
  ) => {
    const said = wordOf({ text });
    if (said === null) throw new Error(`${text} is no word.`);
    return mayUse(said, { role, isGroup, isOwnTurn, approvals });
  };

  test('an owner has all', () => {
    for (const word of chatWords) expect(can(`/${word}`, 'owner', true)).toBe(true);
    expect(can('/agent fast', 'owner', true)).toBe(true);
  });

  test.each([
    // In private, in a group, in a group where the turn is the person's own.
    ['/help', true, true, true],
    ['/status', true, true, true],
    ['/reset', true, false, false],
    ['/stop', true, false, true],
    ['/agent', true, true, true],
    ['/agent fast', false, false, false],
    ['/approve ABCDEFGH', false, false, true],
    ['/deny ABCDEFGH', false, false, true],
    ['/approve', false, false, true],
  ])('a user has %s: %s in private, %s in a group, %s there for an own turn', (text, alone, group, own) => {
    expect([can(text, 'user', false), can(text, 'user', true), can(text, 'user', true, true)]).toEqual([
      alone,
      group,
      own,
    ]);
  });

  test.each(['/approve', '/deny ABCDEFGH'])('%s can be kept to owners', (text) => {
    expect(can(text, 'user', false, true, 'owner')).toBe(false);
    expect(can(text, 'owner', false, false, 'owner')).toBe(true);
  });
});
