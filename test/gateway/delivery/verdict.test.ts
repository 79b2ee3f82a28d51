import { describe, expect, test } from 'vitest';
import {
  judgeAge,
  judgeFailure,
  postponed,
  type VerdictSettings,
} from '../../../src/gateway/delivery/verdict.js';

const settings: VerdictSettings = {
  max_attempts: 3,
  retry_delay: 1_000,
  retry_delay_limit: 60_000,
  expire: 3_600_000,
  unknown: 'ask',
};
const target = { channel: 'webhook', address: 'https://receiver.example/', options: {} };
const delivery = { target, dueSince: 0, attempt: 1, idempotent: true, unknownPolicy: null };
const retry = {
  kind: 'retry',
  reason: 'HTTP 500',
  retryAfterMilliseconds: null,
  pausesHost: false,
  isRefusal: false,
  peer: 'failing',
  inDoubt: false,
} as const;
const half = () => 0.5;

describe('age', () => {
  test.each([
    [3_599_999, 3_600_000, null],
    [3_600_000, 3_600_000, 'it was not delivered within 1h (delivery.expire) and is not sent late'],
    [1e15, 0, null],
  ])('at %i with expire %i: %s', (now, expire, error) => {
    expect(judgeAge(delivery, now, { ...settings, expire })?.error ?? null).toBe(error);
  });

  test.each([
    [5_000, 3_600_000, 5_000],
    [9_999_999, 3_600_000, 3_600_000],
    [9_999_999, 0, 9_999_999],
  ])('put off until %i with expire %i: %i', (until, expire, retryAt) => {
    expect(postponed(delivery, until, { ...settings, expire })).toEqual({
      error: null,
      retryAt,
      attempted: false,
      unknown: false,
    });
  });
});

describe('failures', () => {
  test('the reason has a bound, whatever the receiver has written', () => {
    const outcome = { ...retry, reason: 'x'.repeat(1_000_000) };
    const facts = { schedule: [1_000], refusedSince: 0, random: half };
    const { error } = judgeFailure(delivery, outcome, 0, settings, facts);
    expect(error).toBe(`${'x'.repeat(2_000)}…`);
  });

  test.each([
    ['is tried again', {}, {}, { retryAt: 10_500, error: /^HTTP 500$/ }],
    ['the last attempt', { attempt: 3 }, {}, { retryAt: null, error: /attempt 3 was the last/ }],
    ['Retry-After', {}, { retryAfterMilliseconds: 7_000 }, { retryAt: 17_500, error: /HTTP 500/ }],
    ['beyond its expiry', {}, { retryAfterMilliseconds: 7_200_000 }, { retryAt: null, error: /after 1h/ }],
    ['unknown, with the key', {}, { inDoubt: true }, { retryAt: 10_500, error: /^HTTP 500$/ }],
    [
      'unknown, without',
      { idempotent: false },
      { inDoubt: true },
      { retryAt: null, error: /is unknown.*"ask"/ },
    ],
    [
      'unknown, without, and the target has it sent again',
      { idempotent: false, unknownPolicy: 'resend' },
      { inDoubt: true },
      { retryAt: 10_500, error: /is unknown.*sent again \(reply_to\.unknown is "resend"\)$/ },
    ],
    [
      'unknown, without, and the target gives it up',
      { idempotent: false, unknownPolicy: 'drop' },
      { inDoubt: true },
      { retryAt: null, error: /is unknown.*not sent again \(reply_to\.unknown is "drop"\)$/ },
    ],
    [
      'unknown, without, and the channel gives it up',
      {
        target: { channel: 'irc', address: '#dev', options: {} },
        idempotent: false,
        unknownPolicy: 'drop',
      },
      { inDoubt: true },
      { retryAt: null, error: /is unknown.*not sent again \(channels\.irc\.unknown is "drop"\)$/ },
    ],
    ['known, without', { idempotent: false }, {}, { retryAt: 10_500, error: /^HTTP 500$/ }],
    [
      'known, without, whatever the target says',
      { idempotent: false, unknownPolicy: 'drop' },
      {},
      { retryAt: 10_500, error: /^HTTP 500$/ },
    ],
  ] as const)('%s', (_name, of, outcome, expected) => {
    const facts = { schedule: [], refusedSince: 10_000, random: half };
    const verdict = judgeFailure({ ...delivery, ...of }, { ...retry, ...outcome }, 10_000, settings, facts);
    expect(verdict.retryAt).toBe(expected.retryAt);
    expect(verdict.error).toMatch(expected.error);
    expect(verdict.attempted).toBe(true);
  });
});

describe('a refusal that may pass', () => {
  const unset = { max_attempts: null, retry_delay: null, retry_delay_limit: null };
  const settings: VerdictSettings = { ...unset, expire: 0, unknown: 'ask' };
  const minutes = (count: number) => count * 60_000;
  test.each([
    ['is tried again as the schedule says', minutes(0), { retryAt: minutes(5), error: /^HTTP 404$/ }],
    [
      'has its last attempt at the end of its time',
      minutes(14),
      { retryAt: minutes(15), error: /^HTTP 404$/ },
    ],
    ['is dead then', minutes(15), { retryAt: null, error: /^HTTP 404, for 15min by now$/ }],
    ['is dead after it', minutes(99), { retryAt: null, error: /for 15min/ }],
  ])('%s', (_name, now, expected) => {
    const outcome = { ...retry, reason: 'HTTP 404', isRefusal: true };
    const facts = { schedule: [minutes(5)], refusedSince: 0, random: () => 0 };
    const verdict = judgeFailure(delivery, outcome, now, settings, facts);
    expect(verdict.retryAt).toBe(expected.retryAt);
    expect(verdict.error).toMatch(expected.error);
  });
});
