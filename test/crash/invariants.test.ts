import { describe, expect, test } from 'vitest';
import { violationsOf } from './invariants.js';
import { parseTurns, type Record, type StoredMessage } from './record.js';

const message = (seq: number, changes: Partial<StoredMessage> = {}): StoredMessage => ({
  session: 'a',
  id: `id-${seq}`,
  seq,
  state: 'delivered',
  text: `message ${seq} of a`,
  reply: `reply to id-${seq}`,
  error: null,
  attempts: 1,
  ...changes,
});
const turn = (kind: 'begin' | 'end' | 'overlap', seq: number) => ({
  kind,
  session: 'a',
  message: `id-${seq}`,
});
const receipt = (seq: number, changes = {}) => ({
  key: `msg_${seq}`,
  body: JSON.stringify({ type: 'message.replied', data: { id: `id-${seq}`, session: 'a', seq } }),
  ...changes,
});
const good: Record = {
  accepted: { a: 2 },
  stored: [message(1), message(2)],
  turns: [turn('begin', 1), turn('begin', 1), turn('end', 1), turn('begin', 2), turn('end', 2)],
  received: [receipt(1), receipt(1), receipt(2)],
};

describe('a record', () => {
  test('of a run in which all went well, with a turn and a delivery made again, has no violation', () => {
    expect(violationsOf(good)).toEqual([]);
  });

  test('may have one message whose acceptance nobody got to see', () => {
    expect(violationsOf({ ...good, accepted: { a: 1 } })).toEqual([]);
  });

  const first = message(1);
  test.each<[string, Partial<Record>, RegExp]>([
    ['a lost message', { accepted: { a: 3 } }, /3 messages were accepted, 2 are there/],
    ['two messages too many', { accepted: { a: 0 } }, /0 messages were accepted, 2 are there/],
    ['another text', { stored: [first, message(2, { text: 'x' })] }, /in the place of message 2/],
    ['a hole', { stored: [first, message(3)] }, /in the place of message 2 is number 3/],
    ['a message that waits', { stored: [first, message(2, { state: 'queued' })] }, /a 2: it is queued/],
    ['the reply to another', { stored: [first, message(2, { reply: 'reply to id-1' })] }, /its reply is/],
    ['two turns at a time', { turns: [...good.turns, turn('overlap', 2)] }, /was run beside another one/],
    ['a turn too late', { turns: [...good.turns, turn('begin', 1)] }, /run again after message 2 had begun/],
    [
      'a turn too early',
      { turns: [turn('begin', 2), ...good.turns] },
      /message 2 was run next after message 0/,
    ],
    ['a turn of nothing', { turns: [...good.turns, turn('begin', 9)] }, /id-9 was run, and is not there/],
    ['a turn without an end', { turns: good.turns.slice(0, -1) }, /a 2: no turn of it ever ended/],
    ['a reply that never came', { received: [receipt(1)] }, /a 2: its reply was never received/],
    [
      'replies out of order',
      { received: [receipt(2), receipt(1)] },
      /reply to message 2 came after that to 0/,
    ],
    ['two keys', { received: [...good.received, receipt(2, { key: 'msg_x' })] }, /came under two keys/],
    ['two bodies', { received: [...good.received, receipt(2, { body: '{}' })] }, /came with two bodies/],
  ])('with %s has a violation', (_what, change, wanted) => {
    expect(violationsOf({ ...good, ...change }).join('\n')).toMatch(wanted);
  });

  test('the agent’s lines are read, the last one only if it is whole', () => {
    expect(parseTurns('begin a id-1 1\nend a id-1 1\nbegin a id')).toEqual([
      turn('begin', 1),
      turn('end', 1),
    ]);
    expect(() => parseTurns('nonsense\n')).toThrow(/nonsense/);
  });
});
