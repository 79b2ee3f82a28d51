import { expect, test } from 'vitest';
import { TurnTimer } from '../../../src/gateway/dispatch/turn-timer.js';
import { ManualClock } from './fixture.js';

test('the time of a turn stands still while it waits', () => {
  const clock = new ManualClock();
  let ended = 0;
  const timer = new TurnTimer(clock, 1_000, () => {
    ended += 1;
  });
  clock.advance(400);
  timer.pause();
  timer.pause();
  clock.advance(5_000);
  timer.goOn();
  clock.advance(599);
  expect(ended).toBe(0);
  clock.advance(1);
  expect(ended).toBe(1);
  timer.cancel();
  expect(clock.timers).toBe(0);
});
