import { describe, expect, test } from 'vitest';
import type { Record } from '../record.js';
import { summedUp } from './channels.js';
import { findsOnly } from './finds.js';
import { SessionRecord } from './session-record.js';

/** A message whose reply was set aside or dropped, as the record of its channel says. */
const aside = (channel: string, policy: 'ask' | 'drop') => {
  const then =
    policy === 'ask' ? 'set aside for a person to send it again or to discard it' : 'not sent again';
  const error = `The reply could not be delivered: the outcome of attempt 1 is unknown, as …; ${then} (channels.${channel}.unknown is "${policy}")`;
  return { state: 'dead', unknown: 1, error };
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
    [
      'a message set aside',
      { stored: [message(1), message(2, aside('reconcile', 'ask'))] },
      /1 2: it is dead/,
    ],
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

describe.each([
  ['ask', 'drop'],
  ['telegram-ask', 'drop'],
  ['drop', 'ask'],
  ['lmtp-drop', 'ask'],
] as const)('a record of the channel %s, which does not send again what is in doubt', (channel, other) => {
  const { message, shown, good } = recordOf(channel);
  const policy = other === 'ask' ? 'drop' : 'ask';
  const given = aside(channel, policy);
  const isAside = (changes: object) => ({ stored: [message(1, { ...given, ...changes }), message(2)] });
  findsOnly({ ...good, ...isAside({}), shown: [shown(2)] }, [
    ['a message set aside without a doubt', isAside({ unknown: 0 }), /1 1: it is dead/],
    [
      'one for which another setting is named',
      isAside({ error: aside('x', policy).error }),
      /1 1: it is dead/,
    ],
    ['one that was handled otherwise', isAside({ error: aside(channel, other).error }), /1 1: it is dead/],
    ['a reply that came twice', { ...isAside({}), shown: [shown(1), shown(1), shown(2)] }, /shown 2 times$/],
  ]);
});

describe('a record of a channel that could not ask its platform', () => {
  const { message, shown, good } = recordOf('matrix-drop');
  const error = (policy: string) =>
    `The reply could not be delivered: the reply may have arrived, and neither … tell; not sent again (channels.matrix-drop.unknown: it is "${policy}")`;
  const dead = { state: 'dead', unknown: 1, error: error('drop') };
  findsOnly({ ...good, stored: [message(1, dead), message(2)], shown: [shown(2)] }, [
    [
      'one that was handled otherwise',
      { stored: [message(1, { ...dead, error: error('ask') }), message(2)] },
      /1 1: it is dead/,
    ],
  ]);
});
