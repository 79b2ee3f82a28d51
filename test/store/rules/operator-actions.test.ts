import { describe, expect, test } from 'vitest';
import {
  decideCancel,
  decideDiscard,
  decideRetry,
  type HandledMessage,
} from '../../../src/store/rules/operator-actions.js';

const dead: HandledMessage = {
  state: 'dead',
  error: 'exit status 3',
  changedAt: 5_000,
  hasTarget: true,
  isReplied: false,
  delivery: null,
  deliveryError: null,
};
const waiting: HandledMessage = {
  ...dead,
  state: 'replied',
  error: null,
  isReplied: true,
  delivery: 'pending',
  deliveryError: 'HTTP 503',
};

describe('a cancel', () => {
  test.each([
    ['queued', 'head', { changes: true, running: false, session: 'next' }],
    ['queued', 'none', { changes: true, running: false, session: 'one-less' }],
    ['running', 'held', { changes: true, running: true, session: 'stay' }],
    ['cancelled', 'held', { changes: false, running: true, session: 'stay' }],
    ['cancelled', 'none', { changes: false, running: false, session: 'stay' }],
  ] as const)('of one that is %s (%s)', (state, place, expected) => {
    expect(decideCancel({ state }, place)).toEqual({ outcome: 'cancelled', ...expected });
  });

  test.each(['replied', 'delivered', 'dead', 'collected'] as const)('of one that is %s', (state) => {
    expect(decideCancel({ state }, 'none')).toEqual({ outcome: 'settled' });
  });
});

describe('to try again', () => {
  test.each(['queued', 'running', 'replied', 'delivered', 'cancelled', 'collected'] as const)(
    'is only for what is dead, not for what is %s',
    (state) => {
      expect(decideRetry({ ...dead, state }, 'none')).toEqual({ outcome: 'not-dead' });
    },
  );

  test('runs a turn again, unless its sender is being told just now that it is dead', () => {
    for (const place of ['head', 'none'] as const) {
      expect(decideRetry({ ...dead, delivery: 'pending' }, place)).toEqual({
        outcome: 'done',
        again: 'turn',
      });
    }
    expect(decideRetry({ ...dead, delivery: 'pending' }, 'held')).toEqual({ outcome: 'busy' });
  });

  test.each([
    ['dead', true, 'again'],
    [null, true, 'new'],
    [null, false, 'none'],
  ] as const)('sends a reply again whose delivery is %s, target: %s', (delivery, hasTarget, by) => {
    const message = { ...dead, isReplied: true, delivery, hasTarget };
    expect(decideRetry(message, 'none')).toEqual({ outcome: 'done', again: 'reply', delivery: by });
  });
});

describe('to discard', () => {
  test('what is dead keeps its reason', () => {
    expect(decideDiscard(dead, 'none')).toEqual({
      outcome: 'done',
      message: { error: 'Discarded when it was dead: exit status 3', changedAt: null },
      delivery: 'hurry',
    });
    expect(decideDiscard({ ...dead, error: null }, 'none')).toMatchObject({
      message: { error: 'Discarded when it was dead: no reason is known' },
    });
  });

  test.each(['head', 'held', 'none'] as const)(
    'leaves a notice as it is that may still be posted: %s',
    (place) => {
      expect(decideDiscard({ ...dead, delivery: 'pending' }, place)).toEqual({
        outcome: 'done',
        message: { error: 'exit status 3', changedAt: 5_000 },
        delivery: 'hurry',
      });
    },
  );

  test('gives up a reply that waits, and none that is being posted', () => {
    expect(decideDiscard(waiting, 'none')).toEqual({
      outcome: 'done',
      message: { error: 'Discarded before its reply was delivered: HTTP 503', changedAt: null },
      delivery: 'give-up',
    });
    expect(decideDiscard({ ...waiting, deliveryError: null }, 'head')).toMatchObject({
      message: { error: 'Discarded before its reply was delivered.' },
    });
    expect(decideDiscard(waiting, 'held')).toEqual({ outcome: 'busy' });
  });

  test('twice is the same as once; what is going on, or has arrived, is not for it', () => {
    expect(decideDiscard({ ...dead, state: 'cancelled' }, 'none')).toEqual({
      outcome: 'done',
      message: null,
      delivery: 'stay',
    });
    for (const state of ['queued', 'running', 'delivered', 'collected'] as const) {
      expect(decideDiscard({ ...dead, state }, 'none')).toEqual({ outcome: 'not-dead' });
    }
    expect(decideDiscard({ ...waiting, delivery: null }, 'none')).toEqual({ outcome: 'not-dead' });
  });
});
