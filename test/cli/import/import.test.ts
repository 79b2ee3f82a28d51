import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { run } from '../../../src/cli/import/import.js';
import Database from '../../support/sqlite.mjs';
import { Place } from '../foreground.js';
import { runHere } from '../in-process.js';
import { tokens } from './tree.js';

let place: Place;
let file: string;
beforeEach(() => {
  place = new Place();
  file = join(place.directory, 'etc/sd-gateway.toml');
});
afterEach(() => place.remove());

const written = () => readFileSync(file, 'utf8');
const modeOf = (path: string) => statSync(path).mode & 0o777;

function put(name: string, text: string): string {
  const path = join(place.directory, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

/** Runs the command, which never shows a token. */
async function take(...words: readonly string[]) {
  const ended = await runHere(run, ['import', '--user', ...words], place.environment);
  for (const token of Object.values(tokens)) expect(ended.stdout + ended.stderr).not.toContain(token);
  return ended;
}

const bots = `TELEGRAM_BOT_TOKEN=${tokens.telegram}\nTELEGRAM_ALLOWED_USERS=42\nSLACK_BOT_TOKEN=${tokens.slackBot}\nSLACK_APP_TOKEN=${tokens.slackApp}\n`;

it('writes a configuration that can be used, and each secret for its owner alone', async () => {
  put('.hermes/.env', bots);
  chmodSync(put('.local/bin/hermes', ''), 0o755);
  const { status, stdout, stderr } = await take('hermes');
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toContain('telegram (1 person may write), slack (nobody may write yet).\n');
  expect(stdout).toContain('A channel without owners has nobody who decides');
  expect(stdout).toContain('Next: "sd-gateway install --user --now"');
  // The other gateway has to be stopped before the next step.
  expect(stdout).toMatch(/\nHermes does not seem to run\. Leave it stopped.*\nNext: /);
  expect(written()).toContain(`\ncommand = ["${place.directory}/.local/bin/hermes", "acp"]\n`);
  expect(written()).toMatch(/^# .*begun by "sd-gateway import"/);
  expect(modeOf(file)).toBe(0o600);
  const secrets = {
    'telegram.token': tokens.telegram,
    'slack.token': tokens.slackBot,
    'slack.app-token': tokens.slackApp,
  };
  for (const [name, token] of Object.entries(secrets)) {
    const path = join(place.directory, 'etc', name);
    expect([readFileSync(path, 'utf8'), modeOf(path)]).toEqual([`${token}\n`, 0o600]);
    expect(written()).toContain(JSON.stringify(path));
    expect(written()).not.toContain(token);
  }
  const checked = await place.run(['check-config', '--json']);
  expect(JSON.parse(checked.stdout)).toMatchObject({ valid: true, warnings: [] });

  // A second time, nothing is touched, and with --force the secrets that are there are used.
  const before = written();
  expect(await take('hermes')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('nothing was changed'),
  });
  expect(written()).toBe(before);
  const forced = await take('hermes', '--force');
  expect(forced.status).toBe(0);
  expect(forced.stdout).toMatch(/Kept what was there as \S+\nWrote \S+sd-gateway\.toml\n/);

  // Another secret is not written over.
  put('.hermes/.env', bots.replace(tokens.telegram, tokens.other));
  expect(await take('hermes', '--force')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('another secret is in'),
  });
  expect(readFileSync(join(place.directory, 'etc/telegram.token'), 'utf8')).toBe(`${tokens.telegram}\n`);
});

it('writes nothing with --dry-run', async () => {
  const directory = dirname(
    put('claw/openclaw.json', `{channels: {telegram: {botToken: "${tokens.telegram}"}}}`),
  );
  put('.local/bin/openclaw', '');
  const { status, stdout } = await take('openclaw', directory, '--dry-run');
  expect(status).toBe(0);
  expect(stdout).toContain('[channels.telegram]');
  expect(stdout).toContain('Nothing was written, as --dry-run says.');
  expect(existsSync(join(place.directory, 'etc'))).toBe(false);
  // As its agent it has to run on, but may not poll.
  expect(stdout).toContain(`"OPENCLAW_STATE_DIR=${directory}"`);
  expect(stdout).toContain('openclaw config set channels.telegram.enabled false\n');
});

it('names the process of the other gateway that still runs', async () => {
  put('.hermes/.env', bots);
  put('.hermes/gateway.pid', JSON.stringify({ pid: process.pid, kind: 'hermes-gateway' }));
  const { stdout } = await take('hermes', '--dry-run');
  expect(stdout).toContain(
    `Hermes still runs (its process ${process.pid} runs). Stop it before this gateway starts`,
  );
  expect(stdout).toContain(': hermes gateway stop\n');
  put('.hermes/gateway.pid', JSON.stringify({ pid: process.pid, start_time: 1 }));
  expect((await take('hermes', '--dry-run')).stdout).toContain('Hermes does not seem to run');
});

it.each<[words: readonly string[], status: number, reason: string]>([
  [
    ['hermes'],
    1,
    '.hermes is no directory. Nothing was written. "sd-gateway import hermes DIRECTORY" names another',
  ],
  [['openclaw', '/nonexistent'], 1, '/nonexistent is no directory. Nothing was written'],
])('writes nothing for %j', async (words, status, reason) => {
  const ended = await take(...words);
  expect([ended.status, ended.stderr]).toEqual([status, expect.stringContaining(reason)]);
  expect(existsSync(join(place.directory, 'etc'))).toBe(false);
});

it('names another directory only where this one is what is wrong', async () => {
  put('.hermes/.env', bots);
  mkdirSync(join(place.directory, 'etc'));
  writeFileSync(join(place.directory, 'etc/telegram.token'), 'another\n', { mode: 0o600 });
  const { status, stderr } = await take('hermes');
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /another secret is in \S+telegram\.token already: move it away first\. Nothing was written\n$/,
  );
});

