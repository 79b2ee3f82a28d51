import { describe } from 'vitest';
import type { Record } from '../record.js';
import { findsOnly } from './finds.js';
import { SessionRecord } from './session-record.js';

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
    shown: [],
  };

  const before = good.turns.slice(0, -1);
  findsOnly(good, [
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
    cancels: [{ session: 'interrupt-0', from: 1, to: 1, cancelled: [], turnsWritten: 70 }],
    stored: [message(1, by('id-2')), message(2)],
    turns: [turn('begin', 1), turn('begin', 2), turn('end', 2)],
    received: [receipt(2)],
    attempts: [],
    shown: [],
  };

  findsOnly(good, [
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
    [
      'a message that comes back after it was interrupted',
      {
        stored: [message(1), message(2)],
        turns: [turn('begin', 1), turn('end', 1, { at: 80 }), ...good.turns.slice(1)],
      },
      /0 1: it was to be cancelled, had not had its turn, and is delivered/,
    ],
    ['a reply to what was cut off', { received: [receipt(1), receipt(2)] }, /it is cancelled/],
  ]);
});
