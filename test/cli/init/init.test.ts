import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { isAlive } from '../../support/is-alive.js';
import { MatrixStandIn } from '../../support/matrix-stand-in.js';
import { answer, ModelServer } from '../../support/model-server.js';
import { TelegramStandIn } from '../../support/telegram-stand-in.js';
import { Place, program } from '../foreground.js';

let place: Place;
let file: string;
beforeEach(() => {
  place = new Place();
  file = join(place.directory, 'etc/sd-gateway.toml');
});
afterEach(() => place.remove());

const written = () => readFileSync(file, 'utf8');
const modeOf = (path: string) => statSync(path).mode & 0o777;

function init(...words: readonly string[]) {
  return place.run(['init', '--user', ...words]);
}

/** script(1) is the terminal. */
function terminal(...words: readonly string[]) {
  const command = [process.execPath, program, 'init', '--user', '--no-color', ...words].join(' ');
  const child = spawn('script', ['-qec', command, '/dev/null'], { env: place.environment });
  let shown = '';
  let seen = 0;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  return {
    ended: once(child, 'close') as Promise<[number | null]>,
    shown: () => shown,
    type: (text: string) => void child.stdin.write(text),
    /** Waits for a text behind all that was waited for. */
    sees: async (text: string) => {
      await vi.waitFor(() => expect(shown.slice(seen)).toContain(text), 20_000);
      seen = shown.indexOf(text, seen) + text.length;
    },
  };
}

