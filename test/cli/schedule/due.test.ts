import { describe, expect, it } from 'vitest';
import { elapsesIn } from '../../../src/cli/schedule/calendar.js';
import { type Elapses, type Moment, type Progress, withDue } from '../../../src/cli/schedule/due.js';

/** A calendar of every tenth second. */
const tens: Elapses = {
  between: async (from, until) => {
    const first = Math.floor(from / 10) * 10 + 10;
    return Array.from(
      { length: Math.max(0, Math.floor((until - first) / 10) + 1) },
      (_, at) => first + at * 10,
    );
  },
  newest: async (from, until) => {
    const newest = Math.floor(until / 10) * 10;
    return newest > from ? newest : null;
  },
};

describe('the elapses that are due', () => {
  it.each<[string, Progress, Moment, Progress]>([
    [
      'one that has just come',
      { last: 100, pending: [] },
      { now: 110, startedAt: 110, bootedAt: 0 },
      { last: 110, pending: [110] },
    ],
    [
      'none',
      { last: 110, pending: [] },
      { now: 113, startedAt: 113, bootedAt: 0 },
      { last: 110, pending: [] },
    ],
    [
      'one for all that passed while the machine was off or asleep',
      { last: 100, pending: [] },
      { now: 195, startedAt: 195, bootedAt: 150 },
      { last: 190, pending: [190] },
    ],
    [
      'each that passed since the timer started the service',
      { last: 100, pending: [] },
      { now: 135, startedAt: 110, bootedAt: 0 },
      { last: 130, pending: [110, 120, 130] },
    ],
    [
      'each that passed while others wait for the gateway',
      { last: 110, pending: [110] },
      { now: 145, startedAt: 145, bootedAt: 0 },
      { last: 140, pending: [110, 120, 130, 140] },
    ],
    [
      'of a restart of the machine: those that wait, one of the time off, each since the boot',
      { last: 110, pending: [100, 110] },
      { now: 192, startedAt: 192, bootedAt: 175 },
      { last: 190, pending: [100, 110, 170, 180, 190] },
    ],
    [
      'one though the clock was set back',
      { last: 5_000, pending: [] },
      { now: 200, startedAt: 200, bootedAt: 0 },
      { last: 200, pending: [200] },
    ],
  ])('%s', async (_what, before, moment, after) => {
    expect(await withDue(before, tens, moment)).toEqual(after);
  });
});

it('reads the times that systemd-analyze prints, in UTC and elsewhere', () => {
  const utc = `  Original form: Mon..Fri 08:00
Normalized form: Mon..Fri *-*-* 08:00:00
    Next elapse: Mon 2025-12-01 08:00:00 UTC
       From now: 11 months 30 days ago
       Iter. #2: Tue 2025-12-02 08:00:00 UTC
       From now: 11 months 29 days ago
`;
  const berlin = `    Next elapse: Mon 2025-12-01 09:00:00 CET
       (in UTC): Mon 2025-12-01 08:00:00 UTC
       From now: 11 months 30 days ago
   Iteration #2: Tue 2025-12-02 09:00:00 CET
       (in UTC): Tue 2025-12-02 08:00:00 UTC
`;
  const times = ['2025-12-01T08:00:00Z', '2025-12-02T08:00:00Z'].map((time) => Date.parse(time) / 1_000);
  expect(elapsesIn(utc)).toEqual(times);
  expect(elapsesIn(berlin)).toEqual(times);
  expect(elapsesIn('    Next elapse: never\n')).toEqual([]);
});
