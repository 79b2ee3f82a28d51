// biome-ignore-all lint/suspicious/noTemplateCurlyInString: files have such references to variables
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { takeHermes } from '../../../src/cli/import/hermes.js';
import { SourceDirectory } from '../../../src/cli/import/source-directory.js';
import { directoryWith, sourceWith, tokens } from './tree.js';

const bot = `TELEGRAM_BOT_TOKEN=${tokens.telegram}\n`;

function taken(files: Readonly<Record<string, string>>) {
  const { channels, left, remarks } = takeHermes(sourceWith(files));
  return { channels, remarks, left: Object.fromEntries(left.map(({ key, reason }) => [key, reason])) };
}

/** The first channel's table. */
function table(env: string, yaml = '', others: Readonly<Record<string, string>> = {}) {
  return taken({ '.env': env, 'config.yaml': yaml, ...others }).channels[0]?.values;
}

it('takes all channels of a directory as it usually is', () => {
  const { channels, left } = taken({
    '.env': [
      'OPENROUTER_API_KEY=sk-or-0123456789',
      `TELEGRAM_BOT_TOKEN=${tokens.telegram}`,
      'TELEGRAM_ALLOWED_USERS=42, 43 # me',
      `DISCORD_BOT_TOKEN="${tokens.discord}"`,
      `SLACK_BOT_TOKEN=${tokens.slackBot}`,
      `SLACK_APP_TOKEN=${tokens.slackApp}`,
      'SLACK_ALLOWED_USERS=U012ABC',
      'EMAIL_ADDRESS=agent@gmail.com',
      'EMAIL_PASSWORD=abcd efgh ijkl mnop    # App password',
      'EMAIL_IMAP_HOST=imap.gmail.com',
      'EMAIL_SMTP_HOST=smtp.gmail.com',
      'EMAIL_ALLOWED_USERS=Ada@Example.org',
      'WHATSAPP_ENABLED=true',
    ].join('\n'),
    'config.yaml': [
      'model: {default: anthropic/claude}',
      'discord:',
      '  require_mention: false',
      '  allow_from: [284102345871466496]',
      '  allow_admin_from: ["284102345871466497"]',
      'signal: {enabled: true}',
      'tts: {provider: edge}',
    ].join('\n'),
    'platforms/pairing/telegram-approved.json': '{"99": {"user_name": "eve", "approved_at": 1}}',
    'pairing/telegram-approved.json': '{"42": {}}',
    'cron/jobs.json': '{}',
  });
  expect(channels).toEqual([
    {
      name: 'telegram',
      values: { type: 'telegram', allow: ['42', '43', '99'] },
      secrets: [{ key: 'token_file', text: tokens.telegram }],
    },
    {
      name: 'discord',
      // More digits than a double has.
      values: {
        type: 'discord',
        allow: ['284102345871466496'],
        owners: ['284102345871466497'],
        groups: 'all',
      },
      secrets: [{ key: 'token_file', text: tokens.discord }],
    },
    {
      name: 'slack',
      values: { type: 'slack', allow: ['U012ABC'] },
      secrets: [
        { key: 'token_file', text: tokens.slackBot },
        { key: 'app_token_file', text: tokens.slackApp },
      ],
    },
    {
      name: 'email',
      values: {
        type: 'email',
        address: 'agent@gmail.com',
        authserv_id: 'mx.google.com',
        imap: 'imaps://agent%40gmail.com@imap.gmail.com/INBOX',
        smtp: 'smtp://agent%40gmail.com@smtp.gmail.com',
        allow: ['ada@example.org'],
      },
      secrets: [{ key: 'token_file', text: 'abcd efgh ijkl mnop' }],
    },
  ]);
  expect(left).toMatchObject({
    WHATSAPP_ENABLED: expect.stringContaining('no such channel'),
    signal: expect.stringContaining('no such channel'),
    tts: 'there is no voice here',
    model: expect.stringContaining('the agent’s'),
    cron: expect.stringContaining('timer of systemd'),
  });
  expect(left).not.toHaveProperty('OPENROUTER_API_KEY');
});

