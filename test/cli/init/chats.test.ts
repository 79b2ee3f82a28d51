import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest';
import { init as runInit } from '../../../src/cli/init/init.js';
import { loadConfiguration } from '../../../src/config/load.js';
import { ImapServer } from '../../channels/email/imap-server.js';
import { MailServer } from '../../channels/email/smtp-server.js';
import { DiscordStandIn } from '../../support/discord-stand-in.js';
import { MatrixStandIn } from '../../support/matrix-stand-in.js';
import { SlackStandIn } from '../../support/slack-stand-in.js';
import { Place } from '../foreground.js';
import { runHere } from '../in-process.js';

let place: Place;
let file: string;
beforeEach(() => {
  place = new Place();
  file = join(place.directory, 'etc/sd-gateway.toml');
});
afterEach(() => place.remove());

function put(name: string, text: string): string {
  const path = join(place.directory, name);
  writeFileSync(path, `${text}\n`, { mode: 0o600 });
  return path;
}

const configuration = () => loadConfiguration({ file, required: true, environment: {} });

const init = (...words: readonly string[]) =>
  runHere(runInit, ['init', '--user', '--yes', ...words], place.environment);

it('asks Slack who the bot is, and names the scopes that are missing', async () => {
  const slack = await SlackStandIn.start();
  onTestFinished(() => slack.close());
  slack.scopes.delete('files:write');
  const tokens = [
    '--secret-file',
    put('bot', slack.botToken),
    '--app-token-file',
    put('app', slack.appToken),
  ];
  const words = ['--channel', 'slack', '--api-root', slack.root];
  const { status, stdout, stderr } = await init(...words, ...tokens, '--owners', 'U42');
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toContain('✓ It is @stand_in of Stand-in\n');
  expect(stdout).toContain(
    '! The app lacks scopes: files:write (no file can be sent). Add them at api.slack.com',
  );
  expect(stdout).toContain('Then write to @stand_in in Slack.\n');
  const written = readFileSync(file, 'utf8');
  expect(written).toContain(`\napp_token_file = ${JSON.stringify(join(place.directory, 'app'))}\n`);
  expect(written).toContain('\nowners = ["U42"]\n');
  for (const token of [slack.botToken, slack.appToken]) expect(stdout + written).not.toContain(token);
  expect(configuration().warnings).toEqual([]);

  await expect(init('--force', ...words, ...tokens.slice(0, 2))).rejects.toThrow(
    '--app-token-file is needed',
  );
  expect(slack.mistakes).toEqual([]);
});

it('asks Discord who the bot is, and what it may read', async () => {
  const discord = await DiscordStandIn.start();
  onTestFinished(() => discord.close());
  discord.flags = 0;
  const words = ['--channel', 'discord', '--api-root', discord.root];
  const { status, stdout, stderr } = await init(...words, '--secret-file', put('bot', discord.token));
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toContain('✓ It is stand-in\n');
  expect(stdout).toContain('switch "Message Content Intent" on');
  expect(stdout).toContain('It answers with a code: sd-gateway people --user accept CODE --owner\n');
  expect(readFileSync(file, 'utf8')).toContain('\ntype = "discord"\n');
  expect(stdout + readFileSync(file, 'utf8')).not.toContain(discord.token);
  expect(discord.mistakes).toEqual([]);
});

it('asks a homeserver of Matrix whose token it is', async () => {
  const matrix = await MatrixStandIn.start();
  onTestFinished(() => matrix.close());
  const secret = put('token', matrix.token);
  const words = ['--channel', 'matrix', '--homeserver', matrix.root, '--secret-file', secret];
  const { status, stdout, stderr } = await init(...words, '--owners', '@ada:example.org');
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toContain('✓ It is @bot:example.org\n');
  expect(stdout).toContain(
    'Then write to @bot:example.org, in a room without encryption that you invite it to.\n',
  );
  const written = readFileSync(file, 'utf8');
  expect(written).toContain(`\nhomeserver = "${matrix.root}"\n`);
  expect(written).toContain('\nowners = ["@ada:example.org"]\n');
  expect(stdout + written).not.toContain(matrix.token);
  expect(configuration().warnings).toEqual([]);
  expect(matrix.calls.map(({ name }) => name)).toEqual(['GET whoami']);
  expect(matrix.mistakes).toEqual([]);
});

