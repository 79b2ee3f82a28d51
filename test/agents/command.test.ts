import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextCheck } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { AgentError, type AgentEvent } from '../../src/agents/agent.js';
import { CommandAgent, type CommandAgentOptions } from '../../src/agents/command.js';
import { replyOf } from '../../src/agents/reply-of.js';
import type { TurnProcess } from '../../src/agents/turn-processes.js';
import { openFiles } from '../../src/linux/process.js';
import type { LogFields } from '../../src/log/log.js';
import { RecordingLog } from '../gateway/delivery/recording-log.js';
import { agentRequest } from '../support/agent-request.js';
import { isAlive } from '../support/is-alive.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'command-agent-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

const request = agentRequest({
  seq: 3,
  attempt: 2,
  putBacks: 1,
  text: 'hello\nwörld',
  metadata: { color: 'blue', list: [1, null] },
});

function agent(command: readonly string[], options: Partial<CommandAgentOptions> = {}) {
  const log = new RecordingLog();
  const processes = new Set<TurnProcess>();
  const made = new CommandAgent({
    command,
    timeout: 15_000,
    killDelay: 10_000,
    replyLimit: 1024 ** 2,
    input: 'json',
    output: 'text',
    memoryMax: null,
    groups: null,
    directory,
    environment: process.env,
    env: [],
    log,
    processes,
    ...options,
  });
  return {
    log,
    processes,
    run: (signal = new AbortController().signal, of = request) => replyOf(made.run(of, signal)),
    /** The reply, and the events before it. */
    async events() {
      const events: AgentEvent[] = [];
      const run = made.run(request, new AbortController().signal);
      const reply = await replyOf(run, (event) => events.push(event));
      return { reply, events };
    },
  };
}

const sh = (script: string, options?: Partial<CommandAgentOptions>) =>
  agent(['/bin/sh', '-c', script], options);
const js = (script: string, options?: Partial<CommandAgentOptions>) =>
  agent([process.execPath, '-e', script], options);

async function failure(run: Promise<unknown>): Promise<AgentError> {
  const error = await run.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (error instanceof AgentError) return error;
  throw error;
}

/** Descriptors of this very process that exec would hand on (proc(5), fdinfo: O_CLOEXEC is octal 02000000). */
function inheritable(): string[] {
  return readdirSync('/proc/self/fdinfo').filter((descriptor) => {
    try {
      const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8'));
      return (Number.parseInt(flags?.[1] ?? '0', 8) & 0o2000000) === 0;
    } catch {
      return false; // The directory that was read just now.
    }
  });
}

/**
 * A listening socket for processes that must be seen to end: each connects and stays connected for as long as it
 * lives, whatever becomes of its standard streams.
 */
async function lifeline(count: number) {
  const path = join(directory, `lifeline-${Math.random().toString(36).slice(2)}`);
  const open = new Set<Socket>();
  const server = createServer().listen(path);
  await once(server, 'listening');
  const started = new Promise<void>((resolve) => {
    server.on('connection', (socket) => {
      open.add(socket);
      if (open.size === count) resolve();
      socket.on('error', () => undefined);
      socket.on('close', () => open.delete(socket));
      socket.resume();
    });
  });
  /** Resolves when none of those that connected lives any more. */
  const ended = () => new Promise((resolve) => server.close(resolve));
  return { path, started, ended };
}

/** A Node process that holds on to the lifeline, deaf to SIGTERM or not, with children of the same kind. */
const family = (path: string, options: { deaf: boolean; children: number; rest?: string }) => `
  const { spawn } = require('node:child_process');
  ${options.deaf ? "process.on('SIGTERM', () => {});" : ''}
  const line = require('node:net').connect(${JSON.stringify(path)});
  const child = ${JSON.stringify(`${options.deaf ? "process.on('SIGTERM', () => {});" : ''} require('node:net').connect(${JSON.stringify(path)})`)};
  for (let i = 0; i < ${options.children}; i += 1) spawn(process.execPath, ['-e', child], { stdio: 'inherit' });
  ${options.rest ?? ''}
`;

