import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Place } from './foreground.js';

let place: Place;
beforeAll(() => {
  place = new Place();
});
afterAll(() => place.remove());

it('starts no program of an agent', async () => {
  const file = join(place.directory, 'started');
  const { status, stderr } = await place.run(['check-config'], {
    SD_GATEWAY_AGENT_TYPE: 'acp',
    SD_GATEWAY_AGENT_COMMAND: JSON.stringify(['/bin/sh', '-c', `touch ${file}`]),
  });
  expect([status, stderr]).toEqual([0, '']);
  expect(existsSync(file)).toBe(false);
});

it('warns of a program that can’t be executed', async () => {
  const file = join(place.directory, 'agent');
  writeFileSync(file, '#!/bin/sh\n', { mode: 0o644 });
  const { status, stderr } = await place.run(['check-config'], { SD_GATEWAY_AGENT_COMMAND: file });
  expect(status).toBe(0);
  expect(stderr).toContain(`agents.default: this user, who runs the gateway, can’t execute ${file}`);
});

it('warns of an agent that can’t be reached, in JSON too', async () => {
  const environment = { SD_GATEWAY_AGENT_TYPE: 'http', SD_GATEWAY_AGENT_URL: 'http://127.0.0.1:9/turns' };
  const { status, stderr, stdout } = await place.run(['check-config', '--json'], environment);
  expect(status).toBe(0);
  const warning = /agents\.default: http:\/\/127\.0\.0\.1:9 can’t be reached: .*ECONNREFUSED/;
  expect(stderr).toMatch(warning);
  expect(JSON.parse(stdout)).toMatchObject({ valid: true, warnings: [expect.stringMatching(warning)] });
});

it('warns of a channel whose program is not there, and of one that nobody may write to', async () => {
  const file = join(place.directory, 'channels.toml');
  writeFileSync(join(place.directory, 'texts.toml'), 'stoped = "Angehalten."\n');
  writeFileSync(
    file,
    `[channels.irc]
type = "command"
command = ["/nonexistent/irc"]
token_file = "/nonexistent/token"
allow = ["ada"]

[channels.closed]
type = "command"
command = ["sh"]
pairing = false

[channels.open]
type = "command"
command = ["sh"]
texts = "${join(place.directory, 'texts.toml')}"
`,
  );
  const { status, stderr } = await place.run(['check-config', '--config', file]);
  expect(stderr.trim().split('\n')).toEqual([
    expect.stringContaining('channels.irc: /nonexistent/token (token_file) is not there'),
    expect.stringContaining('channels.irc: the program /nonexistent/irc is not there'),
    expect.stringContaining('channels.closed: nobody may write to it'),
    expect.stringMatching(/channels\.open: the texts in .*texts\.toml can't be used: .*"stoped" is no text/),
  ]);
  expect(status).toBe(0);
});

it('shows the address of a webhook to give to the platform', async () => {
  const file = join(place.directory, 'webhooks.toml');
  const secret = join(place.directory, 'github.secret');
  writeFileSync(secret, 'x', { mode: 0o600 });
  const table = `[channels.github]\ntype = "webhook"\nscheme = "github"\ntoken_file = "${secret}"\n`;
  writeFileSync(file, `${table}[http]\npublic_url = "https://example.org/sd"\n`);
  const shown = await place.run(['check-config', '--config', file]);
  expect([shown.status, shown.stderr]).toEqual([0, '']);
  const url = 'https://example.org/sd/hooks/github';
  expect(shown.stdout).toContain(`\n# The platform of channels.github sends its requests to ${url}\n`);
  const asJson = await place.run(['check-config', '--config', file, '--json']);
  expect(JSON.parse(asJson.stdout)).toMatchObject({ hooks: [{ channel: 'github', url }] });

  writeFileSync(file, table);
  const unknown = await place.run(['check-config', '--config', file]);
  expect(unknown.stderr).toContain('channels.github: the platform sends its requests to /hooks/github below');
});
