import fc from 'fast-check';
import { expect, test } from 'vitest';
import { limitedText, plainName, storableText } from '../../../src/channels/conversation/plain-text.js';
import { propertyRuns } from '../../support/properties.js';

const anyText = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.string());

test.each([
  ['Ada', 'Ada'],
  ['  Ada   Lovelace ', 'Ada Lovelace'],
  ['Bob: yes\nAda', 'Bob yes Ada'],
  ['\u001b[2J\u001b]0;x\u0007Eve', '[2J ]0;x Eve'],
  ['\u202Eeve\u202C', 'eve'],
  ['\u200B\u200D\uFEFF', null],
  ['Ada\u2028owner', 'Ada owner'],
  ['\uD800x', 'x'],
  ['Ада', 'Ада'],
  ['', null],
  [null, null],
  ['a'.repeat(5_000), 'a'.repeat(64)],
])('the name %j is shown as %j', (name, shown) => {
  expect(plainName(name)).toBe(shown);
});

test('a name is one line without a mark that acts, and stays as it is when it is cleaned again', () => {
  fc.assert(
    fc.property(anyText, (name) => {
      const shown = plainName(name);
      if (shown === null) return;
      expect(shown).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}:]/u);
      expect([...shown].length).toBeLessThanOrEqual(64);
      expect(plainName(shown)).toBe(shown);
    }),
    { numRuns: propertyRuns(200) },
  );
});

test('a text that is cut is a beginning of it, as long as it may be', () => {
  fc.assert(
    fc.property(anyText, fc.nat(40), (text, limit) => {
      const cut = limitedText(text, limit);
      const whole = storableText(text);
      expect(whole.startsWith(cut) || text.length > limit).toBe(true);
      expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(limit);
      expect(cut).not.toMatch(/[\0\p{Cs}]/u);
      if (Buffer.byteLength(whole) <= limit) expect(cut).toBe(whole);
    }),
    { numRuns: propertyRuns(200) },
  );
});
