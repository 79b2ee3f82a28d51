import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest';
import { channelTables } from '../../../src/config/channel-table.js';
import { gatherPlatforms } from '../../../src/doctor/facts/platforms.js';
import { DiscordStandIn } from '../../support/discord-stand-in.js';
import { SlackStandIn } from '../../support/slack-stand-in.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sd-gateway-platforms-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function put(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

const gather = (tables: object) => gatherPlatforms(channelTables.parse(tables), {});

it('asks Slack for the scopes, and tells nobody the token of the app', async () => {
  const slack = await SlackStandIn.start();
  onTestFinished(() => slack.close());
  const tokens = { token_file: put('bot', slack.botToken), app_token_file: '/nonexistent' };
  const table = { type: 'slack', api_root: slack.root, ...tokens };
  expect(await gather({ team: table })).toEqual([{ name: 'team', lacks: null }]);
  slack.scopes.delete('files:read');
  expect(await gather({ team: table })).toEqual([
    { name: 'team', lacks: { kind: 'scopes', scopes: 'files:read (files of people are missing)' } },
  ]);
  expect(slack.calls.map(({ method }) => method)).toEqual(['auth.test', 'auth.test']);
  slack.isKnown = false;
  expect(await gather({ team: table })).toEqual([
    { name: 'team', untold: expect.stringContaining('invalid_auth') },
  ]);
});

it.each([
  [{}, null],
  [{ message_content: true }, { kind: 'message-content' }],
  [{ groups: 'all' }, { kind: 'message-content' }],
])('asks Discord for the intent, which %j needs or not', async (settings, lacks) => {
  const discord = await DiscordStandIn.start();
  onTestFinished(() => discord.close());
  discord.flags = 0;
  const table = {
    type: 'discord',
    api_root: discord.root,
    token_file: put('bot', discord.token),
    ...settings,
  };
  expect(await gather({ team: table })).toEqual([{ name: 'team', lacks }]);
  discord.flags = 1 << 18;
  expect(await gather({ team: table })).toEqual([{ name: 'team', lacks: null }]);
});

it('asks nobody without the token, and nobody else', async () => {
  const told = await gather({
    gone: { type: 'discord', token_file: '/nonexistent/token' },
    credential: { type: 'discord', token_credential: 'token' },
    telegram: { type: 'telegram', token_file: '/nonexistent/token' },
  });
  expect(told).toEqual([
    { name: 'gone', untold: expect.stringContaining('/nonexistent/token') },
    { name: 'credential', untold: expect.stringContaining('a credential of the unit') },
  ]);
});