describe('what a command is given', () => {
  test('the message as one line of JSON', async () => {
    const reply = await sh('cat').run();
    expect(JSON.parse(reply.text)).toEqual({
      id: 'message-1',
      session: 'alice',
      seq: 3,
      attempt: 2,
      put_backs: 1,
      generation: 1,
      turn_id: 'turn-1',
      text: 'hello\nwörld',
      metadata: { color: 'blue', list: [1, null] },
      sender: null,
    });
    expect(reply.metadata).toEqual({});
    expect((await sh('wc -l | tr -d " "').run()).text).toBe('1');
  });

  test('a place among the processes of running turns, until its turn is over', async () => {
    const { processes, run } = sh('echo $$; exec sleep 60 2>/dev/null >/dev/null');
    const cut = new AbortController();
    const ended = failure(run(cut.signal));
    await vi.waitFor(() => {
      expect([...processes]).toEqual([
        {
          pid: expect.any(Number),
          controlGroup: null,
          turnId: 'turn-1',
          messageId: 'message-1',
          session: 'alice',
        },
      ]);
    });
    cut.abort();
    await ended;
    expect(processes.size).toBe(0);
    await failure(agent(['/nonexistent'], { processes }).run());
    expect(processes.size).toBe(0);
    expect((await sh('echo $$', { processes }).run()).text).toMatch(/^\d+$/);
    expect(processes.size).toBe(0);
  });

  test('the text alone, and values in the place of whole words, if it wants them', async () => {
    const { run } = agent(
      ['/bin/sh', '-c', 'cat; echo "$0 $1 $2 $3"', '{session}', '{seq}', 'x{seq}', '{nothing}'],
      {
        input: 'text',
      },
    );
    expect((await run()).text).toBe('hello\nwörld\nalice 3 x{seq} {nothing}');
  });

  test('its arguments without a shell', async () => {
    const run = agent([
      process.execPath,
      '-p',
      'JSON.stringify(process.argv.slice(1))',
      '$HOME',
      '*',
      'a b;c',
    ]);
    expect(JSON.parse((await run.run()).text)).toEqual(['$HOME', '*', 'a b;c']);
  });

  test('an end before the gateway’s when memory runs out', async () => {
    const own = Number(readFileSync('/proc/self/oom_score_adj', 'utf8'));
    const reply = await sh('read -r turn; cat /proc/self/oom_score_adj').run();
    expect(reply.text).toBe(String(Math.min(own + 500, 1_000)));
  });

  test("an environment without what is the unit's or the gateway's", async () => {
    const environment = {
      PATH: process.env['PATH'],
      HOME: '/home/agent',
      LANG: 'C.UTF-8',
      OWN: 'kept',
      NOTIFY_SOCKET: '/run/notify',
      WATCHDOG_PID: '1',
      WATCHDOG_USEC: '1',
      LISTEN_PID: '1',
      LISTEN_FDS: '1',
      LISTEN_FDNAMES: 'http',
      CREDENTIALS_DIRECTORY: '/run/credentials/x',
      INVOCATION_ID: 'a'.repeat(32),
      SYSTEMD_EXEC_PID: '1',
      JOURNAL_STREAM: '8:1',
      MEMORY_PRESSURE_WATCH: '/sys/fs/cgroup/x',
      MALLOC_ARENA_MAX: '2',
      MALLOC_TRIM_THRESHOLD_: '1',
      LISTEN_OTHER: '1',
      EXIT_STATUS: '1',
      NODE_OPTIONS: '--max-old-space-size=64',
      NODE_COMPILE_CACHE: '/cache',
      UV_THREADPOOL_SIZE: '2',
      NODE_CHANNEL_FD: '3',
      SD_GATEWAY_TOKEN: 'secret',
      SD_GATEWAY_TOKEN_FILE: '/token',
      SD_GATEWAY_HTTP_LISTEN: '127.0.0.1:1',
      SD_GATEWAY_ATTEMPT: '77',
    };
    const run = js('process.stdout.write(JSON.stringify(process.env))', { environment });
    expect(JSON.parse((await run.run()).text)).toEqual({
      PATH: process.env['PATH'],
      HOME: join(directory, 'home'),
      LANG: 'C.UTF-8',
      OWN: 'kept',
      SD_GATEWAY_SESSION: 'alice',
      SD_GATEWAY_MESSAGE: 'message-1',
      SD_GATEWAY_TURN: 'turn-1',
      SD_GATEWAY_ATTEMPT: '2',
      SD_GATEWAY_PUT_BACKS: '1',
      SD_GATEWAY_MARK: expect.any(String),
    });
  });

  test('the variables that "env" names in any case', async () => {
    const environment = {
      HOME: '/home/nora',
      NODE_OPTIONS: '--no-warnings',
      MALLOC_ARENA_MAX: '2',
      SD_GATEWAY_TOKEN: 'secret',
      SD_GATEWAY_TURN: 'another',
    };
    const env = ['HOME', 'NODE_OPTIONS', 'SD_GATEWAY_TURN', 'NOT_SET'];
    const { text } = await js('process.stdout.write(JSON.stringify(process.env))', {
      environment,
      env,
    }).run();
    expect(JSON.parse(text)).toEqual({
      HOME: '/home/nora',
      NODE_OPTIONS: '--no-warnings',
      SD_GATEWAY_SESSION: 'alice',
      SD_GATEWAY_MESSAGE: 'message-1',
      SD_GATEWAY_TURN: 'turn-1',
      SD_GATEWAY_ATTEMPT: '2',
      SD_GATEWAY_PUT_BACKS: '1',
      SD_GATEWAY_MARK: expect.any(String),
    });
  });

  test('pipes as standard streams, which it can open by name', async () => {
    expect((await sh('cat /dev/stdin | wc -c | tr -d " "').run()).text).not.toBe('0');
    const { log, run } = sh(
      'read -r turn; echo aside >/dev/stderr; echo reply >/dev/stdout; ls -l /proc/$$/fd',
    );
    const { text } = await run();
    expect(text).toMatch(/^reply\n/);
    expect(text.match(/ [012] -> pipe:/g)).toHaveLength(3);
    expect(log.records.map(({ message }) => message)).toEqual(['agent: aside']);
  });

  test('leaves no descriptor behind, whether it was started or not', async () => {
    const count = () => readdirSync('/proc/self/fd').length;
    await sh('cat').run();
    const before = count();
    for (let turn = 0; turn < 20; turn++) {
      await sh('cat').run();
      await sh('exec 0<&-; exit 1')
        .run(undefined, { ...request, text: 'x'.repeat(1024 ** 2) })
        .catch(() => undefined);
      await failure(agent(['/no/such/program']).run());
      await failure(agent(['a\0b']).run());
    }
    await vi.waitFor(() => expect(count()).toBeLessThanOrEqual(before));
  });

  test('the soft limit of descriptors that a unit has by default, though Node raises its own', async () => {
    const own = openFiles().limit ?? 0;
    expect(own).toBeGreaterThan(1_024);
    expect((await sh('read -r turn; ulimit -Sn; ulimit -Hn').run()).text).toBe(`1024\n${own}`);
  });

  test('no descriptors but the standard streams, though the gateway has sockets open', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { text } = await agent(['/bin/ls', '/proc/self/fd']).run();
    server.close();
    // The fourth is the directory that ls itself reads; what this test was started with may be in the list too.
    const expected = new Set(['0', '1', '2', '3', ...inheritable()]);
    expect(text.split('\n').filter((descriptor) => !expected.has(descriptor))).toEqual([]);
  });

  test('no sockets passed by systemd either: Node closes those it was started with on exec', () => {
    const list =
      "require('node:child_process').spawnSync('/bin/ls', ['/proc/self/fd'], { stdio: ['ignore', 'inherit', 'inherit'] })";
    const { stdout } = spawnSync(process.execPath, ['-e', list], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit', 'pipe', 'pipe', 'pipe'],
    });
    const expected = new Set(['0', '1', '2', '3', ...inheritable()]);
    expect(
      stdout
        .trim()
        .split('\n')
        .filter((descriptor) => !expected.has(descriptor)),
    ).toEqual([]);
  });

  test('the directory of its session, which is kept, and a home', async () => {
    expect((await sh('pwd; echo first >notes').run()).text).toBe(join(directory, 'sessions/alice'));
    expect((await sh('cat notes; echo $HOME').run()).text).toBe(`first\n${join(directory, 'home')}`);
    const other = sh('pwd; ls').run(undefined, { ...request, session: '../bob' });
    expect((await other).text).toBe(join(directory, 'sessions/%2E.%2Fbob'));
  });

  test('a session and process group of its own', async () => {
    const [pid, group, session] = (await sh('cut -d" " -f1,5,6 /proc/$$/stat').run()).text.split(' ');
    expect([group, session]).toEqual([pid, pid]);
  });
});