describe('with options', () => {
  it('writes a configuration that can be used, with a word about each key', async () => {
    const { status, stdout, stderr } = await init('--agent', 'command', '--command', 'sh -c "cat; echo ok"');
    expect([status, stderr]).toEqual([0, '']);
    expect(written()).toMatch(/\n\[agent\]\n# "echo" replies with .*\ntype = "command"\n/);
    expect(written()).toContain('\ncommand = ["sh", "-c", "cat; echo ok"]\n');
    expect(modeOf(file)).toBe(0o600);
    expect(stdout).toContain(`Wrote ${file}\n`);
    expect(stdout).toContain(
      'Next: "sd-gateway install --user --now", or "sd-gateway run" in the foreground.',
    );
    const checked = await place.run(['check-config', '--json']);
    expect(JSON.parse(checked.stdout)).toMatchObject({ valid: true, warnings: [] });
  });

  it('has echo and no channel without any', async () => {
    expect((await init('--yes')).status).toBe(0);
    expect(written()).toContain('\ntype = "echo"\n');
    expect(readdirSync(join(place.directory, 'etc'))).toEqual(['sd-gateway.toml']);
  });

  it('makes the secret of a platform that takes one, and says what to give to it', async () => {
    const { status, stdout } = await init('--channel', 'github', '--public-url', 'https://example.org/');
    expect(status).toBe(0);
    const secretFile = join(place.directory, 'etc/github.secret');
    expect(modeOf(secretFile)).toBe(0o600);
    const secret = readFileSync(secretFile, 'utf8').trim();
    expect(secret).toMatch(/^[\w-]{43}$/);
    expect(stdout).not.toContain(secret);
    expect(stdout).toContain(
      `Give the platform the URL https://example.org/hooks/github and the secret in ${secretFile}.`,
    );
    const checked = await place.run(['check-config', '--json']);
    expect(JSON.parse(checked.stdout)).toMatchObject({
      valid: true,
      hooks: [{ channel: 'github', url: 'https://example.org/hooks/github' }],
    });
  });

  it.each([
    [
      ['--agent', 'command', '--command', '/nonexistent/agent'],
      1,
      'the program /nonexistent/agent is not there, or not in your PATH; --force takes it all the same. Nothing was written',
    ],
    [
      ['--agent', 'command', '--command', '/etc/passwd'],
      1,
      "the program /etc/passwd can't be executed: chmod +x /etc/passwd; --force takes it all the same. Nothing was written",
    ],
    [['--agent', 'command'], 64, '--command is needed, as nobody can be asked'],
    [['--agent', 'echo', '--command', 'cat'], 64, '--command goes with --agent command or acp'],
    [['--command', 'cat', '--model', 'x'], 64, '--command goes with --agent command or acp'],
    [['--agent', 'command', '--command', 'cat "unclosed'], 1, 'a quote of cat "unclosed is not closed'],
    [['--owners', '42'], 64, '--owners goes with --channel TYPE'],
    [
      ['--channel', 'none', '--public-url', 'https://example.org'],
      64,
      '--public-url goes with --channel TYPE',
    ],
    [['--agent', 'telnet'], 64, '--agent is one of "echo", "command", "acp", "openai", not "telnet"'],
    [['--channel', 'stripe'], 64, '--secret-file is needed'],
    [
      ['--channel', 'github', '--secret-file', '/nonexistent/secret'],
      1,
      '/nonexistent/secret (channels.github',
    ],
    [['--channel', 'github', '--public-url', 'example.org'], 1, '"example.org" is not the URL of a server'],
    [['--agent', 'openai', '--base-url', 'http://127.0.0.1:9/v1', '--model', 'm'], 1, 'ECONNREFUSED'],
    [['--agent', 'acp', '--command', 'true'], 1, ''],
  ] as const)('writes nothing if one does not pass: %j', async (words, status, reason) => {
    const ended = await init(...words);
    expect(ended.status).toBe(status);
    expect(ended.stderr).toContain(reason);
    expect(existsSync(join(place.directory, 'etc'))).toBe(false);
  });

  it('tries the secret in the file of --secret-file', async () => {
    const secretFile = join(place.directory, 'short');
    writeFileSync(secretFile, 's3cret\n', { mode: 0o600 });
    const words = ['--channel', 'github', '--secret-file', secretFile];
    expect(await init(...words)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`secret 1 of 1 in ${secretFile} can't be used: `),
    });
    writeFileSync(secretFile, 'a-secret-that-is-long-enough\n');
    expect((await init(...words)).status).toBe(0);
  });

  it.skipIf(process.getuid?.() !== 0)('says how the unit’s user gets a secret of the system', async () => {
    const words = ['--system', '--instance', 'hooks', '--config', file, '--channel', 'github'];
    const { status, stdout } = await place.run(['init', ...words]);
    expect(status).toBe(0);
    const target = '--system --instance hooks';
    const secret = join(place.directory, 'etc/github-hooks.secret');
    expect(stdout).toContain(
      `Next: "sd-gateway install ${target} --config ${file} && chown sd-gateway-hooks: ${secret} && sd-gateway start ${target}".\n`,
    );
  });

  it('takes an answer that does not pass with --force', async () => {
    const { status, stdout } = await init('--force', '--agent', 'command', '--command', '/nonexistent/agent');
    expect(status).toBe(0);
    expect(stdout).toContain('! the program /nonexistent/agent is not there');
    expect(written()).toContain('\ncommand = ["/nonexistent/agent"]\n');
  });

  it('tries an agent that speaks ACP, and a server of models', async () => {
    const agent = fileURLToPath(new URL('../../support/acp-agent.mjs', import.meta.url));
    const command = `${process.execPath} ${agent}`;
    const acp = await init('--agent', 'acp', '--command', command);
    expect([acp.status, acp.stderr]).toEqual([0, '']);
    expect(acp.stdout).toContain('✓');
    const server = await ModelServer.listen(answer('200 OK', { data: [{ id: 'small' }] }));
    try {
      const words = ['--agent', 'openai', '--base-url', server.baseUrl, '--model', 'small'];
      const openai = await init('--force', ...words);
      expect([openai.status, openai.stderr]).toEqual([0, '']);
      expect(written()).toContain(`\nbase_url = ${JSON.stringify(server.baseUrl)}\n`);
    } finally {
      await server.close();
    }
  });

  it('leaves what is there, and says what it is; with --force it keeps it under another name', async () => {
    await init('--channel', 'github');
    const before = written();
    const secret = readFileSync(join(place.directory, 'etc/github.secret'), 'utf8');
    const again = await init('--agent', 'command', '--command', 'cat');
    expect(again.status).toBe(1);
    expect(again.stdout).toBe(
      `There is a configuration in ${file}: agents default (echo); channels github (webhook).\n`,
    );
    expect(again.stderr).toContain('nothing was changed');
    expect(written()).toBe(before);
    const forced = await init('--force', '--agent', 'command', '--command', 'cat', '--channel', 'github');
    expect(forced.status).toBe(0);
    const kept = /Kept what was there as (\S+)\n/.exec(forced.stdout)?.[1] ?? '';
    expect(readFileSync(kept, 'utf8')).toBe(before);
    expect(written()).toContain('"cat"');
    expect(forced.stdout).toContain('github.secret is used, which is there already.');
    expect(readFileSync(join(place.directory, 'etc/github.secret'), 'utf8')).toBe(secret);
  });
});

