// biome-ignore-all lint/suspicious/noTemplateCurlyInString: files have such references to variables
import { expect, it } from 'vitest';
import { takeOpenClaw } from '../../../src/cli/import/openclaw.js';
import { sourceWith, tokens } from './tree.js';

function taken(json5: string, others: Readonly<Record<string, string>> = {}) {
  const { channels, left } = takeOpenClaw(sourceWith({ 'openclaw.json': json5, ...others }));
  return { channels, left: Object.fromEntries(left.map(({ key, reason }) => [key, reason])) };
}

/** The table of a bot of Telegram with these settings. */
function telegram(settings: object, whole: object = {}, others: Readonly<Record<string, string>> = {}) {
  const channels = { telegram: { botToken: tokens.telegram, ...settings } };
  return taken(JSON.stringify({ channels, ...whole }), others);
}

it('takes all channels of a directory as it usually is', () => {
  const { channels, left } = taken(
    `{
      // Comments, and commas at the end.
      gateway: { port: 18789, auth: { token: "gateway-secret" } },
      agents: { defaults: { model: { primary: "anthropic/claude" } } },
      cron: { enabled: true },
      commands: { ownerAllowFrom: ["telegram:42", "discord:284102345871466496", "U012ABC"] },
      channels: {
        defaults: { groupPolicy: "open" },
        telegram: { botToken: "\${BOT}", dmPolicy: "pairing", allowFrom: ["tg:43"], groups: { "*": { requireMention: true } } },
        discord: { token: "${tokens.discord}", dm: { policy: "allowlist", allowFrom: ["284102345871466497"] } },
        slack: { mode: "http", botToken: "${tokens.slackBot}", signingSecret: "${tokens.slackSigning}", streaming: "partial" },
        whatsapp: { allowFrom: ["+15555550123"] },
      },
    }`,
    {
      '.env': `BOT=${tokens.telegram}\n`,
      'credentials/telegram-default-allowFrom.json': '{"version": 1, "allowFrom": ["99"]}',
      'credentials/telegram-allowFrom.json': '{"version": 1, "allowFrom": ["98", "42"]}',
      'credentials/telegram-pairing.json': '{"version": 1, "requests": [{"id": "666", "code": "ABCDEFGH"}]}',
      'state/openclaw.sqlite': '',
    },
  );
  expect(channels).toEqual([
    {
      name: 'telegram',
      values: { type: 'telegram', allow: ['43', '99', '98'], owners: ['42'] },
      secrets: [{ key: 'token_file', text: tokens.telegram }],
    },
    {
      name: 'discord',
      values: {
        type: 'discord',
        allow: ['284102345871466497'],
        owners: ['284102345871466496'],
        pairing: false,
      },
      secrets: [{ key: 'token_file', text: tokens.discord }],
    },
    {
      name: 'slack',
      values: { type: 'slack', mode: 'events', owners: ['U012ABC'] },
      secrets: [
        { key: 'token_file', text: tokens.slackBot },
        { key: 'signing_secret_file', text: tokens.slackSigning },
      ],
    },
  ]);
  expect(left).toMatchObject({
    'channels.whatsapp': expect.stringContaining('no such channel'),
    'channels.slack.streaming': 'there is no such setting here',
    'channels.telegram.groups': expect.stringContaining('no list of groups'),
    agents: expect.stringContaining('the agent’s'),
    cron: expect.stringContaining('timer of systemd'),
    gateway: 'there is no such setting here',
  });
});

it.each<[what: string, settings: object, whole: object, values: object]>([
  ['nobody, and no groups', {}, {}, { groups: 'none' }],
  [
    'everybody',
    { dmPolicy: 'open', allowFrom: ['*', 42] },
    {},
    { allow: ['*', '42'], pairing: false, groups: 'none' },
  ],
  ['no "*" without that policy', { allowFrom: ['*'] }, {}, { groups: 'none' }],
  [
    'nobody where private messages are off',
    { dmPolicy: 'disabled', allowFrom: [42] },
    {},
    { pairing: false, groups: 'none' },
  ],
  ['groups with a mention', { groupPolicy: 'open' }, {}, {}],
  ['groups without one', { groups: { '*': { requireMention: false } } }, {}, { groups: 'all' }],
  ['no groups', { groupPolicy: 'disabled', groups: { '*': {} } }, {}, { groups: 'none' }],
  [
    'the members of a group of people',
    { groupPolicy: 'open', allowFrom: ['accessGroup:us'] },
    {
      accessGroups: { us: { type: 'message.senders', members: { telegram: ['42'], discord: ['1234567'] } } },
    },
    { allow: ['42'] },
  ],
  [
    'an own server',
    { groupPolicy: 'open', apiRoot: 'http://127.0.0.1:8081' },
    {},
    { api_root: 'http://127.0.0.1:8081' },
  ],
])('takes %s', (_what, settings, whole, values) => {
  expect(telegram(settings, whole).channels[0]?.values).toEqual({ type: 'telegram', ...values });
});