it.each<[what: string, env: string, yaml: string, values: object]>([
  ['a token of the configuration', '', `telegram: {token: "${tokens.telegram}"}`, {}],
  ['a reference to a variable', `TOKEN=${tokens.telegram}`, 'platforms: {telegram: {token: "${TOKEN}"}}', {}],
  ['a variable before the configuration', bot, `telegram: {token: "1:x"}`, {}],
  ['people of all platforms', `${bot}GATEWAY_ALLOWED_USERS=42,U012ABC`, '', { allow: ['42'] }],
  ['everybody', `${bot}TELEGRAM_ALLOW_ALL_USERS=true`, '', { allow: ['*'] }],
  ['everybody of all platforms', `${bot}GATEWAY_ALLOW_ALL_USERS=1`, '', { allow: ['*'] }],
  [
    'people with words before their ids',
    `${bot}TELEGRAM_ALLOWED_USERS=tg:42,telegram:43`,
    '',
    { allow: ['42', '43'] },
  ],
  [
    'an owner once',
    `${bot}TELEGRAM_ALLOWED_USERS=42`,
    'telegram: {allow_admin_from: [42, "*"]}',
    { owners: ['42'] },
  ],
  ['no codes for strangers', bot, 'unauthorized_dm_behavior: ignore', { pairing: false }],
  ['a list that is closed', bot, 'telegram: {dm_policy: allowlist}', { pairing: false }],
  ['groups without a mention', `${bot}TELEGRAM_REQUIRE_MENTION=false`, '', { groups: 'all' }],
  [
    'no groups',
    bot,
    'gateway: {platforms: {telegram: {extra: {group_policy: disabled}}}}',
    { groups: 'none' },
  ],
  [
    'an own server',
    bot,
    'telegram: {extra: {base_url: "http://127.0.0.1:8081/bot"}}',
    { api_root: 'http://127.0.0.1:8081' },
  ],
  [
    'the later of two keys',
    bot,
    'telegram: {require_mention: true}\ntelegram: {require_mention: off}',
    { groups: 'all' },
  ],
])('takes %s', (_what, env, yaml, values) => {
  expect(table(env, yaml)).toEqual({ type: 'telegram', ...values });
});

it.each<[what: string, env: string, yaml: string, key: string, reason: string]>([
  [
    'a token that is none',
    'TELEGRAM_BOT_TOKEN=$(cat /etc/passwd)',
    '',
    'telegram',
    'its token is not what the platform gives',
  ],
  [
    'a variable of elsewhere',
    '',
    'telegram: {token: "${HOME}"}',
    'telegram',
    'it refers to ${HOME}, which .env does not have',
  ],
  ['people without a bot', 'TELEGRAM_ALLOWED_USERS=42', '', 'telegram', 'it has no token there'],
  [
    'what is switched off',
    bot,
    'telegram: {enabled: false, proxy: x}',
    'telegram',
    'it is switched off there',
  ],
  [
    'a name',
    `${bot}TELEGRAM_ALLOWED_USERS=42,@ada`,
    '',
    'telegram: the list of its people',
    'entry 2 is no id of Telegram, and a name can change hands',
  ],
  [
    'a server that has the token in its address',
    bot,
    `telegram: {base_url: "http://x/bot${tokens.telegram}"}`,
    'telegram.base_url',
    'it is not the root of a Bot API server alone',
  ],
  [
    'an address with a user',
    bot,
    'telegram: {base_url: "http://ada:secret@x"}',
    'telegram.base_url',
    'it is not the root of a Bot API server alone',
  ],
  [
    'a list of groups',
    `${bot}TELEGRAM_ALLOWED_CHATS=-1`,
    '',
    'TELEGRAM_ALLOWED_CHATS',
    'there is no list of groups here',
  ],
  [
    'an unknown variable',
    `${bot}TELEGRAM_WHATEVER=1`,
    '',
    'TELEGRAM_WHATEVER',
    'there is no such setting here',
  ],
  [
    'an unknown key',
    bot,
    'telegram: {constructor: 1}',
    'telegram.constructor',
    'there is no such setting here',
  ],
  ['a line that is none', `${bot}X="y`, '', '.env, line 2', 'a quote is not closed'],
  ['a mailbox without a server', 'EMAIL_PASSWORD=x\nEMAIL_ADDRESS=a@b.org', '', 'email', 'imap'],
])('leaves %s', (_what, env, yaml, key, reason) => {
  const { left } = taken({ '.env': env, 'config.yaml': yaml });
  expect(left[key]).toContain(reason);
});

const homeserver = 'MATRIX_HOMESERVER=https://matrix.example.org\n';

it('takes an account of Matrix', () => {
  const env = [
    homeserver.trim(),
    `MATRIX_ACCESS_TOKEN=${tokens.matrix}`,
    'MATRIX_USER_ID=@bot:example.org',
    'MATRIX_DEVICE_ID=ABC',
    'MATRIX_E2EE_MODE=off',
    'MATRIX_ALLOWED_USERS=@ada:example.org,@grace:example.org',
  ].join('\n');
  const { channels, left } = taken({
    '.env': env,
    'config.yaml': 'matrix: {require_mention: false, allow_admin_from: ["@ada:example.org"]}',
    'platforms/pairing/matrix-approved.json': '{"@eve:example.net": {}}',
  });
  expect(channels).toEqual([
    {
      name: 'matrix',
      values: {
        type: 'matrix',
        homeserver: 'https://matrix.example.org',
        allow: ['@grace:example.org', '@eve:example.net'],
        owners: ['@ada:example.org'],
        groups: 'all',
      },
      secrets: [{ key: 'token_file', text: tokens.matrix }],
    },
  ]);
  expect(left).toEqual({});
});

