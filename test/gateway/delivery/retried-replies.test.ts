import { expect, it } from 'vitest';
import { RetryRegister } from '../../../src/gateway/delivery/retried-replies.js';

const failure = (error: string, retryAt = 1_000) => ({ error, retryAt });

it('tells of each destination whose replies are tried again, the one with the most attempts first', () => {
  const register = new RetryRegister();
  register.note({ messageId: 'a', attempt: 1 }, 'toy:ada', failure('late'), 100);
  register.note({ messageId: 'b', attempt: 4 }, 'https://b', failure('refused'), 200);
  register.note({ messageId: 'c', attempt: 7 }, 'https://b', failure('reset'), 300);
  register.note({ messageId: 'b', attempt: 5 }, 'https://b', failure('refused again'), 400);
  expect(register.facts(500)).toEqual([
    { origin: 'https://b', replies: 2, attempts: 7, since: 200, reason: 'refused again' },
    { origin: 'toy:ada', replies: 1, attempts: 1, since: 100, reason: 'late' },
  ]);
  register.forget('c');
  register.forget('a');
  expect(register.facts(500)).toMatchObject([{ origin: 'https://b', replies: 1, attempts: 5 }]);
});

it('forgets a reply that has no further attempt, and what is too much', () => {
  const register = new RetryRegister();
  register.note({ messageId: 'a', attempt: 1 }, 'https://a', failure('refused', 5_000), 0);
  expect(register.facts(3_605_000)).toHaveLength(1);
  expect(register.facts(3_605_001)).toEqual([]);
  for (let number = 0; number < 10_001; number++) {
    register.note({ messageId: `m${number}`, attempt: 1 }, `https://${number % 30}`, failure('refused'), 0);
  }
  const told = register.facts(0);
  expect(told).toHaveLength(20);
  expect(told.reduce((sum, { replies }) => sum + replies, 0)).toBeLessThan(10_000);
  expect(told.some(({ origin }) => origin === 'https://29')).toBe(false);
});