it('makes a channel of each account, with the settings of all under its own', () => {
  const accounts = {
    default: {},
    'Alerts Bot': { botToken: tokens.other, allowFrom: ['*', '43'], dmPolicy: 'open' },
    off: { enabled: false },
  };
  const { channels, left } = telegram(
    { allowFrom: ['42'], groupPolicy: 'open', accounts },
    {},
    {
      'credentials/telegram-alerts bot-allowFrom.json': '{"allowFrom": ["1"]}',
    },
  );
  expect(channels).toMatchObject([
    { name: 'telegram', values: { allow: ['42'] }, secrets: [{ text: tokens.telegram }] },
    // The list of all accounts does not let everybody write.
    { name: 'telegram-alerts-bot', values: { allow: ['43'] }, secrets: [{ text: tokens.other }] },
  ]);
  expect(left['channels.telegram.accounts.off']).toBe('it is switched off there');
});

it.each<[what: string, token: unknown, whole: object, others: Readonly<Record<string, string>>]>([
  ['a text', tokens.telegram, {}, {}],
  ['a variable', '${BOT}', {}, { '.env': `BOT=${tokens.telegram}` }],
  ['a variable in short', '$BOT', {}, { '.env': `BOT=${tokens.telegram}` }],
  ['a variable of the configuration', '$BOT', { env: { vars: { BOT: tokens.telegram } } }, {}],
  [
    'a reference to a variable',
    { source: 'env', provider: 'default', id: 'BOT' },
    {},
    { '.env': `BOT=${tokens.telegram}` },
  ],
  ['nothing but the usual variable', undefined, {}, { '.env': `TELEGRAM_BOT_TOKEN=${tokens.telegram}` }],
])('finds a token in %s', (_what, botToken, whole, others) => {
  const { channels } = telegram({ botToken }, whole, others);
  expect(channels[0]?.secrets).toEqual([{ key: 'token_file', text: tokens.telegram }]);
});

it('finds a token in the file of a provider, and of the channel itself', () => {
  const source = sourceWith({
    'openclaw.json': '{}',
    'secrets.json': JSON.stringify({ 'a/b': { c: tokens.telegram } }),
    token: `${tokens.other}\n`,
  });
  const providers = { main: { source: 'file', path: `${source.path}/secrets.json` } };
  const found = telegram(
    {
      botToken: { source: 'file', provider: 'main', id: '/a~1b/c' },
      accounts: { default: {}, other: { tokenFile: `${source.path}/token` } },
    },
    { secrets: { providers } },
  );
  expect(found.channels.map(({ secrets }) => secrets[0]?.text)).toEqual([tokens.telegram, tokens.other]);
});

it.each<[what: string, settings: object, reason: string]>([
  [
    'what a program prints',
    { botToken: { source: 'exec', provider: 'vault', id: 'x' } },
    'nothing of the other gateway is run',
  ],
  ['a reference of another kind', { botToken: { source: 'keychain' } }, 'of a kind that is not known here'],
  ['a variable that is not there', { botToken: '${HOME}' }, 'refers to ${HOME}, which .env does not have'],
  ['a command', { botToken: '$(id)' }, 'its token is not what the platform gives'],
  ['a file that is not there', { tokenFile: '/nonexistent/token' }, '/nonexistent/token is not there'],
  ['in the place of its file', { tokenFile: tokens.telegram }, 'not named by an absolute path'],
  ['a file that is none', { tokenFile: '/dev/zero' }, 'is a device, no regular file'],
])('leaves a bot whose token is %s', (_what, settings, reason) => {
  const { channels, left } = telegram(settings);
  expect(channels).toEqual([]);
  expect(left['channels.telegram']).toContain(reason);
  expect(JSON.stringify(left)).not.toContain(tokens.telegram);
});

it.each<[what: string, settings: object, whole: object, key: string, reason: string]>([
  ['a name', { allowFrom: ['@ada', '42'] }, {}, 'channels.telegram.allowFrom', 'entry 1 is no id'],
  [
    'people of groups alone',
    { groupAllowFrom: ['44'] },
    {},
    'channels.telegram.groupAllowFrom',
    'allow those who may do both',
  ],
  ['a proxy', { proxy: 'socks5://secret@x' }, {}, 'channels.telegram.proxy', 'uses no proxy'],
  ['another file', {}, { $include: './more.json5' }, '$include', 'other files are not read'],
])('leaves %s', (_what, settings, whole, key, reason) => {
  expect(telegram(settings, whole).left[key]).toContain(reason);
});