it('takes an account of Matrix from the configuration alone', () => {
  const yaml = `platforms: {matrix: {token: ${tokens.matrix}, extra: {homeserver: "https://m.example.org"}, allowed_users: ["@ada:example.org"]}}`;
  expect(table('', yaml)).toEqual({
    type: 'matrix',
    homeserver: 'https://m.example.org',
    allow: ['@ada:example.org'],
  });
});

it.each<[what: string, env: string, key: string, reason: string]>([
  [
    'a login by password',
    `${homeserver}MATRIX_PASSWORD=hunter2\nMATRIX_USER_ID=@bot:example.org`,
    'matrix',
    'it logs in with a password there, and an access token is needed here',
  ],
  [
    'encrypted rooms',
    `${homeserver}MATRIX_ACCESS_TOKEN=${tokens.matrix}\nMATRIX_ENCRYPTION=true`,
    'matrix: encryption',
    'encrypted rooms can’t be read here',
  ],
  [
    'encrypted rooms of a newer version',
    `${homeserver}MATRIX_ACCESS_TOKEN=${tokens.matrix}\nMATRIX_E2EE_MODE=optional`,
    'matrix: encryption',
    'encrypted rooms can’t be read here',
  ],
  [
    'the keys of encryption',
    `${homeserver}MATRIX_ACCESS_TOKEN=${tokens.matrix}\nMATRIX_RECOVERY_KEY=EsTc`,
    'MATRIX_RECOVERY_KEY',
    'there is no end-to-end encryption here',
  ],
  [
    'a token that has to be renewed',
    `${homeserver}MATRIX_ACCESS_TOKEN=${tokens.matrix}\nMATRIX_REFRESH_TOKEN=syr_x`,
    'MATRIX_REFRESH_TOKEN',
    'log in for one that does not expire',
  ],
  [
    'an account without a homeserver',
    `MATRIX_ACCESS_TOKEN=${tokens.matrix}`,
    'matrix',
    'homeserver must be an http or https URL',
  ],
])('leaves of Matrix %s', (_what, env, key, reason) => {
  const { left } = taken({ '.env': env });
  expect(left[key]).toContain(reason);
  expect(JSON.stringify(left)).not.toMatch(/hunter2|EsTc|syr_x/);
});

it('says that it had to guess the name of a mail server', () => {
  const env = [
    'ADDRESS=a@b.org',
    'PASSWORD=x',
    'IMAP_HOST=mail.b.org',
    'IMAP_PORT=143',
    'SMTP_HOST=mail.b.org',
    'SMTP_PORT=465',
  ]
    .map((line) => `EMAIL_${line}`)
    .join('\n');
  const { channels, remarks } = taken({ '.env': env });
  expect(channels[0]?.values).toMatchObject({
    imap: 'imap://a%40b.org@mail.b.org/INBOX',
    smtp: 'smtps://a%40b.org@mail.b.org',
    authserv_id: 'mail.b.org',
  });
  expect(remarks).toEqual([expect.stringContaining('is a guess')]);
});

it.each<[what: string, yaml: string, reason: string]>([
  [
    'a tag of Python',
    'x: !!python/object/apply:os.system ["id"]',
    'config.yaml:1 has a tag that is not taken',
  ],
  ['a broken file', `telegram:\n  token: "${tokens.telegram}\n`, 'is no valid YAML'],
  ['a list', '- 1', 'has no settings'],
  [
    'an alias that grows',
    `a: &a [${'x,'.repeat(9)}x]\n${'bcdefgh'
      .split('')
      .map((key, index) => `${key}: &${key} [${`*${'abcdefg'[index]},`.repeat(9)}*${'abcdefg'[index]}]`)
      .join('\n')}`,
    'is no valid YAML',
  ],
  ['brackets without an end', '['.repeat(200_000), 'nested too deep'],
  ['lists without an end', '- '.repeat(100_000), 'nested too deep'],
])('refuses %s, and repeats nothing of it', (_what, yaml, reason) => {
  expect(() => taken({ 'config.yaml': yaml })).toThrow(reason);
  expect(() => taken({ 'config.yaml': yaml })).not.toThrow(tokens.telegram);
});

it('takes what it can if the file of the people who were paired is no file', () => {
  const path = directoryWith({ '.env': bot });
  mkdirSync(join(path, 'pairing'));
  symlinkSync('/etc/passwd', join(path, 'pairing/telegram-approved.json'));
  const { channels, left } = takeHermes(new SourceDirectory(path, path));
  expect(channels[0]?.values).toEqual({ type: 'telegram' });
  expect(left).toEqual([
    { key: 'pairing/telegram-approved.json', reason: expect.stringContaining('is a symbolic link') },
  ]);
});

it('refuses a directory of something else', () => {
  expect(() => taken({ 'notes.txt': '' })).toThrow('it is no directory of Hermes');
});
