import { describe, expect, test } from 'vitest';
import {
  type AcceptanceFacts,
  type AcceptanceRequest,
  decideAcceptance,
} from '../../../src/store/rules/acceptance.js';

const fingerprint = new Uint8Array([1, 2, 3]);
const session = { lastSeq: 4, unfinished: 1, policy: null };
const empty: AcceptanceFacts = {
  earlier: null,
  session: null,
  head: null,
  queued: 0,
  othersWait: false,
  poisonSuspectRuns: false,
};
const request: AcceptanceRequest = { fingerprint, limits: { session: 3, total: 10 }, wantsTurn: true };

const decide = (facts: Partial<AcceptanceFacts>, changes: Partial<AcceptanceRequest> = {}) =>
  decideAcceptance({ ...empty, ...facts }, { ...request, ...changes });

describe('a key that was used', () => {
  test.each([
    ['for the same', fingerprint, 'repeated'],
    ['for something else', new Uint8Array([1, 2, 4]), 'conflict'],
    ['for something that nobody knows any more', null, 'conflict'],
  ])('%s: %s', (_what, sent, outcome) => {
    const full = { queued: 10, session: { ...session, unfinished: 9 } };
    expect(decide({ ...full, earlier: { fingerprint } }, { fingerprint: sent })).toEqual({ outcome });
  });
});

describe('a limit', () => {
  test('counts what waits, and not the turn under way', () => {
    const three = { ...session, unfinished: 3 };
    expect(decide({ session: three, head: { isHeld: true } })).toMatchObject({ outcome: 'accepted' });
    expect(decide({ session: three, head: { isHeld: false } })).toEqual({
      outcome: 'full',
      limit: 'session',
      waiting: 3,
    });
  });

  test('of the whole store holds for every session', () => {
    expect(decide({ queued: 10 })).toEqual({ outcome: 'full', limit: 'total', waiting: 10 });
  });

  test('of a session does not keep a message from interrupting what fills it', () => {
    const full = { ...session, unfinished: 9, policy: 'interrupt' as const };
    expect(decide({ session: full, head: { isHeld: true } })).toMatchObject({ interrupts: true });
  });
});

describe('a message', () => {
  test('is the first of a session that is not there, and begins', () => {
    expect(decide({})).toEqual({
      outcome: 'accepted',
      seq: 1,
      interrupts: false,
      isHead: true,
      begins: true,
    });
  });

  test.each([
    ['nobody would run it', {}, { wantsTurn: false }],
    ['another session waits', { othersWait: true }, {}],
    ['a turn runs that must run alone', { poisonSuspectRuns: true }, {}],
  ] as const)('waits, as the first of its session, where %s', (_why, facts, changes) => {
    expect(decide({ session, ...facts }, changes)).toMatchObject({ seq: 5, isHead: true, begins: false });
  });

  test.each([true, false])('waits behind what its session has, under way or not: %s', (isHeld) => {
    expect(decide({ session, head: { isHeld } })).toMatchObject({ isHead: false, begins: false });
  });

  test.each([
    [null, 'interrupt', true],
    ['queue', 'interrupt', false],
    ['interrupt', 'queue', true],
    [null, undefined, false],
  ] as const)(
    'interrupts by the policy of its session, else by the default: %s, %s',
    (own, general, interrupts) => {
      const facts = { session: { ...session, policy: own }, head: { isHeld: false } };
      const limits = { ...request.limits, ...(general !== undefined && { policy: general }) };
      expect(decide(facts, { limits })).toMatchObject({ interrupts, isHead: interrupts, begins: interrupts });
    },
  );

  test('that interrupts a turn waits until that has ended', () => {
    const facts = { session: { ...session, policy: 'interrupt' as const }, head: { isHeld: true } };
    expect(decide(facts)).toMatchObject({ interrupts: true, isHead: false, begins: false });
  });
});
