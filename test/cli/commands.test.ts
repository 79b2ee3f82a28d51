import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandReference } from '../../src/cli/docs/help.js';
import { commands } from '../../src/cli/usage.js';
import { configurationReference } from '../../src/config/written.js';
import { Receiver, status } from '../gateway/delivery/receiver.js';
import { Place, program } from './foreground.js';

let place: Place;
beforeAll(() => {
  place = new Place();
});
afterAll(() => {
  place.remove();
});

describe('the command line', () => {
  it.each<[string[], number, RegExp, RegExp]>([
    [['--version'], 0, /^sd-gateway \d+\.\d+\.\d+\n$/, /^$/],
    [['--help'], 0, /^sd-gateway: a message gateway.*\bcheck-config\b/s, /^$/],
    [['help', 'send'], 0, /Usage: sd-gateway send \[OPTION…\] \[TEXT\]/, /^$/],
    [['send', '--help'], 0, /--session NAME/, /^$/],
    [['help', '--help'], 0, /^sd-gateway: a message gateway/, /^$/],
    [['help', '-h'], 0, /^sd-gateway: a message gateway/, /^$/],
    [['help', 'help'], 0, /^sd-gateway: a message gateway/, /^$/],
    [['version'], 0, /^sd-gateway \d+\.\d+\.\d+\n$/, /^$/],
    [['-v'], 0, /^sd-gateway \d+\.\d+\.\d+\n$/, /^$/],
    [['check-config', '-o', 'json'], 0, /^\{.*"valid":true/, /^$/],
    [['check-config', '--output=json'], 0, /^\{.*"valid":true/, /^$/],
    [['check-config', '-o', 'text'], 0, /^# no file/, /^$/],
    [['check-config', '-o', 'yaml'], 64, /^$/, /--output is "json" or "text", not "yaml"/],
    [
      ['diagnostics', '-o', 'json', '--output', '/nonexistent/report.tar.gz'],
      1,
      /^\{"version":1,"error":\{.*ENOENT/,
      /ENOENT.*\/nonexistent\/report\.tar\.gz/,
    ],
    [['schedule', 'post'], 64, /^$/, /post needs NAME/],
    [['completion', '-o', 'json', 'bash'], 64, /^\{"version":1,"error":/, /unknown option "-o"/],
    [['token'], 64, /^$/, /ACTION \[NAME\] is missing/],
    [['token', 'rotate'], 64, /^$/, /unknown action "rotate"; it is one of show, add, list, revoke/],
    [['token', 'show'], 69, /^$/, /no token: there is none in .*token/],
    [[], 64, /^$/, /Usage: sd-gateway COMMAND/],
    [['sned', 'x'], 64, /^$/, /unknown command "sned"; did you mean "send"\?/],
    [['frobnicate'], 64, /^$/, /unknown command "frobnicate"\n/],
    [['help', 'runn'], 64, /^$/, /did you mean "run"\?/],
    [
      ['run', '--confg', 'x'],
      64,
      /^$/,
      /unknown option "--confg"; did you mean "--config"\?\nTry "sd-gateway help run"/,
    ],
    [['run', '--config'], 64, /^$/, /--config needs FILE/],
    [['run', 'x'], 64, /^$/, /"x" is one word too many/],
    [['send'], 64, /^$/, /TEXT or --file is missing/],
    [
      ['send', 'two', 'words'],
      64,
      /^$/,
      /"words" is one word too many \(a text with blanks goes in quotes\)/,
    ],
    [['send', '--json=yes', 'x'], 64, /^$/, /--json takes no value/],
    [['send', '--wait', 'long', 'x'], 64, /^$/, /--wait needs a time such as "30s"/],
    [['send', '--url', 'nowhere', 'x'], 64, /^$/, /"nowhere" is no address/],
    [['send', '--url', 'localhost:8733', 'x'], 64, /^$/, /"localhost:8733" is no address/],
    [['dead', 'list', '--url', 'ftp://host/'], 64, /^$/, /"ftp:\/\/host\/" is no address/],
    [['send', '--instance', 'a/b', 'x'], 64, /^$/, /"a\/b" is no name of an instance/],
    [['--config', 'x', 'run'], 64, /^$/, /"--config" must come after a command/],
    [['stop'], 69, /^$/, /no gateway answers at .*control\.sock\. Is it running, and as this user\?/],
    [['restart'], 69, /^$/, /no gateway answers/],
    [['send', 'x'], 69, /^$/, /no token: there is none in .*token/],
    [
      ['check-config', '--config', '/nonexistent.toml'],
      78,
      /^$/,
      /\/nonexistent\.toml: can't be read: there is no such file/,
    ],
    [['check-config'], 0, /^# no file: defaults and environment.*\[stop\]\ndrain = "30s"\n/s, /^$/],
    [
      ['check-config', '--json'],
      0,
      /^\{"version":1,"valid":true,"file":null,"unit":null,"configuration":\{/,
      /^$/,
    ],
  ])('%j ends with %d', async (argv, status, stdout, stderr) => {
    const ended = await place.run(argv);
    expect(ended.stdout).toMatch(stdout);
    expect(ended.stderr).toMatch(stderr);
    expect(ended.status).toBe(status);
  });

  it('warns of an agent whose program is not there, and takes the configuration all the same', async () => {
    const { status, stderr } = await place.run(['check-config'], {
      SD_GATEWAY_AGENT_COMMAND: 'no-such-agent',
    });
    expect(status).toBe(0);
    expect(stderr).toMatch(
      /^sd-gateway: agents\.default: the program no-such-agent is not there, or not in the PATH \//,
    );
  });

  it('says in JSON what is wrong with a configuration', async () => {
    const ended = await place.run(['check-config', '--json'], { SD_GATEWAY_STOP_DRAIN: 'x' });
    expect(ended.status).toBe(78);
    expect(JSON.parse(ended.stdout)).toMatchObject({
      valid: false,
      problems: [{ where: 'SD_GATEWAY_STOP_DRAIN' }],
    });
  });

  it('says what to run where the addon is missing', async () => {
    const ended = await place.run(['run'], { SD_GATEWAY_PREBUILD: '/nonexistent' });
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain('npm rebuild sd-gateway');
    expect(ended.stderr).not.toContain('    at ');
  });

  it('is as wide as elsewhere on a terminal that does not know its width', () => {
    // A new pseudo-terminal has none.
    const script = `import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
try:
    while said := os.read(terminal, 4096):
        sys.stdout.buffer.write(said)
except OSError:
    pass
os.waitpid(pid, 0)
`;
    const parameters = ['-c', script, process.execPath, program, 'help'];
    const said = execFileSync('python3', parameters, { env: place.environment, encoding: 'utf8' });
    expect(said).toMatch(/^ {2}send +Send a message, wait for the reply and print it\.\r$/m);
  });

  it('keeps every line of the help within the width', async () => {
    for (const { name } of commands) {
      const { stdout } = await place.run(['help', name]);
      for (const line of stdout.split('\n')) {
        if (!line.startsWith('  sd-gateway ') && !line.startsWith('  SD_GATEWAY'))
          expect(line.length).toBeLessThanOrEqual(80);
      }
    }
  });
});

describe('a reader that is gone', () => {
  /** Runs a command whose standard output or error nobody reads. */
  async function unread(stream: 'stdout' | 'stderr', argv: readonly string[]): Promise<number | null> {
    const child = spawn(process.execPath, [program, ...argv], { env: place.environment });
    child[stream].destroy();
    for (const other of [child.stdout, child.stderr]) other.resume();
    const [status] = (await once(child, 'close')) as [number | null];
    return status;
  }

  it('ends what only tells something, and nothing that is to be done', async () => {
    const gateway = await place.start({
      SD_GATEWAY_AGENT_TYPE: 'command',
      SD_GATEWAY_AGENT_COMMAND: JSON.stringify(['/bin/false']),
      SD_GATEWAY_DISPATCH_MAX_ATTEMPTS: '1',
    });
    for (const session of ['a', 'b', 'c']) await place.run(['send', '--session', session, 'fails']);
    expect(await unread('stdout', ['dead', 'list'])).toBe(0);
    expect(await unread('stdout', ['dead', 'discard', '--all'])).toBe(0);
    expect((await place.run(['dead'])).stdout).toBe('No message is dead\n');
    // Progress of the gateway goes to standard error.
    expect(await unread('stderr', ['stop'])).toBe(0);
    expect((await gateway.end).status).toBe(0);
  });
});

describe('send', () => {
  it('reads standard input, tells a refused token, and what a dead or a slow message is', async () => {
    const gateway = await place.start({
      SD_GATEWAY_AGENT_TYPE: 'command',
      SD_GATEWAY_AGENT_COMMAND: JSON.stringify([
        '/bin/sh',
        '-c',
        'read line; case $line in *fail*) exit 3;; *slow*) sleep 100;; esac; echo done',
      ]),
      SD_GATEWAY_DISPATCH_MAX_ATTEMPTS: '1',
      SD_GATEWAY_STOP_DRAIN: '0',
    });
    expect(await place.run(['send', '-'], {}, 'from a pipe\n')).toMatchObject({
      status: 0,
      stdout: 'done\n',
    });
    const refused = await place.run(['send', 'x'], { SD_GATEWAY_TOKEN: 'wrong' });
    expect(refused).toMatchObject({ status: 77, stdout: '' });
    expect(refused.stderr).toContain('does not accept the token in SD_GATEWAY_TOKEN. Unset it');
    const dead = await place.run(['send', '--session', 'a', 'fail']);
    expect(dead).toMatchObject({ status: 1, stdout: '' });
    expect(dead.stderr).toMatch(/message [0-9a-f-]{36} is dead: .*status 3/);
    const [id = ''] = /[0-9a-f-]{36}/.exec(dead.stderr) ?? [];
    const lines = (await place.run(['dead', 'show', id, '--json'])).stdout.split('\n');
    expect(lines).toEqual([expect.stringContaining('"state":"dead"'), '']);
    const slow = await place.run(['send', '--session', 'b', '--wait', '100ms', 'slow']);
    expect(slow).toMatchObject({ status: 75, stdout: '' });
    expect(slow.stderr).toMatch(/no reply yet; message [0-9a-f-]{36} goes on/);
    const bad = await place.run(['send', '--session', 'a b', 'x']);
    expect(bad).toMatchObject({ status: 1, stdout: '' });
    expect(bad.stderr).toContain('the gateway refused the message: ');
    expect((await place.run(['stop'])).status).toBe(0);
    await gateway.end;
    const gone = await place.run(['send', 'x']);
    expect(gone).toMatchObject({ status: 69, stdout: '' });
    expect(gone.stderr).toContain('no gateway answers at unix:');
    expect(gone.stderr).toMatch(
      /Start it with "sd-gateway run.*", or "sd-gateway install --now.*" as a service/,
    );
  });

  it.each([
    ['of Windows', 'secret\r', 69, 'no gateway answers at unix:'],
    ['that no header can carry', 'ключ', 69, 'the token in SD_GATEWAY_TOKEN must be of the characters '],
    ['of two lines', 'a\nb', 69, 'the token in SD_GATEWAY_TOKEN must be of the characters '],
  ])('says what is wrong with a token %s', async (_what, token, status, text) => {
    const ended = await place.run(['send', '--url', `unix:${place.directory}/none.sock`, 'x'], {
      SD_GATEWAY_TOKEN: token,
    });
    expect(ended.stderr).toContain(`sd-gateway: ${text}`);
    expect(ended.stderr).not.toContain('    at ');
    expect(ended.status).toBe(status);
  });

  it('says that another program answers where the gateway should', async () => {
    const other = createHttpServer((request, response) => {
      request.resume();
      response.writeHead(501, { 'Content-Type': 'text/html' }).end('<p>Unsupported method</p>');
    });
    const path = join(place.directory, 'other.sock');
    await once(other.listen(path), 'listening');
    const ended = await place.run(['send', '--url', `unix:${path}`, 'x'], { SD_GATEWAY_TOKEN: 'x' });
    other.close();
    expect(ended.stderr).toContain('what answers there is no gateway (HTTP status 501)');
    expect(ended.status).toBe(1);
  });

  it.each([
    ['a date', new Date(Date.now() + 60_000).toUTCString()],
    ['no number', 'soon'],
    ['no time', '0'],
  ])('does not ask a gateway without end that says to come again in %s', async (_what, retryAfter) => {
    let asked = 0;
    const busy = createHttpServer((request, response) => {
      asked += 1;
      request.resume();
      response.writeHead(503, { 'Retry-After': retryAfter }).end();
    });
    const path = join(place.directory, 'busy.sock');
    await once(busy.listen(path), 'listening');
    const ended = await place.run(['send', '--url', `unix:${path}`, '--wait', '2s', 'x'], {
      SD_GATEWAY_TOKEN: 'x',
    });
    busy.close();
    expect(ended.stderr).toContain('the gateway refused the message: HTTP status 503');
    expect(ended.status).toBe(69);
    expect(asked).toBeLessThanOrEqual(3);
  });

  it('gives up on a gateway that hangs up', async () => {
    const path = join(place.directory, 'rude.sock');
    const rude = createServer((socket) => socket.destroy()).listen(path);
    const ended = await place.run(['send', '--url', `unix:${path}`, 'x'], { SD_GATEWAY_TOKEN: 'x' });
    rude.close();
    // It may have taken the message before.
    expect(ended.stderr).toContain('it may have accepted the message');
    expect(ended.status).toBe(75);
  });
});

describe('dead discard', () => {
  it('gives up a reply that waits for its host, and those behind it go out; not while it is posted', async () => {
    let refuse = () => {};
    const to = await Receiver.listen((_request, response) => {
      refuse = () => response.writeHead(500, { 'retry-after': '3600' }).end();
    }, status(200));
    const gateway = await place.start({
      SD_GATEWAY_DELIVERY_ALLOW: '["127.0.0.0/8"]',
      SD_GATEWAY_DELIVERY_TIMEOUT: '5min',
    });
    const ids: string[] = [];
    for (const text of ['first', 'second']) {
      const body = { text, reply_to: { url: to.url() } };
      ids.push(String((await place.client.post('/v1/sessions/a/messages', body, {})).body?.['id']));
    }
    const [first = '', second = ''] = ids;
    await to.arrived(1);
    const busy = await place.run(['dead', 'discard', first]);
    expect(busy).toMatchObject({ status: 1, stdout: '' });
    expect(busy.stderr).toContain('Its reply is being posted just now.');
    refuse();
    await gateway.says('Attempt 1 to deliver a reply failed');
    const discarded = await place.run(['dead', 'discard', first, '--json']);
    expect(discarded.status).toBe(0);
    expect(JSON.parse(discarded.stdout)).toMatchObject({ id: first, state: 'cancelled' });
    await to.arrived(2);
    expect(JSON.parse(to.received[1]?.body ?? '')).toMatchObject({ data: { id: second } });
    expect(await place.run(['dead', 'discard', first])).toMatchObject({
      status: 0,
      stdout: `Discarded ${first}\n`,
    });
    expect((await place.run(['stop'])).status).toBe(0);
    await gateway.end;
    await to.close();
  });
});

describe('the documentation', () => {
  it.each([
    ['configuration.md', configurationReference],
    ['commands.md', commandReference],
  ])('docs/%s is what the source says', (file, reference) => {
    const text = readFileSync(new URL(`../../docs/${file}`, import.meta.url), 'utf8');
    expect(text).toContain(`-->\n${reference()}<!-- end -->`);
  });
});