describe('a bot of Telegram', () => {
  let telegram: TelegramStandIn;
  let tokenFile: string;
  beforeEach(async () => {
    telegram = await TelegramStandIn.start();
    tokenFile = join(place.directory, 'token');
    writeFileSync(tokenFile, `${telegram.token}\n`, { mode: 0o600 });
  });
  afterEach(() => telegram.close());

  const words = () => ['--channel', 'telegram', '--secret-file', tokenFile, '--api-root', telegram.root];

  it('is asked for its name, and has the file of its token in the configuration', async () => {
    const { status, stdout, stderr } = await init(...words(), '--owners', '42, 43');
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain('✓ It is @stand_in_bot\n');
    expect(stdout).toContain('Then write to @stand_in_bot in Telegram.\n');
    expect(written()).toContain(
      `# File with the bot's token, which nobody else may read (mode 0600).\ntoken_file = ${JSON.stringify(tokenFile)}\n`,
    );
    expect(written()).toContain('\nowners = ["42", "43"]\n');
    expect(written()).toContain(`\napi_root = ${JSON.stringify(telegram.root)}\n`);
    expect(stdout + written()).not.toContain(telegram.token);
    const checked = await place.run(['check-config', '--json']);
    expect(JSON.parse(checked.stdout)).toMatchObject({ valid: true, warnings: [] });
    // None of its messages was asked for.
    expect(telegram.calls.map(({ method }) => method)).toEqual(['getMe']);
    expect(telegram.mistakes).toEqual([]);
  });

  it('lets in who tells its code, where no id is known', async () => {
    const { status, stdout } = await init(...words());
    expect(status).toBe(0);
    expect(written()).not.toContain('owners');
    expect(stdout).toContain('It answers with a code: sd-gateway people --user accept CODE --owner\n');
  });

  it('says what is wrong with a token that Telegram does not know, and takes it with --force', async () => {
    telegram.isKnown = false;
    const refused = await init(...words());
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain(
      `${telegram.root} does not know this token (401): the present one is at`,
    );
    expect(refused.stderr).toContain('Nothing was written');
    expect(refused.stderr).not.toContain(telegram.token);
    expect(existsSync(join(place.directory, 'etc'))).toBe(false);
    expect((await init(...words(), '--force')).status).toBe(0);
  });

  it.each<[what: string, root: string, environment: NodeJS.ProcessEnv, reason: string]>([
    ['no network', 'http://127.0.0.1:9', {}, 'ECONNREFUSED 127.0.0.1:9. The gateway has to reach http://127'],
    [
      'a proxy, which it does not use',
      'http://127.0.0.1:9',
      { HTTPS_PROXY: 'http://proxy:3128' },
      'HTTPS_PROXY is set, and the gateway uses no proxy: it has to reach http://127.0.0.1:9 by itself',
    ],
    ['a root that is none', 'ftp://127.0.0.1', {}, '--api-root must be an http or https URL'],
  ])('says so for %s', async (_, root, environment, reason) => {
    const ended = await place.run(['init', '--user', ...words(), '--api-root', root], environment);
    expect(ended.status).not.toBe(0);
    expect(ended.stderr).toContain(reason);
    expect(existsSync(join(place.directory, 'etc'))).toBe(false);
  });

  it.each<[what: string, tokenText: string, mode: number, reason: string]>([
    ['something else than a token', 'Use this token to access the API', 0o600, 'this is no token of a bot'],
    ['an empty file', '', 0o600, 'is empty'],
    ['a file that others can read', '1:a', 0o644, 'can be read by others: run chmod 600'],
  ])('asks nobody with %s', async (_, text, mode, reason) => {
    writeFileSync(tokenFile, text);
    chmodSync(tokenFile, mode);
    const ended = await init(...words());
    expect([ended.status, ended.stderr]).toEqual([1, expect.stringContaining(reason)]);
    expect(telegram.calls).toEqual([]);
  });

  it('says so for a server that is no Bot API, a name in the place of an id, and no token', async () => {
    telegram.next('getMe', { kind: 'raw', status: 407, body: '<html>' });
    expect((await init(...words())).stderr).toContain('the answer is none of the Bot API (HTTP 407)');
    expect((await init(...words(), '--owners', '@ada')).stderr).toContain(
      '"@ada" is no id: an id in Telegram is',
    );
    const without = await init('--channel', 'telegram');
    expect([without.status, without.stderr]).toEqual([
      64,
      expect.stringContaining('--secret-file is needed'),
    ]);
  });

  it('is asked for on a terminal until it passes, and its token is not shown', async () => {
    const person = terminal('--api-root', telegram.root);
    const wrong = '123456789:AAF-not_the_token_of_the_stand_in';
    for (const [question, reply] of [
      ['[echo] ', ''],
      ['By which channel', 'telegram'],
      ['The token of the bot', wrong],
      ['does not know this token', ''],
      ['The token of the bot', telegram.token],
      ['✓ It is @stand_in_bot', '@ada'],
      ['"@ada" is no id', ''],
      [`Write ${file}? [Y/n]`, ''],
      ['Install the systemd unit, and start it? [Y/n]', 'n'],
    ] as const) {
      await person.sees(question);
      person.type(`${reply}\n`);
    }
    expect(await person.ended).toEqual([0, null]);
    for (const token of [wrong, telegram.token]) expect(person.shown()).not.toContain(token.slice(12));
    const own = join(place.directory, 'etc/telegram.token');
    expect(readFileSync(own, 'utf8')).toBe(`${telegram.token}\n`);
    expect(modeOf(own)).toBe(0o600);
    expect(written()).toContain(`\ntoken_file = ${JSON.stringify(own)}\n`);
    expect(written()).not.toContain(telegram.token.slice(12));
  });
});

