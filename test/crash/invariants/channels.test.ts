import { describe, expect, test } from 'vitest';
import type { Record } from '../record.js';
import { summedUp } from './channels.js';
import { findsOnly } from './finds.js';
import { SessionRecord } from './session-record.js';

const aside = {
  state: 'dead',
  unknown: 1,
  error: 'The reply could not be delivered: the outcome of attempt 1 is unknown, as …; set aside for …',
};

/** The record of one session of a channel, in which two messages were replied to. */
function recordOf(kind: string) {
  const session = `${kind}:chat-1`;
  const { message, turn } = new SessionRecord(session);
  const shown = (seq: number) => ({ session, text: `reply to id-${seq}` });
  const good: Record = {
    accepted: { [session]: 2 },
    cancels: [],
    stored: [message(1), message(2)],
    turns: [1, 2].flatMap((seq) => [turn('begin', seq), turn('end', seq)]),
    received: [],
    attempts: [],
    shown: [shown(1), shown(2)],
  };
  return { session, message, shown, good };
}

describe('a record of a channel that tells what became of a send', () => {
  const { session, message, shown, good } = recordOf('reconcile');
  const inDoubt = [message(1), message(2, { unknown: 1 })];
  findsOnly(good, [
    ['a reply that was never shown', { shown: [shown(1)] }, /1 2: its reply was never shown/],
    ['replies in another order', { shown: [shown(2), shown(1)] }, /to message 1 was shown after that to 2/],
    ['a reply twice', { shown: [shown(1), ...good.shown] }, /1 1: its reply was shown 2 times$/],
    [
      'a reply twice, of which a send was in doubt',
      { stored: inDoubt, shown: [...good.shown, shown(2)] },
      /1 2: its reply was shown 2 times$/,
    ],
    ['another text', { shown: [...good.shown, { session, text: 'x' }] }, /people were shown "x"/],
    ['a message set aside', { stored: [message(1), message(2, aside)] }, /1 2: it is dead/],
  ]);
});

describe('a record of a channel that sends again what is in doubt', () => {
  const { message, shown, good } = recordOf('telegram');
  const doubled: Record = {
    ...good,
    stored: [message(1), message(2, { unknown: 1 })],
    shown: [...good.shown, shown(2)],
  };
  findsOnly(doubled, [
    ['a reply twice without a doubt', { stored: good.stored }, /2 times, and 0 sends were in doubt/],
    ['a reply thrice', { shown: [...doubled.shown, shown(2)] }, /3 times, and 1 sends were in doubt/],
  ]);

  test('sums up what came twice', () => {
    expect(summedUp(doubled)).toEqual(
      new Map([['telegram', { messages: 2, inDoubt: 1, doubled: 1, setAside: 0 }]]),
    );
  });
});

describe('a record of a channel that sets aside what is in doubt', () => {
  const { message, shown, good } = recordOf('ask');
  findsOnly({ ...good, stored: [message(1, aside), message(2)], shown: [shown(2)] }, [
    [
      'a message set aside without a doubt',
      { stored: [message(1, { ...aside, unknown: 0 }), message(2)] },
      /1 1: it is dead/,
    ],
  ]);
});
