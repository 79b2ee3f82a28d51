import { expect, it } from 'vitest';
import { DoubtfulSends } from '../../src/channels/doubtful-sends.js';
import { retryLater } from '../../src/channels/send-failures.js';

it('a send stays in doubt until it is settled', () => {
  const sends = new DoubtfulSends();
  sends.note('a', retryLater('no connection'));
  expect(sends.has('a')).toBe(false);
  sends.note('a', retryLater('no answer', { inDoubt: true }));
  sends.note('a', retryLater('no connection'));
  expect(sends.has('a')).toBe(true);
  sends.note('b', { kind: 'aborted', inDoubt: true });
  expect(sends.has('b')).toBe(true);
  sends.note('a', { kind: 'delivered', receipt: null });
  expect(sends.has('a')).toBe(false);
});

it('the oldest are forgotten first', () => {
  const sends = new DoubtfulSends();
  for (let index = 0; index <= 1_000; index += 1) sends.note(`${index}`, { kind: 'aborted', inDoubt: true });
  expect([sends.has('0'), sends.has('1'), sends.has('1000')]).toEqual([false, true, true]);
});
