import { describe, expect, test } from 'vitest';
import { type RouteRule, routeFor } from '../../src/config/route-table.js';

const rules: readonly RouteRule[] = [
  { session: 'tg:1', agent: 'one' },
  { channel: 'tg', sender: 'bob', agent: 'bobs' },
  { channel: 'tg', prefix: 'tg:-', agent: 'groups' },
  { prefix: 'build', agent: 'builds' },
];

describe('the route of a message', () => {
  test.each([
    ['tg', 'bob', 'tg:1', 'one'],
    ['tg', 'bob', 'tg:-5', 'bobs'],
    ['tg', 'alice', 'tg:-5', 'groups'],
    ['tg', null, 'tg:2', null],
    ['http', 'bob', 'tg:-5', null],
    ['http', null, 'builder', 'builds'],
    ['http', null, 'rebuild', null],
  ])('by %s from %s in %s is %s', (channel, sender, session, agent) => {
    expect(routeFor(rules, { channel, sender, session })?.agent ?? null).toBe(agent);
  });

  test('a rule without a condition takes every message', () => {
    const any = { agent: 'any' };
    expect(routeFor([any], { channel: 'http', sender: null, session: 'x' })).toBe(any);
  });
});
