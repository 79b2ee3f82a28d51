import { describe, expect, test } from 'vitest';
import { violationsOf } from '../invariants.js';
import type { Record } from '../record.js';
import { findsOnly } from './finds.js';
import { SessionRecord } from './session-record.js';

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
    shown: [],
  };

  const lost = message(2, { ...inThird, collectedIn: 'id-9' });
  findsOnly(good, [
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
      /0 1: it is part of the turn of id-3, which is no later one that/,
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

  const cancelled = { state: 'cancelled', reply: null };
  const withoutReply = { ...inThird, reply: null };
  const cutOff: Record = {
    ...good,
    cancels: [
      {
        session: 'collect-0',
        from: 1,
        to: 3,
        cancelled: [{ id: 'id-3', attempts: null }],
        turnsWritten: 10,
      },
    ],
    stored: [message(1, withoutReply), message(2, withoutReply), message(3, cancelled), message(4)],
    received: [receipt(4)],
  };

  test('and whose turn is cancelled has no violation', () => {
    expect(violationsOf(cutOff)).toEqual([]);
  });

  test('and whose turn was to be cancelled, and is not, has a violation for each part', () => {
    const found = violationsOf({
      ...good,
      cancels: [{ ...cutOff.cancels[0], cancelled: [], turnsWritten: 0 }],
    } as Record);
    expect(found).toEqual(
      [1, 2, 3].map((seq) => expect.stringMatching(`0 ${seq}: it was to be cancelled, had not had its turn`)),
    );
  });
});
