import { describe, expect, test } from 'vitest';
import { violationsOf } from './invariants.js';
import { parseTurns, type Record } from './record.js';
import { SessionRecord } from './session-record.js';

/** Each change of a record in which all went well has a violation. */
function finds(good: Record, changes: readonly [string, Partial<Record>, RegExp][]): void {
  test.each(changes)('with %s has a violation', (_what, change, wanted) => {
    expect(violationsOf({ ...good, ...change }).join('\n')).toMatch(wanted);
  });
}

describe('a record', () => {
  const { message, turn, receipt } = new SessionRecord('client-0');
  const good: Record = {
    accepted: { 'client-0': 2 },
    cancels: [],
    stored: [message(1), message(2)],
    turns: [turn('begin', 1), turn('begin', 1), turn('end', 1), turn('begin', 2), turn('end', 2)],
    received: [receipt(1), receipt(1), receipt(2)],
    attempts: [],
  };

  test('of a run in which all went well, with a turn and a delivery made again, has no violation', () => {
    expect(violationsOf(good)).toEqual([]);
  });

  test('may have one message whose acceptance nobody got to see', () => {
    expect(violationsOf({ ...good, accepted: { 'client-0': 1 } })).toEqual([]);
  });

  const first = message(1);
  const dead = { state: 'dead', unknown: 1, error: 'the outcome of attempt 1 is unknown; set aside' };
  finds(good, [
    ['a lost message', { accepted: { 'client-0': 3 } }, /3 messages were accepted, 2 are there/],
    ['two messages too many', { accepted: { 'client-0': 0 } }, /0 messages were accepted, 2 are there/],
    ['another text', { stored: [first, message(2, { text: 'x' })] }, /in the place of message 2/],
    ['a hole', { stored: [first, message(3)] }, /in the place of message 2 is number 3/],
    ['a message that waits', { stored: [first, message(2, { state: 'queued' })] }, /0 2: it is queued/],
    ['a dead message', { stored: [first, message(2, dead)] }, /0 2: it is dead/],
    [
      'a cancelled message',
      { stored: [first, message(2, { state: 'cancelled' })] },
      /it is cancelled \(null\)\n[\s\S]*nobody asked for that/,
    ],
    ['the reply to another', { stored: [first, message(2, { reply: 'reply to id-1' })] }, /its reply is/],
    ['two turns at a time', { turns: [...good.turns, turn('overlap', 2)] }, /was run beside another one/],
    ['a turn too late', { turns: [...good.turns, turn('begin', 1)] }, /run again after message 2 had begun/],
    [
      'a turn too early',
      { turns: [turn('begin', 2), ...good.turns] },
      /message 2 was run next after message 0/,
    ],
    ['a turn of nothing', { turns: [...good.turns, turn('begin', 9)] }, /id-9 was run, and is not there/],
    ['a turn without an end', { turns: good.turns.slice(0, -1) }, /0 2: no turn of it ever ended/],
    ['a reply that never came', { received: [receipt(1)] }, /0 2: its reply was never received/],
    [
      'replies out of order',
      { received: [receipt(2), receipt(1)] },
      /reply to message 2 came after that to 0/,
    ],
    ['two keys', { received: [...good.received, receipt(2, { key: 'msg_x' })] }, /came under two keys/],
    ['two bodies', { received: [...good.received, receipt(2, { body: '{}' })] }, /came with two bodies/],
  ]);
});

