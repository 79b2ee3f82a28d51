import { afterEach, beforeEach, expect, it } from 'vitest';
import { trySlack } from '../../../src/channels/slack/try-slack.js';
import { SlackStandIn } from '../../support/slack-stand-in.js';

let slack: SlackStandIn;
beforeEach(async () => {
  slack = await SlackStandIn.start();
});
afterEach(() => slack.close());

const attempt = (bot = slack.botToken, app: string | null = slack.appToken, root = slack.root) =>
  trySlack(root, { bot, app }, {}, new AbortController().signal);

it('knows the bot, and the scopes that it lacks', async () => {
  expect(await attempt()).toEqual({ kind: 'ok', user: 'stand_in', team: 'Stand-in', missing: null });
  slack.scopes.delete('files:write');
  slack.scopes.delete('users:read');
  expect(await attempt(slack.botToken, null)).toMatchObject({
    missing: 'users:read (people have no names), files:write (no file can be sent)',
  });
  expect(slack.calls.map(({ method }) => method)).toEqual([
    'auth.test',
    'apps.connections.open',
    'auth.test',
  ]);
  expect(slack.mistakes).toEqual([]);
});

it('says what is wrong with which token, and repeats none', async () => {
  const told = [
    await attempt(`${slack.botToken}x`),
    await attempt(slack.botToken, `${slack.appToken}x`),
    await attempt(slack.appToken),
    await attempt(slack.botToken, slack.botToken),
    await attempt(slack.botToken, null, 'http://127.0.0.1:9/api'),
  ];
  expect(told).toEqual(
    (
      [
        ['bot', 'Slack does not take the token in its file (invalid_auth)'],
        ['app', 'Slack does not take the token in the file of the app (invalid_auth)'],
        ['bot', 'begins with "xoxb-"'],
        ['app', 'begins with "xapp-"'],
        ['bot', 'The gateway has to reach http://127.0.0.1:9/api'],
      ] as const
    ).map(([token, reason]) => ({ kind: 'problem', token, reason: expect.stringContaining(reason) })),
  );
  for (const token of [slack.botToken, slack.appToken]) expect(JSON.stringify(told)).not.toContain(token);
});