describe('on a terminal', () => {
  it('asks for the homeserver of Matrix again, and for the token, until both pass', async () => {
    const [domain, matrix] = [await MatrixStandIn.start(), await MatrixStandIn.start()];
    onTestFinished(async () => {
      await domain.close();
      await matrix.close();
    });
    domain.homeserverOf = matrix.root;
    const person = terminal();
    for (const [question, reply] of [
      ['[echo] ', ''],
      ['By which channel', 'matrix'],
      ['The homeserver of the account', 'example.org'],
      ['must be an http or https URL', domain.root],
      ['The access token of the account', matrix.token],
      [`names ${matrix.root}`, ''],
      ['The homeserver of the account', matrix.root],
      ['The access token of the account', `${matrix.token}x`],
      ['does not know the access token', ''],
      ['The homeserver of the account', matrix.root],
      ['The access token of the account', matrix.token],
      ['✓ It is @bot:example.org', 'ada'],
      ['"ada" is no id', '@ada:example.org'],
      [`Write ${file}? [Y/n]`, ''],
      ['Install the systemd unit, and start it? [Y/n]', 'n'],
    ] as const) {
      await person.sees(question);
      person.type(`${reply}\n`);
    }
    expect(await person.ended).toEqual([0, null]);
    expect(person.shown()).not.toContain(matrix.token.slice(4));
    expect(readFileSync(join(place.directory, 'etc/matrix.token'), 'utf8')).toBe(`${matrix.token}\n`);
    expect(written()).toContain(`\nhomeserver = "${matrix.root}"\n`);
    expect(domain.mistakes).toEqual([]);
  });

  it('asks again for what does not pass, hides the secret, and writes once it is told to', async () => {
    const person = terminal();
    await person.sees('Which agent answers?');
    for (const [question, reply] of [
      ['[echo] ', 'commnad'],
      ['It is one of echo, command, acp, openai.', 'command'],
      ['The program and its arguments', '/nonexistent/agent'],
      ['Take it all the same? [y/N]', ''],
      ['The program and its arguments', 'cat'],
      ['By which channel', 'stripe'],
      ['A file with its secret', ''],
      ['The signing secret', 'whsec_0123456789abcdef'],
      ['The URL by which the platform reaches the gateway', ''],
    ] as const) {
      await person.sees(question);
      person.type(`${reply}\n`);
    }
    await person.sees(`Write ${file}? [Y/n]`);
    expect(existsSync(join(place.directory, 'etc'))).toBe(false);
    person.type('\n');
    await person.sees('Install the systemd unit, and start it? [Y/n]');
    person.type('n\n');
    expect(await person.ended).toEqual([0, null]);
    expect(person.shown()).not.toContain('whsec_0123456789abcdef');
    const secretFile = join(place.directory, 'etc/stripe.secret');
    expect(readFileSync(secretFile, 'utf8')).toBe('whsec_0123456789abcdef\n');
    expect(modeOf(secretFile)).toBe(0o600);
    expect(written()).toContain(`\ntoken_file = ${JSON.stringify(secretFile)}\n`);
    expect(person.shown()).toContain('https://YOUR-HOST/hooks/stripe');
  });

  it.each([
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
  ])('leaves nothing behind on %s', async (_name, key) => {
    const person = terminal('--channel', 'github');
    await person.sees('[echo] ');
    person.type('\n');
    await person.sees('A file with its secret');
    person.type('\n');
    await person.sees('The URL by which');
    person.type(key);
    expect(await person.ended).toEqual([130, null]);
    expect(person.shown()).toContain('nothing was written');
    expect(existsSync(join(place.directory, 'etc'))).toBe(false);
  });

  it('ends an agent that is being tried on Ctrl-C', async () => {
    const pidFile = join(place.directory, 'pid');
    const script = join(place.directory, 'agent.sh');
    writeFileSync(script, `#!/bin/sh\necho $$ > ${pidFile}\nexec sleep 100\n`, { mode: 0o755 });
    const person = terminal('--agent', 'acp', '--command', script);
    await person.sees('Trying it…');
    await vi.waitFor(() => expect(readFileSync(pidFile, 'utf8')).toMatch(/\n$/), 20_000);
    person.type('\u0003');
    expect(await person.ended).toEqual([130, null]);
    await vi.waitFor(() => expect(isAlive(Number(readFileSync(pidFile, 'utf8')))).toBe(false), 20_000);
    expect(existsSync(join(place.directory, 'etc'))).toBe(false);
  });

  it('shows what a server answers without letting it steer the terminal', async () => {
    // CSI as one character, which JSON leaves as it is.
    const name = '\u009b2J';
    const server = await ModelServer.listen(answer('200 OK', { data: [{ id: name }] }));
    onTestFinished(() => server.close());
    const person = terminal('--agent', 'openai', '--base-url', server.baseUrl, '--model', 'small');
    for (const question of ['A file with the key', 'By which channel']) {
      await person.sees(question);
      person.type('\n');
    }
    await person.sees('Write ');
    person.type('\u0003');
    expect(await person.ended).toEqual([130, null]);
    expect(person.shown()).toContain('\\x9b2J');
    expect(person.shown()).not.toContain(name);
  });

  it('asks before it replaces what is there', async () => {
    await init('--yes');
    writeFileSync(file, `${written()}# mine\n`);
    const person = terminal();
    await person.sees('agents default (echo); channels none.');
    await person.sees('Keep it under another name, and write a new one? [y/N]');
    person.type('\n');
    expect(await person.ended).toEqual([0, null]);
    expect(written()).toContain('# mine');
  });
});