describe('a record of a session with cancelled messages', () => {
  const { message, turn, receipt } = new SessionRecord('cancel-0');
  const cancelled = (seq: number) => message(seq, { state: 'cancelled', reply: null });
  const answer = { session: 'cancel-0', turnsWritten: 100 };
  const rest = [message(2), message(3), cancelled(4)];
  // The first is cancelled as it begins; the third had its turn before the whole session was cancelled.
  const good: Record = {
    accepted: { 'cancel-0': 4 },
    cancels: [
      { ...answer, from: 1, to: 1, cancelled: [{ id: 'id-1', attempts: 1 }], turnsWritten: 10 },
      { ...answer, from: 1, to: 4, cancelled: [{ id: 'id-4', attempts: null }] },
    ],
    stored: [cancelled(1), ...rest],
    turns: [
      turn('begin', 1, { at: 20 }),
      turn('begin', 2, { at: 40 }),
      turn('end', 2, { at: 60 }),
      turn('begin', 3, { at: 70 }),
      turn('end', 3, { at: 90 }),
    ],
    received: [receipt(2), receipt(3)],
    attempts: [],
  };

  test('in which all went well has no violation', () => {
    expect(violationsOf(good)).toEqual([]);
  });

  const before = good.turns.slice(0, -1);
  finds(good, [
    [
      'a cancelled message that comes back',
      { stored: [message(1), ...rest] },
      /0 1: it was cancelled, and is delivered/,
    ],
    ['a lost cancelled message', { stored: good.stored.slice(0, 3) }, /id-4 was cancelled, and is not there/],
    ['a reply to a cancelled message', { received: [receipt(1), ...good.received] }, /it is cancelled/],
    [
      'a cancelled message with a reply',
      { stored: [message(1, { state: 'cancelled' }), ...rest] },
      /0 1: its reply is "reply to id-1"/,
    ],
    [
      'a turn that begins again after the answer',
      { turns: [turn('begin', 1, { at: 20, attempt: 2 }), ...good.turns.slice(1)] },
      /0 1: its turn began after it was cancelled/,
    ],
    [
      'a turn that begins twice after the answer',
      { turns: [...good.turns, turn('begin', 4, { at: 110 }), turn('begin', 4, { at: 130 })] },
      /0 4: its turn began after it was cancelled/,
    ],
    [
      'a message that is run though its session was cancelled before',
      { turns: [...before, turn('end', 3, { at: 110 })] },
      /0 3: it was to be cancelled, had not had its turn/,
    ],
    [
      'a message that was cancelled with another',
      { cancels: [{ ...answer, from: 1, to: 2, cancelled: [{ id: 'id-4', attempts: null }] }] },
      /0 4: it was cancelled with messages 1 to 2/,
    ],
    ['a message that nobody had cancelled', { cancels: [] }, /0 1: it is cancelled, and nobody asked/],
    ['a message that is passed over', { turns: good.turns.slice(3) }, /3 was run next after message 0/],
  ]);
});

describe('a record of a session that is interrupted', () => {
  const { message, turn, receipt } = new SessionRecord('interrupt-0');
  const by = (id: string) => ({
    state: 'cancelled',
    reply: null,
    error: `Interrupted by the message ${id}.`,
  });
  const good: Record = {
    accepted: { 'interrupt-0': 2 },
    cancels: [],
    stored: [message(1, by('id-2')), message(2)],
    turns: [turn('begin', 1), turn('begin', 2), turn('end', 2)],
    received: [receipt(2)],
    attempts: [],
  };

  test('in which all went well has no violation', () => {
    expect(violationsOf(good)).toEqual([]);
  });

  finds(good, [
    [
      'a message cut off by none',
      { stored: [message(1, by('id-9')), message(2)] },
      /no later message interr/,
    ],
    [
      'the last one cut off',
      { stored: [message(1), message(2, by('id-1'))] },
      /no later message interrupted/,
    ],
    ['turns at the same time', { turns: [...good.turns, turn('overlap', 2)] }, /beside another one/],
    ['a turn that comes back', { turns: [...good.turns, turn('begin', 1)] }, /run again after message 2/],
    ['a reply to what was cut off', { received: [receipt(1), receipt(2)] }, /it is cancelled/],
  ]);
});

