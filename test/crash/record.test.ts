import { expect, test } from 'vitest';
import { SessionRecord } from './invariants/session-record.js';
import { parseTurns, withIds } from './record.js';

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

test('a turn whose agent knows the number of the message has its id', () => {
  const { turn, message } = new SessionRecord('openai-0');
  const known = turn('begin', 2);
  const events = [{ ...known, message: '#2' }, { ...known, message: '#3' }, known];
  expect(withIds(events, [message(1), message(2)])).toEqual([known, { ...known, message: '#3' }, known]);
});
