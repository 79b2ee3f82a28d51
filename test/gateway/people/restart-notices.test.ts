import { expect, test } from 'vitest';
import { RestartNotices } from '../../../src/gateway/people/restart-notices.js';

const turn = { messageId: 'm', acceptedAt: 999, attempt: 1, putBacks: 0 };

test.each([
  ['had waited', {}, false],
  ['a stop had cut off', { putBacks: 1 }, true],
  ['a crash had cut off', { attempt: 2 }, true],
  ['came since, and is tried again', { acceptedAt: 1_000, attempt: 2 }, false],
])('a turn that %s: %j, %s', (_what, changes, isDue) => {
  expect(new RestartNotices(1_000).isDue({ ...turn, ...changes })).toBe(isDue);
});

test('it is told once of each message', () => {
  const notices = new RestartNotices(1_000);
  const again = { ...turn, attempt: 2 };
  expect([again, again, { ...again, messageId: 'n' }].map((each) => notices.isDue(each))).toEqual([
    true,
    false,
    true,
  ]);
});
