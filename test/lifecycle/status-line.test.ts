import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type StatusFacts, statusDueIn, statusLine } from '../../src/lifecycle/status-line.js';
import { stopRequest } from '../../src/lifecycle/stop-cause.js';

const work = { sessions: 4, running: 2, waiting: 7, delivered: 812, failed: 0, undelivered: 0 };
const ready = {
  state: 'ready',
  readyFor: 0,
  work,
  stalled: [],
  trouble: null,
  connectionsAtBound: null,
  reloadRefused: null,
} as const satisfies StatusFacts;
const stop = stopRequest('planned-stop', 'control-socket', null);
const stopText = 'stop asked for through the control socket';
const draining = { state: 'draining', stop, running: 0, sending: 0, elapsed: 12_900, limit: 30_000 } as const;

describe('the status line', () => {
  it.each<[StatusFacts, string]>([
    [{ state: 'starting', step: 'opening the store' }, 'Starting: opening the store'],
    [ready, 'Ready: 4 sessions, 2 running, 7 waiting, 812 answered, 0 failed'],
    [
      { ...ready, readyFor: 192_000, work: { ...work, sessions: 1, undelivered: 3 } },
      'Ready for 3min: 1 session, 2 running, 7 waiting, 812 answered, 0 failed, 3 to deliver',
    ],
    [
      { ...ready, readyFor: 7_200_000, stalled: ['store', 'dispatcher'] },
      'Ready for 2h: 4 sessions, 2 running, 7 waiting, 812 answered, 0 failed; no progress in: store, dispatcher',
    ],
    [
      { ...ready, readyFor: 3 * 86_400_000, trouble: 'the disk is full', reloadRefused: 'line 3' },
      'Ready for 3d: 4 sessions, 2 running, 7 waiting, 812 answered, 0 failed; the disk is full; reload refused: line 3',
    ],
    [
      { ...ready, trouble: 'the disk is full', connectionsAtBound: 824 },
      'Ready: 4 sessions, 2 running, 7 waiting, 812 answered, 0 failed; the disk is full; connections are at their bound of 824',
    ],
    [{ state: 'reloading' }, 'Reloading the configuration'],
    [{ ...draining, running: 1 }, `Stopping (${stopText}): waiting for 1 running turn, 12s of 30s`],
    [
      { ...draining, running: 2, sending: 2 },
      `Stopping (${stopText}): waiting for 2 running turns and 2 deliveries, 12s of 30s`,
    ],
    [{ ...draining, sending: 1 }, `Stopping (${stopText}): waiting for 1 delivery, 12s of 30s`],
    [draining, `Stopping (${stopText}): nothing left to wait for, 12s of 30s`],
    [{ state: 'closing', stop }, `Stopping (${stopText}): closing the store`],
    [
      { state: 'stopped', stop, elapsed: 61_000, putBack: 0, dead: 0 },
      `Stopped (${stopText}) in 1min 1s; nothing was left over`,
    ],
    [
      { state: 'stopped', stop, elapsed: 0, putBack: 1, dead: 0 },
      `Stopped (${stopText}) in 0s; 1 turn put back`,
    ],
    [
      { state: 'stopped', stop, elapsed: 0, putBack: 1, dead: 2 },
      `Stopped (${stopText}) in 0s; 1 turn put back, 2 messages dead`,
    ],
    [
      { state: 'stopped', stop, elapsed: 0, putBack: 0, dead: 1 },
      `Stopped (${stopText}) in 0s; 1 message dead`,
    ],
    [{ state: 'failed', reason: 'the port is taken' }, 'Failed: the port is taken'],
  ])('%#', (facts, line) => {
    expect(statusLine(facts)).toBe(line);
  });
});

describe('how often the status is sent', () => {
  it('at once for the first, never for the same, and no sooner than a second after the last', () => {
    expect(statusDueIn(null, 'a', 5)).toBe(0);
    expect(statusDueIn({ text: 'a', at: 0 }, 'a', 10_000)).toBeNull();
    expect(statusDueIn({ text: 'a', at: 1_000 }, 'b', 1_400)).toBe(600);
    expect(statusDueIn({ text: 'a', at: 1_000 }, 'b', 2_000)).toBe(0);
  });

  it('so never more than one a second, whatever changes', () => {
    const change = fc.record({
      after: fc.integer({ min: 0, max: 700 }),
      text: fc.constantFrom('a', 'b', 'c'),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 50 }), (changes) => {
        let last: { text: string; at: number } | null = null;
        let now = 0;
        const sent: number[] = [];
        for (const { after, text } of changes) {
          now += after;
          if (statusDueIn(last, text, now) !== 0) continue;
          last = { text, at: now };
          sent.push(now);
        }
        for (const [index, at] of sent.entries()) {
          if (index > 0) expect(at - (sent[index - 1] ?? 0)).toBeGreaterThanOrEqual(1_000);
        }
      }),
    );
  });
});