describe('a record of a session that collects', () => {
  const { message, turn, receipt } = new SessionRecord('collect-0');
  const inThird = { state: 'collected', collectedIn: 'id-3', reply: 'reply to id-3' };
  const [one, two, three] = [message(1, inThird), message(2, inThird), message(3)];
  const text = [one, two, three].map((part) => part.text).join('\n\n');
  const fourth = [turn('begin', 4, { text: message(4).text }), turn('end', 4)];
  const good: Record = {
    accepted: { 'collect-0': 4 },
    cancels: [],
    stored: [one, two, three, message(4)],
    turns: [turn('begin', 3), turn('begin', 3, { text }), turn('end', 3), ...fourth],
    received: [receipt(3, {}, [1, 2]), receipt(4)],
    attempts: [],
  };

  test('in which all went well has no violation', () => {
    expect(violationsOf(good)).toEqual([]);
  });

  const lost = message(2, { ...inThird, collectedIn: 'id-9' });
  finds(good, [
    [
      'a turn that is made of less the second time',
      {
        turns: [
          turn('begin', 3, { text }),
          turn('begin', 3, { text: three.text }),
          turn('end', 3),
          ...fourth,
        ],
      },
      /0 3: its turn was made of "message 3 of collect-0"/,
    ],
    [
      'a message in no turn',
      { stored: [one, lost, three, message(4)] },
      /part of the turn of id-9, which is no/,
    ],
    ['a gap in a turn', { stored: [one, message(2), three, message(4)] }, /not all between it and message 3/],
    [
      'a message in the turn of one without a reply',
      { stored: [one, two, message(3, { state: 'dead' }), message(4)] },
      /0 1: it is part of the turn of id-3, which is no later one delivered/,
    ],
    [
      'a collected message that is run as well',
      { turns: [turn('begin', 1, { text: one.text }), ...good.turns] },
      /0 1: it was run, and is part of another turn/,
    ],
    [
      'a turn whose text no agent was given',
      { turns: [turn('begin', 3), turn('end', 3), ...fourth] },
      /0 3: it has a reply, and no agent was ever given its text/,
    ],
    ['another reply', { stored: [message(1, { ...inThird, reply: 'x' }), two, three, message(4)] }, /is "x"/],
    ['a reply that names too few', { received: [receipt(3, {}, [1]), receipt(4)] }, /names "id-1" as coll/],
  ]);
});

describe('a record of a session whose receiver does not go by the key', () => {
  const { message, turn, receipt } = new SessionRecord('once-0');
  const error =
    'The reply could not be delivered: the outcome of attempt 1 is unknown, as …; set aside for …';
  const aside = { state: 'dead', unknown: 1, error };
  const arrived = (seq: number) => ({ key: `msg_${seq}`, what: 'arrived' as const });
  const refused = (seq: number) => ({ key: `msg_${seq}`, what: 'refused' as const });
  const good: Record = {
    accepted: { 'once-0': 3 },
    cancels: [],
    stored: [message(1), message(2, aside), message(3)],
    turns: [1, 2, 3].flatMap((seq) => [turn('begin', seq), turn('end', seq)]),
    received: [receipt(1), receipt(1), receipt(3)],
    attempts: [arrived(1), refused(1), arrived(1), arrived(2), arrived(3)],
  };

  test('in which all went well has no violation', () => {
    expect(violationsOf(good)).toEqual([]);
  });

  const stored = (changes: object) => ({
    stored: [message(1), message(2, { ...aside, ...changes }), message(3)],
  });
  finds(good, [
    ['a message dead for another reason', stored({ error: 'x' }), /nothing about it was unknown \(x\)/],
    ['a message dead though all was known', stored({ unknown: 0 }), /nothing about it was unknown/],
    ['a reply posted again', { attempts: [...good.attempts, arrived(2)] }, /msg_2: it was posted again/],
    [
      'a reply posted again after it was sent again',
      { attempts: [...good.attempts, arrived(1)] },
      /msg_1: it was posted again/,
    ],
    ['a delivered reply that never came', { received: [receipt(1)] }, /0 3: its reply was never received/],
  ]);
});

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
