import { describe, expect, test } from 'vitest';
import type { Received } from '../../../src/channels/channel.js';
import { decide } from '../../../src/channels/conversation/decision.js';
import { type Role, roleOf } from '../../../src/channels/conversation/roles.js';
import type { PeopleConfiguration } from '../../../src/config/channel-table.js';

const rules: PeopleConfiguration = {
  allow: ['ada'],
  owners: ['olga'],
  approvals: 'author',
  words: true,
  notices: 'failures',
  texts: null,
  groups: 'mention',
};
const received: Received = {
  conversation: 'c',
  id: '1',
  text: 'hello',
  person: { id: 'ada', name: 'Ada' },
  isGroup: false,
  replyTo: null,
};
const defect = { kind: 'unreadable', reason: 'It is a sticker.', raw: '{}' } as const;

describe('a role', () => {
  test.each<[string, Role | null, readonly string[], Role | null]>([
    ['olga', null, ['ada'], 'owner'],
    ['olga', 'user', ['olga'], 'owner'],
    ['ada', null, ['ada'], 'user'],
    ['ada', 'owner', ['ada'], 'user'],
    ['eve', null, ['ada'], null],
    ['eve', 'user', ['ada'], 'user'],
    ['eve', 'owner', ['*'], 'owner'],
    ['eve', null, ['*'], 'user'],
    // An id is taken as it is written.
    ['Ada', null, ['ada'], null],
    ['ada ', null, ['ada'], null],
    ['*', null, ['ada'], null],
  ])('of %s, let in as %s, with allow %j, is %s', (person, recorded, allow, role) => {
    expect(roleOf({ ...rules, allow }, person, recorded)).toBe(role);
  });
});

describe('a message', () => {
  test.each<[string, Partial<Received>, Partial<PeopleConfiguration>, Role | null, string]>([
    ['of a person', {}, {}, 'user', 'message'],
    ['of a stranger', {}, {}, null, 'not-allowed'],
    ['of nobody', { person: null }, {}, null, 'not-allowed'],
    ['of nobody that can’t be read', { person: null, defect }, {}, null, 'set-aside'],
    ['that can’t be read', { defect }, {}, 'user', 'set-aside'],
    ['of a stranger that can’t be read', { defect }, {}, null, 'not-allowed'],
    ['to others in a group', { isGroup: true }, {}, 'owner', 'ignored'],
    ['to others in a group, of a stranger', { isGroup: true }, {}, null, 'ignored'],
    ['to others that can’t be read', { isGroup: true, defect }, {}, 'user', 'ignored'],
    ['addressed in a group', { isGroup: true, isAddressed: true }, {}, 'user', 'message'],
    ['addressed, of a stranger', { isGroup: true, isAddressed: true }, {}, null, 'not-allowed'],
    ['in a group, if all are taken', { isGroup: true }, { groups: 'all' }, 'user', 'message'],
    ['in a group, if none is', { isGroup: true, isAddressed: true }, { groups: 'none' }, 'user', 'ignored'],
    ['of who knows where', { isGroup: null }, { groups: 'none' }, 'user', 'message'],
    ['that is a word', { text: '/reset' }, {}, 'user', 'word'],
    ['that is a word of a stranger', { text: '/reset' }, {}, null, 'not-allowed'],
    ['that is a word to others', { text: '/stop', isGroup: true }, {}, 'owner', 'ignored'],
    ['that is a word, without words', { text: '/reset' }, { words: false }, 'user', 'message'],
    ['that is a word and was forwarded', { text: '/reset', origin: 'forwarded' }, {}, 'user', 'message'],
  ])('%s', (_what, changes, own, role, decision) => {
    expect(decide({ ...received, ...changes }, { ...rules, ...own }, role)).toBe(decision);
  });
});
