import { expect, test } from 'vitest';
import { agentConcurrency } from '../../../src/gateway/dispatch/agent-loads.js';

test.each([
  { own: null, agents: 1, concurrency: 8, expected: 8 },
  { own: null, agents: 2, concurrency: 8, expected: 4 },
  { own: null, agents: 5, concurrency: 1, expected: 1 },
  { own: 6, agents: 5, concurrency: 8, expected: 6 },
  { own: 2, agents: 1, concurrency: 8, expected: 2 },
])('of $agents agents, one with $own of its own has $expected of $concurrency', (of) => {
  expect(agentConcurrency(of.own, of.agents, of.concurrency)).toBe(of.expected);
});
