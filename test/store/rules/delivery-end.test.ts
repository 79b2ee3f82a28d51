import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { unknownPolicies } from '../../../src/store/messages.js';
import {
  type DeliveryEnd,
  decideDeliveryEnd,
  type EndingDelivery,
} from '../../../src/store/rules/delivery-end.js';

const delivery: EndingDelivery = {
  attempts: 2,
  channel: 'webhook',
  isNotice: false,
  state: 'replied',
  idempotent: false,
  unknownPolicy: null,
  hasBegun: true,
};
const failed = (retryInMs: number | null, attempted = true, unknown = false): DeliveryEnd => ({
  by: 'failure',
  failure: { error: 'HTTP 503', retryInMs, attempted, unknown },
});

const ends = fc.oneof(
  fc.constantFrom<DeliveryEnd>({ by: 'receipt' }, { by: 'crash' }),
  fc.record({ by: fc.constant('stop' as const), unknownOutcome: fc.option(fc.string()) }),
  fc
    .record({ retryInMs: fc.option(fc.nat()), attempted: fc.boolean(), unknown: fc.boolean() })
    .map(({ retryInMs, attempted, unknown }) => failed(retryInMs, attempted, unknown)),
);
const deliveries = fc.record<EndingDelivery>({
  attempts: fc.integer({ min: 1, max: 9 }),
  channel: fc.constantFrom('webhook', 'irc'),
  isNotice: fc.boolean(),
  state: fc.constantFrom('replied', 'dead', 'cancelled'),
  idempotent: fc.boolean(),
  unknownPolicy: fc.constantFrom(null, ...unknownPolicies),
  hasBegun: fc.boolean(),
});

test('the session goes on exactly when the delivery is done with; a notice never changes its message', () => {
  fc.assert(
    fc.property(deliveries, ends, fc.constantFrom(...unknownPolicies), (under, end, general) => {
      const change = decideDeliveryEnd(under, end, general);
      const isDone = change.delivery.state !== 'pending';
      expect(change.session.to === 'next').toBe(isDone);
      expect(change.message !== null).toBe(isDone && !under.isNotice);
      if (change.message !== null) expect(change.message.state).toBe(change.delivery.state);
    }),
  );
});

test('what may have arrived is sent again unasked only where that does no harm', () => {
  fc.assert(
    fc.property(deliveries, fc.constantFrom(...unknownPolicies), (under, general) => {
      const { delivery: after } = decideDeliveryEnd(under, { by: 'crash' }, general);
      const mayHaveArrived = under.hasBegun || under.idempotent;
      expect(after.unknown).toBe(mayHaveArrived);
      // A delivery that was only claimed doesn't count.
      expect(after.uncounted).toBe(!mayHaveArrived);
      const resend = under.idempotent || (under.unknownPolicy ?? general) === 'resend';
      if (mayHaveArrived) expect(after.state).toBe(resend ? 'pending' : 'dead');
    }),
  );
});

test('the record of what may have arrived names the setting that decides', () => {
  const error = (under: Partial<EndingDelivery>) =>
    decideDeliveryEnd({ ...delivery, ...under }, { by: 'crash' }, 'ask').delivery.error;
  expect(error({})).toContain('(delivery.unknown is "ask")');
  expect(error({ unknownPolicy: 'drop' })).toContain('(reply_to.unknown is "drop")');
  expect(error({ unknownPolicy: 'drop', channel: 'irc' })).toContain('(channels.irc.unknown is "drop")');
  expect(error({ idempotent: true })).toContain('sent again under the same webhook-id');
  expect(error({ idempotent: true, channel: 'irc' })).toContain('sent again under the same id');
});

describe('an attempt', () => {
  test('that arrived has no error any more', () => {
    expect(decideDeliveryEnd(delivery, { by: 'receipt' }, 'ask')).toEqual({
      delivery: { state: 'delivered', error: null, uncounted: false, unknown: false },
      message: { state: 'delivered', error: null },
      session: { to: 'next' },
    });
  });

  test('that failed is tried again when it is said, or the message is dead for that reason', () => {
    expect(decideDeliveryEnd(delivery, failed(900), 'ask')).toMatchObject({
      delivery: { state: 'pending', error: 'HTTP 503' },
      session: { to: 'wait', delayMs: 900 },
    });
    expect(decideDeliveryEnd(delivery, failed(null), 'ask')).toMatchObject({
      delivery: { state: 'dead', error: 'HTTP 503' },
      message: { state: 'dead', error: 'The reply could not be delivered: HTTP 503' },
    });
  });

  test.each([
    [true, false],
    [false, true],
  ])('that was made: %s; counts as %s', (attempted, uncounted) => {
    for (const retryInMs of [900, null]) {
      const { delivery: after } = decideDeliveryEnd(delivery, failed(retryInMs, attempted), 'ask');
      expect(after.uncounted).toBe(uncounted);
    }
  });

  test('of a notice whose message was discarded is the last', () => {
    const discarded = { ...delivery, isNotice: true, state: 'cancelled' as const };
    expect(decideDeliveryEnd(discarded, failed(900), 'ask')).toMatchObject({
      delivery: { state: 'dead' },
      message: null,
      session: { to: 'next' },
    });
  });

  test.each([null, 'the outcome is unknown'])(
    'that a stop cut off goes first again: %s',
    (unknownOutcome) => {
      expect(decideDeliveryEnd(delivery, { by: 'stop', unknownOutcome }, 'ask')).toEqual({
        delivery: {
          state: 'pending',
          error: unknownOutcome,
          uncounted: true,
          unknown: unknownOutcome !== null,
        },
        message: null,
        session: { to: 'front' },
      });
    },
  );
});
