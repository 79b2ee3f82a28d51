import { expect, test } from 'vitest';
import {
  defaultTexts,
  isTold,
  type NoticeName,
  textFor,
  textsOf,
} from '../../../src/channels/conversation/texts.js';

test('texts of an operator take the places of the defaults', () => {
  const texts = textsOf({ stopped: 'Angehalten.', pairing: 'Code: {code}' });
  expect(texts.stopped).toBe('Angehalten.');
  expect(texts.help).toBe(defaultTexts.help);
  expect(textFor(texts, 'pairing', { code: 'AB', minutes: 60 })).toBe('Code: AB');
});

test.each([
  [{ stoped: 'x' }, '"stoped" is no text'],
  [{ toString: 'x' }, '"toString" is no text'],
  [{ stopped: 7 }, '"stopped" must be a text'],
  [{ stopped: ' ' }, '"stopped" must be a text that is not empty'],
  [{ stopped: 'x'.repeat(2_001) }, 'at most 2000 characters'],
  [{ pairing: 'Ask the operator.' }, '"pairing" must have {code}'],
  [{ stopped: 'Stopped {turn}.' }, '"stopped" can\'t have {turn}'],
  [{ stopped: 7, agent: '{who}' }, '"stopped" must be a text that is not empty; "agent" can\'t have {who}'],
])('%j is refused', (own, reason) => {
  expect(() => textsOf(own)).toThrow(reason);
});

test('what is put in is not read again', () => {
  expect(textFor(defaultTexts, 'approved', { title: '{code} $& {title}' })).toBe(
    'Allowed: {code} $& {title}',
  );
});

test.each<[NoticeName, readonly boolean[]]>([
  ['dead', [true, true, false]],
  ['full', [true, true, false]],
  ['too_large', [true, true, false]],
  ['unreadable', [true, true, false]],
  ['held', [true, false, false]],
  ['again', [true, false, false]],
])('"%s" is told with "all", "failures", "none": %j', (name, told) => {
  expect((['all', 'failures', 'none'] as const).map((level) => isTold(name, level))).toEqual(told);
});