describe('the reply', () => {
  test.each([
    ['one line feed at the end is taken off', "printf 'a\\n\\n'", 'a\n'],
    ['a carriage return with it', "printf 'a\\r\\n'", 'a'],
    ['none to take off', "printf ' a '", ' a '],
    ['nothing is an empty reply', 'true', ''],
    ['UTF-8', "printf '\\303\\244\\360\\237\\230\\200'", 'ä😀'],
  ])('%s', async (_name, script, expected) => {
    expect((await sh(script).run()).text).toBe(expected);
  });

  test('is whole when it is as large as it may be', async () => {
    const run = js("process.stdout.write('x'.repeat(1024 ** 2))");
    expect((await run.run()).text.length).toBe(1024 ** 2);
  });

  test.each([
    ['invalid UTF-8', "printf 'a\\377b'", /UTF-8/],
    ['cut off within a character', "printf 'a\\303'", /UTF-8/],
    ['a NUL byte', "printf 'a\\000b'", /NUL/],
  ])('%s is refused', async (_name, script, message) => {
    const error = await failure(sh(script).run());
    expect(error).toMatchObject({ reason: 'bad-reply', retry: true });
    expect(error.message).toMatch(message);
  });

  test('a command that writes too much is ended with its children', async () => {
    const line = await lifeline(2);
    const run = js(
      family(line.path, {
        deaf: false,
        children: 1,
        rest: "line.on('connect', () => setInterval(() => process.stdout.write('x'.repeat(4096)), 1));",
      }),
      {
        replyLimit: 200_000,
      },
    );
    const error = await failure(run.run());
    expect(error.reason).toBe('bad-reply');
    expect(error.message).toContain('agent.reply_limit');
    await line.ended();
  });

  test('comes though the command does not read 1 MiB of input', async () => {
    const large = { ...request, text: 'x'.repeat(1024 ** 2) };
    const { log, run } = sh('echo done');
    expect((await run(undefined, large)).text).toBe('done');
    expect((await sh('exec 0<&-; sleep 0.1; echo closed').run(undefined, large)).text).toBe('closed');
    expect(log.records).toEqual([]);
  });

  test('1 MiB of input reaches a command that reads it', async () => {
    const large = { ...request, text: 'ä'.repeat(512 * 1024) };
    const { text } = await js(
      "let s=''; process.stdin.setEncoding('utf8').on('data', (d) => { s += d; }).on('end', () => console.log(JSON.parse(s).text.length))",
    ).run(undefined, large);
    expect(text).toBe('524288');
  });
});