it('takes a gateway that it knows alone', async () => {
  await expect(take('telegram')).rejects.toThrow('GATEWAY is "hermes" or "openclaw", not "telegram"');
  await expect(take()).rejects.toThrow('GATEWAY [DIRECTORY] is missing');
});

it('writes nothing if there is nothing to take over', async () => {
  put('.hermes/.env', 'SIGNAL_ACCOUNT=+15550123\n');
  const ended = await take('hermes');
  expect([ended.status, ended.stderr]).toEqual([1, expect.stringContaining('no channel to take over')]);
  expect(ended.stdout).toContain('- SIGNAL_ACCOUNT: there is no such channel here');
  expect(existsSync(join(place.directory, 'etc'))).toBe(false);
});

it.skipIf(process.getuid?.() !== 0)('reads as the owner of the directory, if root asks', async () => {
  const path = put('home/.hermes/.env', bots);
  // Root could read it, and the owner can't.
  const roots = put('home/.hermes/pairing/telegram-approved.json', '{"7": {}}');
  for (const each of [path, dirname(path), dirname(roots)]) chownSync(each, 65_534, 65_534);
  const words = ['hermes', dirname(path), '--system', '--instance', 'old', '--config', file];
  const { status, stdout, stderr } = await place.run(['import', ...words]);
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/- pairing\/telegram-approved\.json: .* can't be read: EACCES/);
  expect(stdout).toContain('- the agent: Hermes keeps its login');
  const own = join(place.directory, 'etc');
  const secrets = ['slack-old.app-token', 'slack-old.token', 'telegram-old.token'];
  expect(stdout).toContain(
    `sd-gateway install --system --instance old --config ${file} && chown sd-gateway-old: ${own}/telegram-old.token ${own}/slack-old.token ${own}/slack-old.app-token && sd-gateway start --system --instance old`,
  );
  expect(readdirSync(own).sort()).toEqual(['sd-gateway.toml', ...secrets]);
  for (const name of secrets) expect(modeOf(join(own, name))).toBe(0o600);
});

it.skipIf(process.getuid?.() !== 0)('reads a database as its owner, if root asks', async () => {
  const channels = { telegram: { botToken: tokens.telegram, groupPolicy: 'open' } };
  const settings = put('home/.openclaw/openclaw.json', JSON.stringify({ channels }));
  const database = put('home/.openclaw/state/openclaw.sqlite', '');
  const made = new Database(database);
  made.exec(`CREATE TABLE channel_pairing_allow_entries (channel_key, account_id, entry, sort_order, updated_at);
    INSERT INTO channel_pairing_allow_entries VALUES ('telegram', 'default', '42', 0, 0)`);
  made.close();
  for (const each of [settings, dirname(settings), database, dirname(database)])
    chownSync(each, 65_534, 65_534);
  const words = [
    'openclaw',
    dirname(settings),
    '--system',
    '--instance',
    'old',
    '--config',
    file,
    '--dry-run',
  ];
  const read = await place.run(['import', ...words]);
  expect([read.status, read.stderr]).toEqual([0, '']);
  expect(read.stdout).toContain('\nallow = ["42"]\n');

  // Root could read it, and the owner can't.
  chownSync(database, 0, 0);
  const unread = await place.run(['import', ...words]);
  expect(unread.stdout).toMatch(
    /- state\/openclaw\.sqlite: .* can't be read: EACCES.*\. Nobody who was paired/,
  );
  expect(unread.stdout).not.toContain('\nallow = ');
});
