import { expect, it } from 'vitest';
import {
  afterFailedStart,
  onAttempt,
  onInconclusive,
  slotsUnderHold,
} from '../../../src/gateway/dispatch/agent-hold.js';

it('doubles the wait with each attempt that fails, up to a minute', () => {
  let now = 0;
  let hold = afterFailedStart(null, 'ENOENT', now);
  const delays: number[] = [];
  for (let attempt = 0; attempt < 9; attempt++) {
    delays.push(hold.nextAttemptAt - now);
    now = hold.nextAttemptAt;
    hold = afterFailedStart(onAttempt(hold, now), 'EMFILE', now);
  }
  expect(delays).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  expect(hold).toMatchObject({ since: 0, reason: 'EMFILE', failures: 10 });
});

it('counts what failed together as one', () => {
  const hold = afterFailedStart(null, 'ENOENT', 5);
  expect(afterFailedStart(hold, 'ENOENT', 6)).toBe(hold);
  expect(afterFailedStart(onAttempt(hold, 7), 'ENOENT', 8)).toBe(hold);
});

it('lets one turn begin once its time has come, and none beside it', () => {
  const hold = afterFailedStart(null, 'ENOENT', 0);
  expect(slotsUnderHold(null, 8, 0)).toBe(8);
  expect(slotsUnderHold(hold, 8, 999)).toBe(0);
  expect(slotsUnderHold(hold, 8, 1_000)).toBe(1);
  expect(slotsUnderHold(hold, 0, 1_000)).toBe(0);
  const attempted = onAttempt(hold, 1_000);
  expect(slotsUnderHold(attempted, 8, 5_000)).toBe(0);
  expect(slotsUnderHold(onInconclusive(attempted), 8, 5_000)).toBe(1);
});
