import { describe, expect, it } from 'vitest';
import { readMailbox } from '../../../src/channels/email/mailbox.js';

describe('an author', () => {
  it.each([
    ['ada@example.org', 'ada@example.org', ''],
    ['<ada@example.org>', 'ada@example.org', ''],
    ['Ada Lovelace <Ada@Example.ORG>', 'ada@example.org', 'Ada Lovelace'],
    ['"Lovelace, Ada" <ada@example.org>', 'ada@example.org', 'Lovelace, Ada'],
    ['"eve@evil.example" <ada@example.org>', 'ada@example.org', 'eve@evil.example'],
    ['"<eve@evil.example>" <ada@example.org>', 'ada@example.org', '<eve@evil.example>'],
    ['ada@example.org (Ada (the first))', 'ada@example.org', ''],
    ['=?utf-8?q?Ada?= <ada@example.org>', 'ada@example.org', '=?utf-8?q?Ada?='],
    ["o'hara+bot@mail.example.org", "o'hara+bot@mail.example.org", ''],
  ])('%s', (field, address, displayName) => {
    expect(readMailbox(field)).toMatchObject({ address, displayName });
  });
});

describe('no author that all programs read alike', () => {
  it.each([
    ['two addresses', 'ada@example.org, eve@evil.example'],
    ['two in brackets', 'Ada <ada@example.org> <eve@evil.example>'],
    ['an address as a name', 'ada@example.org <eve@evil.example>'],
    ['words behind the address', 'Ada <ada@example.org> eve@evil.example'],
    ['a group', 'friends: ada@example.org;'],
    ['an empty group', 'undisclosed-recipients:;'],
    ['a route', '<@evil.example:ada@example.org>'],
    ['a quoted local part', '"ada"@example.org'],
    ['a quoted local part with an address', '"ada@example.org"@evil.example'],
    ['a literal', 'ada@[192.0.2.1]'],
    ['an encoded address', '=?utf-8?q?ada=40example.org?='],
    ['an encoded domain', 'ada@=?utf-8?q?example.org?='],
    ['letters that look alike', 'ada@exаmple.org'],
    ['a local part beyond ASCII', 'adа@example.org'],
    ['a name of one label', 'ada@localhost'],
    ['a dot too many', 'ada..l@example.org'],
    ['a comment within', 'ada(x)@example.org'],
    ['an open comment', 'ada@example.org (x'],
    ['an open quotation', '"Ada <ada@example.org>'],
    ['a NUL', 'ada\0@example.org'],
    ['two at signs', 'ada@example.org@evil.example'],
    ['nothing', ''],
    ['a long local part', `${'a'.repeat(65)}@example.org`],
    ['a long address', `a@${'a.'.repeat(200)}org`],
  ])('%s', (_what, field) => {
    expect(readMailbox(field)).toBeNull();
  });
});
