import { afterEach, beforeEach, expect, it } from 'vitest';
import { tryDiscord } from '../../../src/channels/discord/try-discord.js';
import { DiscordStandIn } from '../../support/discord-stand-in.js';

let discord: DiscordStandIn;
beforeEach(async () => {
  discord = await DiscordStandIn.start();
});
afterEach(() => discord.close());

const attempt = (token = discord.token, root = discord.root) =>
  tryDiscord(root, token, {}, new AbortController().signal);

it.each([
  [1 << 18, true],
  [1 << 19, true],
  [1 << 14, false],
])('knows the bot, and if it may read all messages, by the flags %i', async (flags, mayReadAll) => {
  discord.flags = flags;
  expect(await attempt()).toEqual({ kind: 'ok', username: 'stand-in', mayReadAll });
  expect(discord.calls.map(({ route }) => route)).toEqual(['GET users', 'GET applications']);
  expect(discord.mistakes).toEqual([]);
});

it('does without what Discord does not say', async () => {
  discord.next('GET applications', { kind: 'raw', status: 500, body: '' });
  expect(await attempt()).toMatchObject({ kind: 'ok', mayReadAll: null });
});

it('says what is wrong, and repeats no token', async () => {
  const other = discord.token.replace('Gstand', 'Gother');
  const told = [
    await attempt(other),
    await attempt('a word'),
    await attempt(discord.token, 'http://127.0.0.1:9/api'),
  ];
  discord.next('GET users', { kind: 'raw', status: 200, body: '[]' });
  told.push(await attempt());
  expect(told).toEqual(
    [
      "Discord does not know the bot's token (401",
      'this is no token of a bot',
      'The gateway has to reach http://127.0.0.1:9/api',
      'it may be no API of Discord',
    ].map((reason) => ({ kind: 'problem', reason: expect.stringContaining(reason) })),
  );
  for (const token of [other, discord.token]) expect(JSON.stringify(told)).not.toContain(token);
});
