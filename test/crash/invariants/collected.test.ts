import { describe } from 'vitest';
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