describe('text that comes while the command runs', () => {
  const deltas = (events: readonly AgentEvent[]) =>
    events.flatMap((event) => (event.type === 'delta' ? [event.text] : []));

  test('is its standard output, less the line feed at its end', async () => {
    const { reply, events } = await js(
      `process.stdout.write('one\\n'); setTimeout(() => process.stdout.write('two ü\\n'), 200)`,
    ).events();
    expect(reply.text).toBe('one\ntwo ü');
    expect(events[0]).toEqual({ type: 'started' });
    expect(deltas(events)).toEqual(['one', '\ntwo ü']);
  });

  test('is in events, one a line, where the command says so', async () => {
    const lines = [
      { type: 'status', text: 'reads files' },
      { type: 'delta', text: 'one ' },
      { type: 'delta', text: 'two' },
      { type: 'usage', input_tokens: 7, output_tokens: 2, more: true },
    ];
    const script = `for (const line of ${JSON.stringify(lines)}) console.log(JSON.stringify(line));`;
    const { reply, events } = await js(script, { output: 'jsonl' }).events();
    expect(reply).toEqual({ text: 'one two', metadata: {} });
    expect(deltas(events)).toEqual(['one ', 'two']);
    expect(events).toContainEqual({ type: 'status', text: 'reads files' });
    expect(events).toContainEqual({ type: 'usage', usage: { inputTokens: 7, outputTokens: 2 } });
    const last = { type: 'reply', text: 'all of it', metadata: { a: 1 } };
    const said = await js(`${script} process.stdout.write(${JSON.stringify(JSON.stringify(last))})`, {
      output: 'jsonl',
    }).events();
    expect(said.reply).toEqual({ text: 'all of it', metadata: { a: 1 } });
    const bare = await js('console.log(\'{"type": "reply", "text": "done"}\')', { output: 'jsonl' }).events();
    expect(bare.reply).toEqual({ text: 'done', metadata: {} });
  });

  test.each([
    ['no JSON', 'hello', 'line 1 on standard output is no event (agent.output is "jsonl"): "hello"'],
    ['another type', '{"type": "dleta", "text": "x"}', 'line 1 on standard output is no event'],
    ['a NUL byte', '{"type": "delta", "text": "\\u0000"}', 'has a NUL byte'],
    [
      'too much',
      `{"type": "delta", "text": "${'x'.repeat(200)}"}`,
      'larger than 100 bytes (agent.reply_limit)',
    ],
    ['no object as metadata', '{"type": "reply", "metadata": []}', 'standard output must be an object'],
    [
      'large metadata',
      `{"type": "reply", "metadata": {"a": "${'x'.repeat(16_400)}"}}`,
      'larger than 16384 bytes',
    ],
    [
      'numbers that are none',
      `{"type": "reply", "metadata": {"a": [${'1e999,'.repeat(500)}1]}}`,
      'beyond double',
    ],
  ])('fails the turn if a line has %s', async (_what, line, message) => {
    const { run } = js(`console.log(${JSON.stringify(line)})`, { output: 'jsonl', replyLimit: 100 });
    const error = await failure(run());
    expect(error.reason).toBe('bad-reply');
    expect(error.message).toContain(message);
  });
});

