import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sessionName } from '../../src/channels/http/request-schema.js';
import { sessionOf } from '../../src/channels/session-name.js';

describe('the session of a conversation', () => {
  test.each([
    ['-1001234', 'tg:-1001234'],
    ['alice@example.org', 'tg:alice@example.org'],
    ['a b', 'tg:a~20b'],
    ['~', 'tg:~7E'],
    ['ü/🙂', 'tg:~C3~BC~2F~F0~9F~99~82'],
    ['', 'tg:'],
  ])('%j is %s', (conversation, session) => expect(sessionOf('tg', conversation)).toBe(session));

  test('a long name is cut, and ends with a digest', () => {
    const session = sessionOf('tg', 'x'.repeat(200));
    expect(session).toMatch(/^tg:x+~~[0-9a-f]{16}$/);
    expect(session).toHaveLength(128);
    expect(sessionOf('tg', 'x'.repeat(125))).toBe(`tg:${'x'.repeat(125)}`);
  });

  const conversation = fc.string({ unit: 'grapheme', maxLength: 150 });

  test('each is a name of a session', () => {
    fc.assert(
      fc.property(conversation, (name) => {
        expect(sessionName.safeParse(sessionOf('tg', name)).success).toBe(true);
      }),
    );
  });

  test('a name that was cut is not the whole name of a conversation', () => {
    const long = `org/${'x'.repeat(120)}19`;
    const short = `org/${'x'.repeat(98)} 0aa33051c82032`;
    expect(sessionOf('github', short)).toBe(`github:org~2F${'x'.repeat(98)}~200aa33051c82032`);
    expect(sessionOf('github', long)).not.toBe(sessionOf('github', short));
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 126, maxLength: 150 }), (name) => {
        const session = sessionOf('tg', name);
        const read = conversationIn(session);
        fc.pre(read !== name);
        expect(sessionOf('tg', read)).not.toBe(session);
      }),
    );
  });

  test('two conversations have two sessions', () => {
    fc.assert(
      fc.property(conversation, conversation, (one, other) => {
        fc.pre(one !== other);
        expect(sessionOf('tg', one)).not.toBe(sessionOf('tg', other));
      }),
    );
  });
});

/** The conversation of a session whose name was not cut. */
function conversationIn(session: string): string {
  const bytes = session
    .slice('tg:'.length)
    .replace(/~([0-9A-F]{2})/g, (_escape, digits: string) => `%${digits}`);
  try {
    return decodeURIComponent(bytes);
  } catch {
    // It was cut within a character.
    return bytes;
  }
}
