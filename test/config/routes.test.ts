import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { loadConfiguration } from '../../src/config/load.js';
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

const echoed = (name: string) =>
  `agents.${name}: no [[route]] names it, and the built-in echo answers in its place. Call the table [agents.default], or add below it: [[route]] agent = "${name}"`;

test.each([
  ['[agents.desk]\ntype = "command"\ncommand = ["desk"]', [echoed('desk')]],
  ['[agent]\ntype = "echo"\n[agents.a]\n[agents.b]\n[[route]]\nagent = "b"', [echoed('a')]],
  ['[agents.default]\ntype = "command"\ncommand = ["desk"]', []],
  // For sessions that are given it by name.
  ['[agent]\ntype = "command"\ncommand = ["main"]\n[agents.other]', []],
])('agents that nothing leads to are warned of: %j', (text, warnings) => {
  const directory = mkdtempSync(join(tmpdir(), 'routes-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'sd-gateway.toml');
  writeFileSync(file, text);
  expect(loadConfiguration({ file, required: true, environment: {} }).warnings).toEqual(warnings);
});