describe('how a command ends', () => {
  test('by another status than 0: the end of its standard error is in the error', async () => {
    const error = await failure(sh("echo first >&2; printf 'no \\033[31mmodel\\033[0m' >&2; exit 3").run());
    expect(error).toMatchObject({ reason: 'failed', retry: true });
    expect(error.message).toBe('the command exited with status 3; standard error ends: first\nno model');
  });

  test('the tail of a flood on standard error is bounded, and so is the log', async () => {
    const { log, run } = js(
      "for (let i = 0; i < 5000; i += 1) console.error('line ' + i); process.exitCode = 1",
    );
    const error = await failure(run());
    expect(error.message.length).toBeLessThan(1_200);
    expect(error.message).toMatch(/line 4998\nline 4999$/);
    expect(log.records.length).toBe(1_001);
    expect(log.records.at(-1)?.message).toContain('4000 more lines');
  });

  test('the last of a flood on standard error is in the error, and how much was left out on record', async () => {
    const { log, run } = sh('yes | head -n 200000 >&2; printf "the \\303\\244nd" >&2; exit 1');
    const error = await failure(run());
    expect(error.message).toMatch(/y\ny\nthe änd$/);
    expect(log.records.at(-1)?.message).toBe('agent: (199001 more lines on standard error, not logged)');
    expect(log.records.length).toBe(1_001);
  });

  test('a turn that was cut off has on record what its command had written', async () => {
    const { log, run } = sh('seq 1 400 >&2; exec sleep 60', { timeout: 500 });
    expect((await failure(run())).reason).toBe('timeout');
    expect(log.records.map(({ message }) => message)).toEqual(
      Array.from({ length: 400 }, (_, index) => `agent: ${index + 1}`),
    );
  });

  test('by a signal', async () => {
    const error = await failure(sh('kill -SEGV $$').run());
    expect(error).toMatchObject({ reason: 'killed', retry: true });
    expect(error.message).toContain('SIGSEGV');
  });

  test('standard error goes to the log with the session and the message', async () => {
    const { log, run } = sh('echo one >&2; printf two >&2; echo reply');
    expect((await run()).text).toBe('reply');
    const fields: LogFields = { SD_GATEWAY_SESSION: 'alice', SD_GATEWAY_MESSAGE: 'message-1' };
    expect(log.records).toEqual([
      { priority: 'info', message: 'agent: one', fields },
      { priority: 'info', message: 'agent: two', fields },
    ]);
  });

  test('not started: it does not exist, may not be executed, is no program, or has no directory', async () => {
    const file = join(directory, 'not-a-program');
    writeFileSync(file, 'x');
    const missing = await failure(agent(['/no/such/program']).run());
    expect(missing).toMatchObject({ reason: 'unavailable', retry: false });
    expect(missing.message).toMatch(/"\/no\/such\/program".*ENOENT; check/);
    const forbidden = await failure(agent([file]).run());
    expect(forbidden).toMatchObject({ reason: 'unavailable', retry: false });
    expect(forbidden.message).toMatch(/EACCES; check/);
    const script = join(directory, 'lost-interpreter');
    writeFileSync(script, '#!/no/such/interpreter\n');
    chmodSync(script, 0o755);
    expect((await failure(agent([script]).run())).message).toContain('interpreter');
    const lost = await failure(agent(['/bin/true'], { directory: file }).run());
    expect(lost).toMatchObject({ reason: 'unavailable', retry: true });
    expect(lost.message).toContain(`${file}/home`);
  });

  test('children that hold its output open do not hold up the turn, and are ended', async () => {
    const line = await lifeline(2);
    const run = js(
      family(line.path, {
        deaf: false,
        children: 1,
        rest: "process.on('SIGUSR1', () => { process.stdout.write('reply\\n', () => process.exit(0)); }); console.error(process.pid)",
      }),
    );
    const logged = run.log.next();
    const reply = run.run();
    await line.started;
    process.kill(Number((await logged).message.replace('agent: ', '')), 'SIGUSR1');
    expect((await reply).text).toBe('reply');
    await line.ended();
  });

  test('a process that got away does not hold up the turn, and what was written before arrives', async () => {
    const line = await lifeline(1);
    const orphan = `require('node:net').connect(${JSON.stringify(line.path)}).on('data', () => process.exit())`;
    const reply = await js(
      `const child = require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(orphan)}], { detached: true, stdio: 'inherit', env: {} });
       process.stdout.write('x'.repeat(300_000) + child.pid, () => process.exit(0));`,
    ).run();
    expect(reply.text.length).toBeGreaterThan(300_000);
    await line.started;
    process.kill(Number(reply.text.slice(300_000)), 'SIGKILL');
    await line.ended();
  });
});

