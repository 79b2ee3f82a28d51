import { expect, test } from 'vitest';
import { SessionRecord } from './invariants/session-record.js';
import { parseTurns } from './record.js';

test('the agent’s lines are read, the last one only if it is whole', () => {
  const { turn } = new SessionRecord('client-0');
  const given =
    'begin client-0 id-1 1\nend client-0 id-1 1\nbegin client-0 id-2 3 {"text":"a\\n\\nb"}\nbegin client-0';
  expect(parseTurns(given)).toEqual([
    turn('begin', 1),
    turn('end', 1, { at: 22 }),
    turn('begin', 2, { attempt: 3, at: 42, text: 'a\n\nb' }),
  ]);
  expect(() => parseTurns('nonsense\n')).toThrow(/nonsense/);
});
