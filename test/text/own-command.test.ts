import { afterEach, expect, test } from 'vitest';
import { commands } from '../../src/cli/usage.js';
import {
  commandLine,
  type GatewayOptions,
  gatewayOptionsOf,
  nameOwnGateway,
  ownCommand,
} from '../../src/text/own-command.js';

afterEach(() => nameOwnGateway({}));

const all: GatewayOptions = {
  scope: 'system',
  instance: 't2',
  config: '/etc/my gateway.toml',
  url: 'unix:/run/x.sock',
};

test.each([
  ['show ID', {}, 'sd-gateway show ID'],
  ['show ID', { instance: 't2' }, 'sd-gateway show ID --instance t2'],
  ['dead', { scope: 'user', instance: null }, 'sd-gateway dead --user'],
  ['cancel ID', { config: "/srv/it's.toml" }, "sd-gateway cancel ID --config '/srv/it'\\''s.toml'"],
  ['token show', { url: 'http://127.0.0.1:1' }, 'sd-gateway token show --url http://127.0.0.1:1'],
  [
    'messages cli',
    all,
    "sd-gateway messages cli --system --instance t2 --config '/etc/my gateway.toml' --url unix:/run/x.sock",
  ],
  ['doctor', all, "sd-gateway doctor --system --instance t2 --config '/etc/my gateway.toml'"],
  ['check-config', all, "sd-gateway check-config --system --instance t2 --config '/etc/my gateway.toml'"],
  ['run', all, "sd-gateway run --instance t2 --config '/etc/my gateway.toml'"],
  ['install --dry-run', all, 'sd-gateway install --dry-run --system --instance t2'],
] as const)('%s for a gateway named by %j: %s', (words, options, line) => {
  expect(commandLine(words, options)).toBe(line);
  nameOwnGateway(options);
  expect(ownCommand(words)).toBe(line);
});

const aboutGateways = commands.filter(({ options }) => options.some(({ name }) => name === 'instance'));

test.each(aboutGateways)('$name takes the options that it is written with', ({ name, options }) => {
  const taken = options.map((option) => option.name);
  const given = gatewayOptionsOf(name).map((option) => (option === 'scope' ? 'system' : option));
  expect(given.filter((option) => !taken.includes(option))).toEqual([]);
});
