import { describe, expect, test } from 'vitest';
import {
  type AttemptEnd,
  failuresToOpen,
  heldUntil,
  ReplyDestination,
} from '../../../src/gateway/delivery/destination.js';
import { longestRetryAfterMs } from '../../../src/gateway/delivery/schedule.js';

describe('until when a host is left alone', () => {
  test.each([
    ['it has asked for nothing', 0, null, 0],
    ['it asks for time', 0, 5_000, 6_000],
    ['it asks for none', 0, 0, 1_000],
    ['it asks for more', 3_000, 5_000, 6_000],
    ['it asks for less than before', 9_000, 5_000, 9_000],
    ['it says no more of it', 9_000, null, 9_000],
    ['it asks for more than a day', 0, 10 ** 12, 1_000 + longestRetryAfterMs],
  ])('%s', (_what, until, asked, expected) => {
    expect(heldUntil(until, asked, 1_000)).toBe(expected);
  });
});

describe('a host that has asked for time', () => {
  const settings = { host_concurrency: 8, retry_delay: 1_000, retry_delay_limit: 300_000 };
  const origin = 'https://receiver.example';

  /** After so many failures of replies that were sent at the same time as the one that is answered with its wish. */
  function held(asked: number | null, failures = 0): ReplyDestination {
    const destination = new ReplyDestination(origin);
    const end = (of: AttemptEnd) => destination.end(of, 1_000, settings, () => 0);
    for (let attempt = 0; attempt <= failures; attempt += 1) destination.begin(1_000, settings);
    for (let failure = 0; failure < failures; failure += 1) end({ peer: 'failing', asked: null });
    end({ peer: failures > 0 ? 'failing' : 'well', asked });
    return destination;
  }

  test.each([
    ['not before it', 5_000, 0, 5_999, 6_000],
    ['at it', 5_000, 0, 6_000, null],
    ['at once where it has asked for none', null, 0, 1_000, null],
    ['not before its circuit opens, if that is later', 5_000, failuresToOpen, 1_000, 1_000 + 8_000],
    ['not before it, if its circuit opens earlier', 60_000, failuresToOpen, 20_000, 61_000],
  ])('gets another reply %s', (_what, asked, failures, now, until) => {
    const admission = held(asked, failures).admit(now, settings);
    expect(admission.kind === 'postpone' ? admission.until : null).toBe(until);
  });

  test('gets what waited for it one after another, all of it within a minute', () => {
    const destination = held(3_600_000);
    const returns = Array.from({ length: 4_000 }, () => {
      const admission = destination.admit(2_000, settings);
      return admission.kind === 'postpone' ? admission.until - 3_601_000 : Number.NaN;
    });
    expect(returns.slice(0, 4)).toEqual([0, 20, 40, 60]);
    expect(Math.max(...returns)).toBe(60_000);
  });

  test('is forgotten when that time is over, and nothing else is known of it', () => {
    const destination = held(5_000);
    expect([5_999, 6_000].map((now) => destination.forgettable(now, settings))).toEqual([false, true]);
    const failing = held(400_000, 1);
    // Without its wish it would be so by then.
    expect([301_001, 401_000].map((now) => failing.forgettable(now, settings))).toEqual([false, true]);
  });
});