/** Counts the turns of the event loop until it is stopped. */
function countTurns() {
  const counter = { turn: 0, stop: () => clearImmediate(next) };
  const count = () => {
    counter.turn += 1;
    next = setImmediate(count);
  };
  let next = setImmediate(count);
  return counter;
}

describe('a command that writes without end', () => {
  test('has its lines logged a few in each turn of the event loop', async () => {
    const counter = countTurns();
    const { log, run } = sh('yes | head -n 2000 >&2');
    const turns: number[] = [];
    const info = log.info;
    log.info = (message, fields) => {
      turns.push(counter.turn);
      info(message, fields);
    };
    await run();
    counter.stop();
    const most = Math.max(...turns.map((turn) => turns.filter((each) => each === turn).length));
    // Lines that come, and lines that go on in the same turn.
    expect(most).toBeLessThanOrEqual(100);
  });

  test('waits for the gateway, which reads what it does not log at its leisure', async () => {
    const size = 24 * 1024 ** 2;
    const began = performance.now();
    await sh(`yes | head -c ${size} >&2`).run();
    // At most two reads of 64 KiB in 5 ms.
    expect(performance.now() - began).toBeGreaterThan((size / (2 * 65_536)) * 5);
  });

  test('has the last of it in the error all the same', async () => {
    const error = await failure(sh('yes | head -c 1M >&2; echo the end >&2; exit 1').run());
    expect(error.message).toMatch(/y\nthe end$/);
  });
});

describe('after a pause of the whole process', () => {
  /** Nothing of the event loop runs until the command has exited, which is not read yet then, and so long. */
  function pause(pidFile: string, milliseconds: number): void {
    const end = performance.now() + milliseconds;
    const stat = () => {
      const pid = /^(\d+)\n/.exec(existsSync(pidFile) ? readFileSync(pidFile, 'utf8') : '')?.[1];
      return pid === undefined ? '' : readFileSync(`/proc/${pid}/stat`, 'utf8');
    };
    const sleeper = new Int32Array(new SharedArrayBuffer(4));
    while (performance.now() < end || !/\) Z /.test(stat())) Atomics.wait(sleeper, 0, 0, 5);
  }

  test.each(['its own time is over', 'its signal is aborted'])(
    'in which a command has exited its reply is taken, though %s',
    async (what) => {
      const pidFile = join(directory, `pid-${what.replaceAll(' ', '-')}`);
      const controller = new AbortController();
      const isAborted = what.includes('aborted');
      // The timers come next.
      await nextCheck();
      // As the dispatcher does it.
      if (isAborted) setTimeout(() => setImmediate(() => controller.abort()), 50);
      const reply = sh(`echo $$ > ${pidFile}; echo done`, { timeout: isAborted ? 15_000 : 50 }).run(
        controller.signal,
      );
      pause(pidFile, 100);
      expect((await reply).text).toBe('done');
      expect(controller.signal.aborted).toBe(isAborted);
    },
  );
});

