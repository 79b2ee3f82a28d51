import { describe } from 'vitest';
import type { Record } from '../record.js';
import { findsOnly } from './finds.js';
import { SessionRecord } from './session-record.js';

describe('a record of a session whose receiver does not go by the key', () => {
  const { message, turn, receipt } = new SessionRecord('once-0');
  const error =
    'The reply could not be delivered: the outcome of attempt 1 is unknown, as …; set aside for a person to send it again or to discard it (delivery.unknown is "ask")';
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
    shown: [],
  };

  const stored = (changes: object) => ({
    stored: [message(1), message(2, { ...aside, ...changes }), message(3)],
  });
  findsOnly(good, [
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
