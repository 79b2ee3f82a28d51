import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readRuns } from '../../src/store/sqlite/tools/offline.js';
import Database from '../support/sqlite.mjs';
import { type Ended, type Gateway, Place, program } from './foreground.js';

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => {
  place.remove();
});

describe('a gateway in the foreground', () => {
  it('answers, and is stopped through its control socket with progress', async () => {
    const gateway = await place.start();
    const sent = await place.run(['send', 'hello']);
    expect(sent).toMatchObject({ status: 0, stdout: 'hello\n', stderr: '' });
    const stopped = await place.run(['stop']);
    expect(stopped.status).toBe(0);
    expect(stopped.stderr).toContain('Stopping (stop asked for through the control socket by node');
    expect((await gateway.end).status).toBe(0);
  });

  it('gives those whose messages became one turn its reply, each to each', async () => {
    const open = join(place.directory, 'open');
    await place.start({
      SD_GATEWAY_DISPATCH_POLICY: 'collect',
      SD_GATEWAY_AGENT_TYPE: 'command',
      SD_GATEWAY_AGENT_COMMAND: JSON.stringify([
        '/bin/sh',
        '-c',
        `until test -e ${open}; do sleep 0.05; done; exec cat`,
      ]),
    });
    const { client } = place;
    const sent: Promise<Ended>[] = [];
    for (const [text, session] of [
      ['one', { last_seq: 1, running: true }],
      ['two', { last_seq: 2 }],
      ['three', { last_seq: 3 }],
    ] as const) {
      sent.push(place.run(['send', text]));
      await vi.waitFor(async () => {
        expect((await client.get('/v1/sessions/cli')).body).toMatchObject(session);
      }, 5_000);
    }
    writeFileSync(open, '');
    const ends = await Promise.all(sent);
    expect(ends.map(({ status }) => status)).toEqual([0, 0, 0]);
    const texts = ends.map(({ stdout }) => (JSON.parse(stdout) as { readonly text: string }).text);
    expect(texts).toEqual(['one', 'two\n\nthree', 'two\n\nthree']);
  });

  it('is asked for a reply twice a second where it lets nobody wait', async () => {
    let asked = 0;
    const server = createServer((request, response) => {
      request.resume();
      if (request.method === 'GET') asked += 1;
      response.writeHead(request.method === 'GET' ? 200 : 202, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ id: 'id', state: 'running' }));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const ended = await place.run(['send', '--url', url, '--wait', '2s', 'hi'], { SD_GATEWAY_TOKEN: 'x' });
    server.close();
    expect(ended.status).toBe(75);
    expect(asked).toBeGreaterThan(1);
    expect(asked).toBeLessThanOrEqual(5);
  });

  it.each([
    ['SIGTERM', {}, 1, 'unexpected SIGTERM by '],
    ['SIGINT', {}, 1, 'unexpected SIGINT by '],
    ['SIGQUIT', {}, 1, 'unexpected SIGQUIT by '],
    // The test is the gateway's parent, as a container's init would be.
    ['SIGTERM', { SD_GATEWAY_SUPERVISOR: 'container' }, 0, 'planned stop by '],
    ['SIGTERM', { INVOCATION_ID: '0123456789abcdef0123456789abcdef' }, 0, 'planned stop by '],
  ] as const)('%s with %j ends with %d', async (signal, environment, status, text) => {
    const gateway = await place.start(environment);
    gateway.child.kill(signal);
    const end = await gateway.end;
    expect(end.stderr).toContain(`Stopping: ${text}`);
    expect(end).toMatchObject({ status, signal: null });
  });

  it('names a foreign killer, under an INVOCATION_ID', async () => {
    const gateway = await place.start({ INVOCATION_ID: '0123456789abcdef0123456789abcdef' });
    const killer = spawn('sh', ['-c', `kill -TERM ${gateway.child.pid}; exec cat`]);
    const end = await gateway.end;
    killer.stdin.end();
    await once(killer, 'close');
    expect(end.status).toBe(1);
    expect(end.stderr).toMatch(/Stopping: foreign kill: SIGTERM by (sh|cat) \(PID \d+, UID \d+\)/);
    const record = end.stderr.split('\n').find((line) => line.includes('foreign kill'));
    expect(JSON.parse(record ?? '')).toMatchObject({
      priority: 'err',
      SD_GATEWAY_STOP_CAUSE: 'foreign-kill',
      SD_GATEWAY_SENDER_PID: String(killer.pid),
    });
  });

  it('takes Ctrl-C as a stop by the person, and a second one at its word', async () => {
    // A pseudo-terminal of its own; "type" writes what the person at it would.
    const script = `import os, pty, signal, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
seen = b""
def until(text):
    global seen
    while text not in seen:
        seen += os.read(terminal, 4096)
until(b"Ready after")
for _ in range(int(os.environ["INTERRUPTS"])):
    os.write(terminal, b"\\x03")
    until(b"Stopping: stop from the keyboard")
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status))
`;
    const run = (interrupts: number, environment: NodeJS.ProcessEnv) => {
      try {
        execFileSync('python3', ['-c', script, process.execPath, program, 'run'], {
          env: { ...place.environment, ...environment, INTERRUPTS: String(interrupts) },
          stdio: 'pipe',
        });
        return 0;
      } catch (error) {
        return (error as { status: number }).status;
      }
    };
    expect(run(1, {})).toBe(0);
    // A terminal that was started by a unit hands on its id; it is a terminal all the same.
    expect(run(1, { INVOCATION_ID: '0123456789abcdef0123456789abcdef' })).toBe(0);
  });

  it.each([
    ['it leads the terminal’s session', [process.execPath, program, 'run'], {}],
    [
      'a shell does, as in an ssh session',
      ['sh', '-c', `${process.execPath} ${program} run; true`],
      { INVOCATION_ID: '0123456789abcdef0123456789abcdef' },
    ],
  ])('ends as by Ctrl-C when its terminal is closed: %s', async (_what, words, environment) => {
    const script = `import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
seen = b""
while b"Ready after" not in seen:
    seen += os.read(terminal, 4096)
os.close(terminal)
os.waitpid(pid, 0)
`;
    execFileSync('python3', ['-c', script, ...words], { env: { ...place.environment, ...environment } });
    const database = join(place.directory, 'state/gateway.db');
    // The shell ends before it.
    await expect
      .poll(() => readRuns(database)?.[0]?.stop, { timeout: 10_000 })
      .toMatchObject({
        cause: 'keyboard',
        description: 'end of the terminal',
        exitStatus: 0,
      });
  });

  it('believes no sender that names itself', async () => {
    const gateway = await place.start({ INVOCATION_ID: '0123456789abcdef0123456789abcdef' });
    // A siginfo_t of SIGTERM: si_signo, si_errno, si_code SI_QUEUE, si_pid of the supervisor. Python has no call for it.
    const script = `import ctypes, platform, struct, sys
number = {"x86_64": 129, "aarch64": 138}[platform.machine()]
record = ctypes.create_string_buffer(struct.pack("<iiiiiI", 15, 0, -1, 0, int(sys.argv[2]), 0), 128)
sys.exit(ctypes.CDLL(None).syscall(number, int(sys.argv[1]), 15, record))
`;
    execFileSync('python3', ['-c', script, String(gateway.child.pid), String(process.pid)]);
    const end = await gateway.end;
    expect(end.status).toBe(1);
    expect(end.stderr).toMatch(
      /Stopping: foreign kill: SIGTERM by an unproven sender, which calls itself \S+ \(PID \d+, UID 0\)"/,
    );
  });

  it('calls a run no crash whose end a restored backup can’t have', async () => {
    const database = join(place.directory, 'state/gateway.db');
    const copy = join(place.directory, 'copy.db');
    const stop = async (gateway: Gateway) => {
      expect((await place.run(['stop'])).status).toBe(0);
      await gateway.end;
      for (const suffix of ['', '-wal', '-shm']) rmSync(`${database}${suffix}`, { force: true });
      copyFileSync(copy, database);
    };
    const first = await place.start();
    expect((await place.run(['store', 'backup', copy])).status).toBe(0);
    await stop(first);
    // The backup is of the last run, whose end lies beside it.
    const second = await place.start();
    await second.says('The last run ended cleanly: stop asked for through the control socket');
    await stop(second);
    const third = await place.start();
    await third.says('The end of the last run is not on record: the database is older than that run');
    third.child.kill('SIGKILL');
    expect((await third.end).stderr).not.toContain('did not end as planned');
    // This one ended without a word, in this database.
    const fourth = await place.start();
    await fourth.says('The last run did not end as planned: without a word');
  });

  it('says that it has made a database anew where it had one', async () => {
    const first = await place.start();
    expect((await place.run(['stop'])).status).toBe(0);
    expect((await first.end).stderr).not.toContain('no record of an earlier run');
    for (const suffix of ['', '-wal', '-shm', '-seal']) {
      rmSync(join(place.directory, `state/gateway.db${suffix}`), { force: true });
    }
    await (await place.start()).says('The store has no record of an earlier run');
  });

  it('ends at once with 130 on a second Ctrl-C while a turn runs, and its command with it', () => {
    const held = join(place.directory, 'held');
    const script = `import os, pty, subprocess, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
seen = b""
def until(text):
    global seen
    while text not in seen:
        seen += os.read(terminal, 4096)
until(b"Ready after")
subprocess.run([sys.argv[1], sys.argv[2], "send", "--wait", "0", "work"], stderr=subprocess.DEVNULL)
until(b"begun")
os.write(terminal, b"\\x03")
until(b"Stopping: stop from the keyboard")
os.write(terminal, b"\\x03")
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status))
`;
    let status = 0;
    try {
      execFileSync('python3', ['-c', script, process.execPath, program, 'run'], {
        env: {
          ...place.environment,
          SD_GATEWAY_LOG_LEVEL: 'debug',
          SD_GATEWAY_AGENT_TYPE: 'command',
          SD_GATEWAY_AGENT_COMMAND: JSON.stringify([
            '/bin/sh',
            '-c',
            `exec 9>${held}; flock 9; echo begun >&2; sleep 1000`,
          ]),
        },
        stdio: 'pipe',
      });
    } catch (error) {
      status = (error as { status: number }).status;
    }
    expect(status).toBe(130);
    // The command holds this lock for as long as it or its child lives; another start would run the turn again.
    execFileSync('flock', ['--timeout', '10', held, 'true']);
  });

  it('delivers a reply that was made during the drain before it ends', async () => {
    const received: string[] = [];
    const receiver = createServer((request, response) => {
      received.push(String(request.headers['webhook-id']));
      response.end();
    });
    await once(receiver.listen(0, '127.0.0.1'), 'listening');
    const go = join(place.directory, 'go');
    const gateway = await place.start({
      SD_GATEWAY_SUPERVISOR: 'container',
      SD_GATEWAY_LOG_LEVEL: 'debug',
      SD_GATEWAY_DELIVERY_ALLOW: '127.0.0.0/8',
      SD_GATEWAY_AGENT_TYPE: 'command',
      SD_GATEWAY_AGENT_COMMAND: JSON.stringify([
        '/bin/sh',
        '-c',
        `echo begun >&2; until test -e ${go}; do sleep 0.05; done; echo done`,
      ]),
    });
    const { client } = place;
    const { port } = receiver.address() as AddressInfo;
    const message = { text: 'work', reply_to: { url: `http://127.0.0.1:${port}/` } };
    expect((await client.post('/v1/sessions/a/messages', message, {})).status).toBe(202);
    await gateway.says('begun');
    gateway.child.kill('SIGTERM');
    await gateway.says('Stopping: planned stop');
    writeFileSync(go, '');
    expect((await gateway.end).status).toBe(0);
    expect(received).toHaveLength(1);
    receiver.close();
  });

  it('keeps its files to itself', async () => {
    const gateway = await place.start();
    for (const [path, mode] of [
      ['state', 0o700],
      ['run', 0o700],
      ['state/token', 0o600],
      ['state/gateway.db', 0o600],
      ['run/control.sock', 0o600],
    ] as const) {
      expect([path, (statSync(join(place.directory, path)).mode & 0o777).toString(8)]).toEqual([
        path,
        mode.toString(8),
      ]);
    }
    gateway.child.kill('SIGKILL');
    await gateway.end;
  });

  it('is alone with its state: a second one does not start (1), and is told who is there', async () => {
    const gateway = await place.start();
    const second = await place.run(['run']);
    expect(second.status).toBe(1);
    expect(second.stderr).toContain(`is in use by the process with PID ${gateway.child.pid}`);
    // After kill -9 nothing is in the way.
    gateway.child.kill('SIGKILL');
    await gateway.end;
    const third = await place.start();
    third.child.kill('SIGKILL');
  });

  it('is alone with its database, also where another one knows that by a symbolic link', async () => {
    const gateway = await place.start();
    mkdirSync(join(place.directory, 'other'));
    const link = join(place.directory, 'other/link.db');
    symlinkSync(join(place.directory, 'state/gateway.db'), link);
    const second = await place.run(['run'], {
      STATE_DIRECTORY: join(place.directory, 'other'),
      RUNTIME_DIRECTORY: join(place.directory, 'other'),
      SD_GATEWAY_HTTP_LISTEN: `unix:${place.directory}/other.sock`,
      SD_GATEWAY_STORE_PATH: link,
    });
    expect(second.status).toBe(1);
    expect(second.stderr).toContain(`gateway.db is in use by the process with PID ${gateway.child.pid}`);
    gateway.child.kill('SIGKILL');
  });

  it('takes over from another one with --takeover: it drains, and its work goes on', async () => {
    const go = join(place.directory, 'go');
    const agent = {
      SD_GATEWAY_AGENT_TYPE: 'command',
      SD_GATEWAY_AGENT_COMMAND: JSON.stringify([
        '/bin/sh',
        '-c',
        `echo begun >&2; until test -e ${go}; do sleep 0.05; done; echo done`,
      ]),
      SD_GATEWAY_STOP_DRAIN: '100ms',
    };
    const first = await place.start(agent);
    const { client } = place;
    const posted = await client.post('/v1/sessions/a/messages', { text: 'work' }, {});
    await first.says('begun');
    const second = await place.start(agent, '--takeover');
    const { status, stderr } = await first.end;
    expect(status).toBe(0);
    expect(stderr).toContain('1 put back for the next start');
    writeFileSync(go, '');
    const answer = await client.get(`/v1/messages/${String(posted.body?.['id'])}?wait=20`);
    expect(answer.body).toMatchObject({ state: 'replied', reply: { text: 'done' } });
    second.child.kill('SIGTERM');
    expect((await second.end).stderr).toMatch(
      new RegExp(`Taking over from the process with PID ${first.child.pid}, .*which has the state directory`),
    );
  });

  it('counts the messages that a stop has made dead, in its records and in the status', async () => {
    const agent = {
      SD_GATEWAY_AGENT_TYPE: 'command',
      SD_GATEWAY_AGENT_COMMAND: JSON.stringify(['/bin/sh', '-c', 'echo begun >&2; sleep 600']),
      SD_GATEWAY_AGENT_RETRY: 'never',
      SD_GATEWAY_STOP_DRAIN: '100ms',
    };
    const gateway = await place.start(agent);
    await place.client.post('/v1/sessions/a/messages', { text: 'work' }, {});
    await gateway.says('begun');
    gateway.child.kill('SIGTERM');
    const { stderr } = await gateway.end;
    expect(stderr).toMatch(/Drained in \d+ ms: 1 ended, 0 put back for the next start, 1 message dead/);
    expect(stderr).toMatch(/Stopped after .*; 1 turn ended, 0 put back for the next start, 1 message dead;/);
    const again = await place.start(agent);
    const status = await place.run(['status']);
    expect(status.stdout.replaceAll(/\s+/g, ' ')).toContain('nothing put back; 1 message dead');
    again.child.kill('SIGTERM');
    await again.end;
  });

  it.each([
    [
      'its address',
      { SD_GATEWAY_HTTP_LISTEN: '192.0.2.77:8733' },
      /could not listen on 192\.0\.2\.77:8733 \(EADDRNOTAVAIL/,
    ],
    ['its token', {}, /could not start: The token in .*token is open to other users/],
  ])('with --takeover leaves the other one alone if it can’t have %s', async (what, environment, reason) => {
    const first = await place.start();
    if (what === 'its token') chmodSync(join(place.directory, 'state/token'), 0o644);
    const end = await place.run(['run', '--takeover'], environment);
    expect(end.stderr).toMatch(reason);
    expect(end.status).toBe(78);
    expect(await place.client.get('/healthz')).toMatchObject({ status: 200 });
    first.child.kill('SIGKILL');
  });

  it('ends with 78 on the name of an instance that can’t be, in one line', async () => {
    for (const name of ['team\\x2da-bot', 'a/b', '']) {
      const end = await place.run(['run', '--instance', name]);
      expect(end.status).toBe(78);
      expect(end.stderr).toMatch(/^sd-gateway: --instance: ".*" is no name of an instance: [^\n]*\n$/);
    }
  });

  it('can’t take over from a process that is no gateway', async () => {
    await (await place.start()).child.kill('SIGKILL');
    const holder = spawn('flock', [join(place.directory, 'state/lock'), 'sleep', '60'], { stdio: 'ignore' });
    await once(holder, 'spawn');
    await expect
      .poll(() => readFileSync('/proc/locks', 'utf8').includes(` ${holder.pid} `), { timeout: 5_000 })
      .toBe(true);
    const end = await place.run(['run', '--takeover']);
    holder.kill('SIGKILL');
    expect(end.status).toBe(78);
    expect(end.stderr).toMatch(/is in use by the process with PID \d+, flock, and no gateway answers at/);
  });

  it.each([[['run']], [['install', '--print']], [['doctor']]])(
    '%j with a Node.js that is too old says so in one line, before anything else',
    (words) => {
      const old = join(place.directory, 'old.cjs');
      writeFileSync(
        old,
        "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.19.0' } });",
      );
      const ended = spawnSync(process.execPath, ['--require', old, program, ...words], {
        env: place.environment,
        encoding: 'utf8',
        timeout: 10_000,
      });
      expect(ended.stderr).toBe(
        `sd-gateway: Node.js 18.19.0 (${process.execPath}) is too old: 20.19 or later is needed. Nothing was done.\n`,
      );
      expect(ended).toMatchObject({ status: 78, stdout: '' });
    },
  );

  it('ends with 78 on an unusable configuration, naming every problem', async () => {
    mkdirSync(join(place.directory, 'etc'));
    writeFileSync(
      join(place.directory, 'etc/sd-gateway.toml'),
      '[http]\nlisen = 1\n[stop]\ndrain = "soon"\n',
    );
    const end = await place.run(['run']);
    expect(end.status).toBe(78);
    expect(end.stderr).toContain(
      'sd-gateway.toml:2:1: unknown key \\"lisen\\" in [http]; did you mean \\"listen\\"?',
    );
    expect(end.stderr).toContain('sd-gateway.toml:4:1: stop.drain: must be a number of seconds');
  });

  it('ends with 78 on a database of a newer version, and leaves that as it is', async () => {
    const gateway = await place.start();
    await place.run(['stop']);
    await gateway.end;
    const path = join(place.directory, 'state/gateway.db');
    const database = new Database(path);
    database.pragma('user_version = 999');
    database.close();
    const before = readFileSync(path);
    const ended = await place.run(['run']);
    expect(ended.status).toBe(78);
    expect(ended.stderr).toMatch(/gateway\.db .*newer/);
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('ends with 78 where the path of its control socket is too long, and binds no other', async () => {
    const runtime = join(place.directory, 'r'.repeat(100));
    const ended = await place.run(['run'], { RUNTIME_DIRECTORY: runtime });
    expect(ended.stderr).toContain('is longer than the 107 bytes');
    expect(ended.status).toBe(78);
    expect(readdirSync(place.directory).sort()).toEqual(['r'.repeat(100), 'state']);
  });

  it('ends with 78 on a token that no client could send', async () => {
    mkdirSync(join(place.directory, 'state'));
    writeFileSync(join(place.directory, 'state/token'), 'hunter2!\n', { mode: 0o600 });
    const ended = await place.run(['run']);
    expect(ended.status).toBe(78);
    expect(ended.stderr).toMatch(/The token in .*\/state\/token must be of the characters A-Z/);
  });

  it('refuses http.listen = "systemd" without a passed socket', async () => {
    const end = await place.run(['run'], { SD_GATEWAY_HTTP_LISTEN: 'systemd' });
    expect(end.status).toBe(78);
    expect(end.stderr).toContain('asks for a socket from systemd, which passed none');
  });
});