it('names the homeserver of a domain of Matrix that is none, and writes nothing', async () => {
  const matrix = await MatrixStandIn.start();
  onTestFinished(() => matrix.close());
  matrix.homeserverOf = 'https://matrix.example.org';
  const secret = put('token', matrix.token);
  const words = ['--channel', 'matrix', '--homeserver', matrix.root, '--secret-file', secret];
  const { status, stderr } = await init(...words);
  expect(status).toBe(1);
  expect(stderr).toContain(
    `${matrix.root} is no homeserver. Its .well-known/matrix/client names https://matrix.example.org: take that one`,
  );
  expect(existsSync(join(place.directory, 'etc'))).toBe(false);
  expect(matrix.mistakes).toEqual([]);
});

it('writes nothing with a token that the platform does not know', async () => {
  const discord = await DiscordStandIn.start();
  onTestFinished(() => discord.close());
  const secret = put('bot', discord.token.replace('Gstand', 'Gother'));
  const words = ['--channel', 'discord', '--api-root', discord.root, '--secret-file', secret];
  const ended = await init(...words);
  expect([ended.status, ended.stderr]).toEqual([
    1,
    expect.stringContaining("does not know the bot's token (401"),
  ]);
  expect(existsSync(join(place.directory, 'etc'))).toBe(false);
});

it('logs in to the servers of a mailbox', async () => {
  const [imap, smtp] = [new ImapServer(), new MailServer()];
  const [imapPort, smtpPort] = [await imap.listen(), await smtp.listen()];
  onTestFinished(() => {
    imap.close();
    smtp.close();
  });
  imap.add('Authentication-Results: mx.example.org; none\r\nFrom: ada@example.org\r\n\r\nHello\r\n');
  const words = [
    ...['--channel', 'email', '--address', 'agent@example.org', '--secret-file', put('word', imap.password)],
    ...['--imap', `imap://agent@127.0.0.1:${imapPort}/INBOX`, '--smtp', `smtp://agent@127.0.0.1:${smtpPort}`],
  ];
  await expect(init(...words)).rejects.toThrow('--authserv-id is needed');
  const { status, stdout, stderr } = await init(
    ...[...words, '--authserv-id', 'mx.example.org', '--owners', 'ada@example.org'],
  );
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toContain('✓ Both servers take the login\n');
  expect(stdout).toContain('The newest mail there was judged by "mx.example.org"');
  expect(stdout).toContain('Then write a mail to agent@example.org.\n');
  expect(stdout + readFileSync(file, 'utf8')).not.toContain(imap.password);
  expect(configuration().warnings).toEqual([]);
});

it('takes mails from the mail server of this machine', async () => {
  const smtp = new MailServer();
  const smtpUrl = `smtp://127.0.0.1:${await smtp.listen()}`;
  onTestFinished(() => smtp.close());
  const words = ['--channel', 'email', '--address', 'agent@example.org', '--authserv-id', 'mx.example.org'];
  const { status, stderr } = await init(...words, '--smtp', smtpUrl);
  expect([status, stderr]).toEqual([0, '']);
  expect(readFileSync(file, 'utf8')).toContain('\nlmtp = "/run/sd-gateway-mail/lmtp"\n');
  expect(readFileSync(file, 'utf8')).not.toContain('token_file');
});

it.each([
  [['--channel', 'telegram', '--imap', 'imaps://a@b'], '--imap goes with --channel email'],
  [['--channel', 'email', '--app-token-file', '/x'], '--app-token-file goes with --channel slack'],
  [['--channel', 'slack', '--homeserver', 'https://x'], '--homeserver goes with --channel matrix'],
  [['--channel', 'matrix', '--homeserver', 'example.org'], '--homeserver must be an http or https URL'],
  [['--channel', 'matrix', '--homeserver', 'https://x'], '--secret-file is needed'],
  [['--channel', 'email', '--imap', 'imaps://a@b', '--lmtp', '/x'], '--imap and --lmtp exclude each other'],
  [['--channel', 'email', '--address', 'agent'], '--address must be the address of a mailbox'],
  [
    ['--channel', 'email', '--address', 'a@b.org', '--imap', 'imaps://u:s3cret@b'],
    '--imap must not hold a password',
  ],
])('refuses %j', async (words, reason) => {
  const ended = await init(...words).then(
    ({ stderr }) => stderr,
    (error: unknown) => String(error),
  );
  expect(ended).toContain(reason);
  expect(ended).not.toContain('s3cret');
  expect(existsSync(join(place.directory, 'etc'))).toBe(false);
});
