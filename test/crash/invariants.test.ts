import { describe, expect, test } from 'vitest';
import { findsOnly } from './invariants/finds.js';
import { SessionRecord } from './invariants/session-record.js';
import { violationsOf } from './invariants.js';
import type { Record } from './record.js';

describe('a record', () => {
  const { message, turn, receipt } = new SessionRecord('client-0');
  // A turn and a delivery are made again.
  const good: Record = {
    accepted: { 'client-0': 2 },
    cancels: [],
    stored: [message(1), message(2)],
    turns: [turn('begin', 1), turn('begin', 1), turn('end', 1), turn('begin', 2), turn('end', 2)],
    received: [receipt(1), receipt(1), receipt(2)],
    attempts: [],
    shown: [],
  };

  test('may have one message whose acceptance nobody got to see', () => {
    expect(violationsOf({ ...good, accepted: { 'client-0': 1 } })).toEqual([]);
  });

  const first = message(1);
  const dead = { state: 'dead', unknown: 1, error: 'the outcome of attempt 1 is unknown; set aside' };
  findsOnly(good, [
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
    [
      'a reply without its file',
      { received: [receipt(1), receipt(2, {}, [], { metadata: { sha256: 'x' } })] },
      /0 2: its reply came with the files $/,
    ],
    ['two bodies', { received: [...good.received, receipt(2, { body: '{}' })] }, /came with two bodies/],
  ]);
});

describe('a record of a session whose agent does not know the ids of messages', () => {
  const { message, turn, receipt } = new SessionRecord('openai-0');
  const reply = 'reply to message 1 of openai-0';
  const good: Record = {
    accepted: { 'openai-0': 1 },
    cancels: [],
    stored: [message(1, { reply })],
    turns: [turn('begin', 1), turn('end', 1)],
    received: [receipt(1)],
    attempts: [],
    shown: [],
  };
  findsOnly(good, [
    ['a reply that was cut off', { stored: [message(1, { reply: 'reply to' })] }, /its reply is "reply to"/],
  ]);
});
