import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decideTurnEnd,
  type EndingTurn,
  isPoisonSuspect,
  mayBegin,
  poisonSuspectRuns,
  type TurnEnd,
} from '../../../src/store/rules/turn-end.js';

const limit = 3;
const crashes = fc.array(fc.nat({ max: 5 }), { maxLength: 10 });

test('a suspect begins alone or not at all, and what is ready before it is not held up', () => {
  fc.assert(
    fc.property(crashes, fc.boolean(), (ready, anyHeld) => {
      const count = mayBegin(ready, anyHeld, limit);
      const begins = ready.slice(0, count);
      const suspects = begins.filter((each) => isPoisonSuspect(each, limit));
      if (suspects.length > 0)
        expect({ begins: begins.length, anyHeld }).toEqual({ begins: 1, anyHeld: false });
      const next = ready[count];
      if (next === undefined || (suspects.length > 0 && count === 1)) return;
      expect(isPoisonSuspect(next, limit)).toBe(true);
      expect(anyHeld || count > 0).toBe(true);
    }),
  );
});

test.each([
  [{ running: 1, mostCrashes: 3 }, true],
  [{ running: 1, mostCrashes: 2 }, false],
  // It was cancelled, and has not ended.
  [{ running: 0, mostCrashes: 3 }, true],
  [{ running: 0, mostCrashes: 0 }, false],
  // Two run: they began before one of them was suspect.
  [{ running: 2, mostCrashes: 3 }, false],
])('beside %j no other begins: %s', (held, expected) => {
  expect(poisonSuspectRuns(held, limit)).toBe(expected);
});

const policy = { maxAttempts: 3, repeatable: true, notices: true, unknownPolicy: 'ask' } as const;
const turn: EndingTurn = { state: 'running', error: 'before', attempts: 2, crashes: 0, hasTarget: true };

const ends = fc.oneof(
  fc.constantFrom<TurnEnd>(
    { by: 'reply' },
    { by: 'stop', cutOff: true, retryInMs: null },
    { by: 'stop', cutOff: false, retryInMs: null },
    { by: 'release' },
  ),
  fc.record({ by: fc.constant('failure' as const), error: fc.string(), retryInMs: fc.option(fc.nat()) }),
  fc.record({ by: fc.constant('crash' as const), alone: fc.boolean(), isOwnFault: fc.boolean() }),
);
const policies = fc.record({
  maxAttempts: fc.integer({ min: 1, max: 4 }),
  repeatable: fc.boolean(),
  notices: fc.boolean(),
  unknownPolicy: fc.constant('ask' as const),
});
const turns = fc.record<EndingTurn>({
  state: fc.constant('running'),
  error: fc.option(fc.string()),
  attempts: fc.integer({ min: 1, max: 9 }),
  crashes: fc.nat({ max: 5 }),
  hasTarget: fc.boolean(),
});

describe('whatever ends it', () => {
  test('of a turn that was cancelled nothing comes, and its session goes on', () => {
    fc.assert(
      fc.property(turns, ends, policies, (running, end, rules) => {
        expect(decideTurnEnd({ ...running, state: 'cancelled' }, end, rules)).toEqual({
          isTaken: end.by === 'release',
          message: null,
          session: { to: 'next' },
          delivery: null,
        });
      }),
    );
  });

  test('the session goes on exactly when the message is done with, and only its sender is told of that', () => {
    fc.assert(
      fc.property(turns, ends, policies, (running, end, rules) => {
        const { message, session, delivery } = decideTurnEnd(running, end, rules);
        const isDone = message !== null && message.state !== 'queued';
        expect(session.to === 'next').toBe(isDone);
        if (delivery !== null)
          expect({ isDone, hasTarget: running.hasTarget }).toEqual({ isDone: true, hasTarget: true });
        if (message?.state === 'replied') expect(delivery === 'reply').toBe(running.hasTarget);
        if (message?.state === 'dead') expect(delivery === 'notice').toBe(running.hasTarget && rules.notices);
      }),
    );
  });

  test('only a crash of its own is counted as one, and only an end from outside takes the attempt back', () => {
    fc.assert(
      fc.property(turns, ends, policies, (running, end, rules) => {
        const { message } = decideTurnEnd(running, end, rules);
        if (message === null) return;
        expect(message.crashed).toBe(end.by === 'crash' && end.isOwnFault);
        const isFromOutside = end.by === 'stop' || (end.by === 'crash' && !end.isOwnFault);
        expect(message.uncounted).toBe(isFromOutside && message.state === 'queued');
        expect(message.putBack).toBe(end.by === 'stop' && end.cutOff);
      }),
    );
  });
});

describe('a turn', () => {
  test('that has its reply has no error any more', () => {
    expect(decideTurnEnd(turn, { by: 'reply' }, policy)).toMatchObject({
      isTaken: true,
      message: { state: 'replied', error: null },
    });
  });

  test('that failed waits to be tried again, or is dead', () => {
    const failed = (retryInMs: number | null) =>
      decideTurnEnd(turn, { by: 'failure', error: 'exit status 3', retryInMs }, policy);
    expect(failed(500)).toMatchObject({
      message: { state: 'queued', error: 'exit status 3' },
      session: { to: 'wait', delayMs: 500 },
      delivery: null,
    });
    expect(failed(null)).toMatchObject({ message: { state: 'dead', error: 'exit status 3' } });
  });

  test('that a stop cut off is run again before all others, and keeps its error', () => {
    expect(decideTurnEnd(turn, { by: 'stop', cutOff: true, retryInMs: null }, policy)).toMatchObject({
      message: { state: 'queued', error: 'before' },
      session: { to: 'front' },
    });
  });

  test('that nobody has cancelled is not released', () => {
    expect(decideTurnEnd(turn, { by: 'release' }, policy)).toEqual({
      isTaken: false,
      message: null,
      session: { to: 'stay' },
      delivery: null,
    });
  });

  test.each([0, 2, 9])(
    'is run again after a gateway that was killed from outside, whatever was before (%i)',
    (crashes) => {
      const end = { by: 'crash', alone: true, isOwnFault: false } as const;
      expect(decideTurnEnd({ ...turn, crashes }, end, policy)).toMatchObject({
        message: { state: 'queued', error: 'before', crashed: false, uncounted: true },
        session: { to: 'front' },
      });
      const once = decideTurnEnd({ ...turn, crashes }, end, { ...policy, repeatable: false });
      expect(once.message).toMatchObject({
        state: 'dead',
        error: expect.stringMatching(/agent\.retry is "never"/),
      });
    },
  );

  test.each([
    // Crashes before, alone, repeatable; what is in the reason of its death.
    [0, true, true, null],
    [1, true, true, null],
    [
      2,
      true,
      true,
      /attempt 2: .* nothing else ran beside it; that was crash 3 .* dispatch\.max_attempts is 3/,
    ],
    [2, false, true, null],
    [9, false, true, null],
    [0, false, false, /agent\.retry is "never"/],
  ] as const)(
    'that a crash cut off after %i others, alone: %s, repeatable: %s',
    (crashes, alone, repeatable, why) => {
      const { message, session } = decideTurnEnd(
        { ...turn, crashes },
        { by: 'crash', alone, isOwnFault: true },
        { ...policy, repeatable },
      );
      if (why === null) {
        expect(message).toMatchObject({ state: 'queued', error: 'before' });
        expect(session).toEqual({ to: 'front' });
      } else {
        expect(message).toMatchObject({ state: 'dead', error: expect.stringMatching(why) });
      }
    },
  );
});