/** A configuration with these settings of Matrix. */
function matrix(settings: object, others: Readonly<Record<string, string>> = {}) {
  const homeserver = 'https://matrix.example.org';
  const channels = { matrix: { homeserver, accessToken: tokens.matrix, groupPolicy: 'open', ...settings } };
  return taken(
    JSON.stringify({ channels, commands: { ownerAllowFrom: ['matrix:@ada:example.org'] } }),
    others,
  );
}

it('takes an account of Matrix, and says that it can’t read encrypted rooms', () => {
  const { channels, left } = matrix(
    {
      userId: '@bot:example.org',
      encryption: true,
      autoJoin: 'always',
      dm: { policy: 'allowlist', allowFrom: ['@ada:example.org', 'matrix:@grace:example.org', 'Grace'] },
      threadReplies: 'inbound',
    },
    { 'credentials/matrix-default-allowFrom.json': '{"allowFrom": ["@eve:example.net"]}' },
  );
  expect(channels).toEqual([
    {
      name: 'matrix',
      values: {
        type: 'matrix',
        homeserver: 'https://matrix.example.org',
        invites: 'all',
        allow: ['@grace:example.org', '@eve:example.net'],
        owners: ['@ada:example.org'],
        pairing: false,
      },
      secrets: [{ key: 'token_file', text: tokens.matrix }],
    },
  ]);
  expect(left).toEqual({
    'channels.matrix.encryption': expect.stringContaining('encrypted rooms can’t be read here'),
    'channels.matrix.allowFrom': expect.stringContaining('entry 3 is no id of Matrix'),
    'channels.matrix.threadReplies': 'there is no such setting here',
  });
});

it('takes the accounts of Matrix with what each has of its own, from variables as well', () => {
  const accounts = { default: {}, 'ops-2': { autoJoin: 'off' }, tokenless: {} };
  const { channels, left } = matrix(
    { homeserver: undefined, accounts, rooms: { '!a:example.org': {} }, groupPolicy: undefined },
    {
      '.env': [
        'MATRIX_HOMESERVER=https://matrix.example.org',
        'MATRIX_OPS_X2D_2_HOMESERVER=https://ops.example.net',
        `MATRIX_OPS_X2D_2_ACCESS_TOKEN=${tokens.otherMatrix}`,
      ].join('\n'),
    },
  );
  expect(channels.map(({ name, values, secrets }) => [name, values['homeserver'], secrets[0]?.text])).toEqual(
    [
      ['matrix', 'https://matrix.example.org', tokens.matrix],
      ['matrix-ops-2', 'https://ops.example.net', tokens.otherMatrix],
    ],
  );
  expect(channels[1]?.values).toMatchObject({ invites: 'none' });
  // The token is of the account without a name alone.
  expect(left['channels.matrix.accounts.tokenless']).toContain('it has no token there');
  expect(left['channels.matrix.accounts.default.rooms']).toContain('no list of groups');
});

it.each<[what: string, settings: object, key: string, reason: string]>([
  [
    'a login by password',
    { accessToken: undefined, password: 'hunter2hunter2', userId: '@bot:example.org' },
    'channels.matrix',
    'logs in with a password there, and an access token is needed here',
  ],
  ['no homeserver', { homeserver: undefined }, 'channels.matrix', 'homeserver must be an http or https URL'],
  ['a token that is none', { accessToken: 'two words' }, 'channels.matrix', 'not what the platform gives'],
  [
    'a list of rooms',
    { autoJoin: 'allowlist' },
    'channels.matrix.autoJoin',
    'there is no list of rooms here',
  ],
])('leaves of Matrix %s', (_what, settings, key, reason) => {
  const { left } = matrix(settings);
  expect(left[key]).toContain(reason);
  expect(JSON.stringify(left)).not.toMatch(/hunter2|two words/);
});

it('leaves a file of people that is broken', () => {
  const name = 'credentials/telegram-default-allowFrom.json';
  const { channels, left } = telegram({}, {}, { [name]: '{' });
  expect(channels).toHaveLength(1);
  expect(left[name]).toContain('is no valid JSON');
});

it('has no channel that nobody has set up', () => {
  expect(taken('{}').channels).toEqual([]);
});

it.each<[what: string, text: string, reason: string]>([
  ['a program', '{a: require("fs")}', 'openclaw.json:1 is no valid JSON5'],
  ['a broken file', `{\n botToken: "${tokens.telegram}`, 'openclaw.json:2 is no valid JSON5'],
  ['a list', '[]', 'has no settings'],
])('refuses %s, and repeats nothing of it', (_what, text, reason) => {
  expect(() => taken(text)).toThrow(reason);
  expect(() => taken(text)).not.toThrow(tokens.telegram);
  expect(() => takeOpenClaw(sourceWith({ x: '' }))).toThrow('it is no directory of OpenClaw');
});