describe('ending a command', () => {
  test.each([
    ['that obeys SIGTERM', false, 10_000],
    ['that is deaf to SIGTERM', true, 100],
  ])('by timeout, with its children, one %s', async (_name, deaf, killDelay) => {
    const line = await lifeline(3);
    const run = js(family(line.path, { deaf, children: 2 }), { timeout: 1_500, killDelay });
    const error = await failure(run.run());
    expect(error).toMatchObject({ reason: 'timeout', retry: true });
    expect(error.message).toContain('agent.timeout');
    await line.ended();
  });

  test('by cancelling, with its children, before the turn is over', async () => {
    const line = await lifeline(3);
    const controller = new AbortController();
    const outcome = failure(
      js(family(line.path, { deaf: true, children: 2 }), { killDelay: 50 }).run(controller.signal),
    );
    await line.started;
    controller.abort();
    expect((await outcome).reason).toBe('cancelled');
    await line.ended();
  });

  test('a child that outlives an obedient leader is killed in the end', async () => {
    const line = await lifeline(2);
    const deafChild = `process.on('SIGTERM', () => {}); require('node:net').connect(${JSON.stringify(line.path)})`;
    const controller = new AbortController();
    const outcome = failure(
      js(
        `require('node:net').connect(${JSON.stringify(line.path)});
         require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(deafChild)}], { stdio: 'ignore' })`,
        { killDelay: 200 },
      ).run(controller.signal),
    );
    await line.started;
    controller.abort();
    expect((await outcome).reason).toBe('cancelled');
    await line.ended();
  });

  test('with what has left its group and lost its parent', async () => {
    const { text } = await sh('setsid sh -c "sleep 1000 & echo \\$!"; exit 0').run();
    expect(isAlive(Number(text))).toBe(false);
  });

  test('cancelled before it began: nothing is started', async () => {
    const error = await failure(agent(['/no/such/program']).run(AbortSignal.abort()));
    expect(error).toMatchObject({ reason: 'cancelled', retry: true });
  });

  test('by cancelling, though a process that got away writes for ever', async () => {
    const line = await lifeline(1);
    const controller = new AbortController();
    // So short lines that it has written more by the time that some are read.
    const { log, run } = js(
      `console.error(process.pid);
       process.on('SIGUSR1', () => process.exit(0));
       require('node:net').connect(${JSON.stringify(line.path)});
       require('node:child_process').spawn('/usr/bin/yes', [], { detached: true, stdio: ['ignore', 2, 'ignore'], env: {} });`,
    );
    const logged = log.next();
    const over = run(controller.signal).catch(() => undefined);
    const leader = Number((await logged).message.replace('agent: ', ''));
    await line.started;
    while (log.records.length < 100) await log.next();
    process.kill(leader, 'SIGUSR1');
    await line.ended();
    controller.abort();
    await over;
  });

  test('a reply that comes after the cancelling is not taken', async () => {
    const controller = new AbortController();
    const run = sh("trap 'echo late; exit 0' TERM; echo ready >&2; while :; do sleep 0.01; done");
    const ready = run.log.next();
    const outcome = failure(run.run(controller.signal));
    await ready;
    controller.abort();
    expect((await outcome).reason).toBe('cancelled');
  });
});

/** Leaves in its own process group a process that has ended and whose parent, outside of the group, doesn't reap it. */
const leavesZombie = `
import os, sys, time
group = os.getpgid(0)
read, write = os.pipe()
if os.fork() == 0:
    os.setpgid(0, 0)
    if os.fork() == 0:
        os.setpgid(0, group)
        os._exit(0)
    os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    os.write(write, b"x")
    time.sleep(20)
    os._exit(0)
os.read(read, 1)
print("done")
`;

test('a group of which only zombies are left is empty, as in a container whose PID 1 reaps nothing', async () => {
  const { run, processes } = agent(['python3', '-c', leavesZombie], { killDelay: 10_000 });
  const began = performance.now();
  expect((await run()).text).toBe('done');
  expect(performance.now() - began).toBeLessThan(5_000);
  expect(processes.size).toBe(0);
}, 30_000);
