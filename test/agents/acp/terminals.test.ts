import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isAlive } from '../../support/is-alive.js';
import { Place, said, turn } from './fixture.js';

type Step = readonly [method: string, params?: object];

/** A request of the agent, and the end of its line of the reply. */
const step = ([method, params]: Step) => `terminal ${method} ${JSON.stringify(params ?? {})}`;

const create = (script: string, params: object = {}): Step => [
  'create',
  { command: 'sh', args: ['-c', script], ...params },
];
const output: Step = ['output', { at: 0 }];
const exit: Step = ['wait_for_exit', { at: 0 }];
const kill: Step = ['kill', { at: 0 }];
const release: Step = ['release', { at: 0 }];

/** The answers to requests of one turn; a text is a step of its own. */
async function answers(steps: readonly (Step | string)[], place = new Place(), options: object = {}) {
  const agent = place.agent({}, { terminals: 2, ...options });
  const script = steps.map((each) => (typeof each === 'string' ? each : step(each)));
  const text = await said(agent, script);
  return text.trimEnd().split('\n');
}

const made = expect.stringMatching(/^\{"terminalId":"terminal-[0-9a-f-]{36}"\}$/);

test('none are offered unless they are configured', async () => {
  const place = new Place();
  const [answer] = await answers([create('true')], place, { terminals: 0 });
  expect(answer).toMatch(/^-32601 /);
  expect(place.asked()[0]?.params).toMatchObject({ clientCapabilities: { terminal: false } });
  await answers(['say x'], place);
  expect(place.asked().findLast(({ method }) => method === 'initialize')?.params).toMatchObject({
    clientCapabilities: { terminal: true },
  });
});

describe('a terminal', () => {
  test('has what its command wrote, in order, and its exit status', async () => {
    const script = 'echo one; echo two >&2; echo three; cat; exit 3';
    expect(await answers([create(script), exit, output, exit])).toEqual([
      made,
      '{"exitCode":3,"signal":null}',
      '{"output":"one\\ntwo\\nthree\\n","truncated":false,"exitStatus":{"exitCode":3,"signal":null}}',
      '{"exitCode":3,"signal":null}',
    ]);
  });

  test('keeps the end of its output within the limit', async () => {
    const steps = [create('echo one; printf "ääää"', { outputByteLimit: 5 }), exit, output];
    expect((await answers(steps)).at(-1)).toBe(
      '{"output":"ää","truncated":true,"exitStatus":{"exitCode":0,"signal":null}}',
    );
  });

  test('keeps no more than a mebibyte, whatever the agent wants', async () => {
    const steps = [create('head -c 3000000 /dev/zero | tr "\\0" x', { outputByteLimit: 1e12 }), exit, output];
    const replies = await answers(steps, new Place(), { replyLimit: 2 * 1024 ** 2 });
    const { output: text, truncated } = JSON.parse(replies.at(-1) ?? '');
    expect([text.length, truncated]).toEqual([1024 ** 2, true]);
  });

  test('has the directory and the environment of the agent, and what the request adds', async () => {
    const place = new Place();
    const environment = { ...process.env, NOTIFY_SOCKET: '/x', MODEL_KEY: 'k' };
    const script =
      'echo "$PWD $HOME $MODEL_KEY $NOTIFY_SOCKET $SD_GATEWAY_SESSION $ADDED"; test "$SD_GATEWAY_MARK" != x';
    const env = [
      { name: 'ADDED', value: 'a=b' },
      { name: 'SD_GATEWAY_MARK', value: 'x' },
    ];
    const text = (await answers([create(script, { env }), exit, output], place, { environment })).at(-1);
    const { directory } = place;
    expect(JSON.parse(text ?? '')).toMatchObject({
      output: `${directory}/sessions/alice ${directory}/home k  alice a=b\n`,
      exitStatus: { exitCode: 0 },
    });
  });

  test('runs a line of a shell, if it has no arguments', async () => {
    const steps: readonly Step[] = [['create', { command: 'echo one && echo two | tr t T' }], exit, output];
    expect((await answers(steps)).at(-1)).toContain('"output":"one\\nTwo\\n"');
  });

  test('ends with all that it has started, by a kill or with its command', async () => {
    const child = 'setsid sleep 1000 >/dev/null & echo $!';
    const [, killed, , status] = await answers([create(`${child}; sleep 1000`), 'shown', kill, exit]);
    expect(status).toBe('{"exitCode":null,"signal":"SIGTERM"}');
    const [, ended] = await answers([create(child), 'shown', exit]);
    for (const pid of [killed, ended]) {
      expect(Number(pid)).toBeGreaterThan(0);
      expect(isAlive(Number(pid))).toBe(false);
    }
  });

  test('that ignores SIGTERM gets SIGKILL', async () => {
    const script = 'trap "" TERM; echo on; while :; do sleep 0.05; done';
    const steps = [create(script), 'shown', kill, exit];
    expect((await answers(steps, new Place(), { killDelay: 50 })).at(-1)).toContain('SIGKILL');
  });

  test('is unknown once it is released, and in another turn', async () => {
    const place = new Place();
    const agent = place.agent({}, { terminals: 2 });
    const steps = [create('sleep 1000'), release, output, kill, create('sleep 1000')];
    const unknown = /^-32002 the turn has no terminal "terminal-/;
    const first = (await said(agent, steps.map(step))).trimEnd().split('\n');
    expect(first).toEqual([made, '{}', expect.stringMatching(unknown), expect.stringMatching(unknown), made]);
    expect(await said(agent, step(['output', { at: 1 }]))).toMatch(unknown);
  });

  test('can be waited for until the agent takes the request back', async () => {
    const text = await said(new Place().agent({}, { terminals: 1 }), [
      step(create('sleep 1000')),
      'takeBack',
    ]);
    expect(text).toMatch(/-32800$/);
  });

  test('is part of its turn, as the process of the agent is', async () => {
    const place = new Place();
    const agent = place.agent({}, { terminals: 1 });
    const seen: string[] = [];
    await turn(agent, [step(create('echo $$; cat; sleep 1000')), 'shown'], {}, undefined, ({ type }) => {
      if (type === 'delta') seen.push([...place.processes].map(({ turnId }) => turnId).join());
    });
    expect(seen).toContain('turn-1,turn-1');
    await place.isClear();
  });
});

describe('the end of a turn ends its terminals', () => {
  const script = [step(create('trap "" TERM; echo $$; while :; do sleep 0.05; done')), 'shown'];

  test.each<[what: string, end: string, reason: string | null]>([
    ['that ends well', 'say done', null],
    ['that fails', 'error 400 x', 'failed'],
    ['whose agent dies', 'die', 'killed'],
    ['that is cancelled', 'hang', 'cancelled'],
  ])('%s', async (_, end, reason) => {
    const place = new Place();
    const cancel = new AbortController();
    let text = '';
    const agent = place.agent({}, { terminals: 1, killDelay: 50 });
    const { error } = await turn(agent, [...script, end], {}, cancel.signal, (event) => {
      if (event.type === 'delta') text += event.text;
      if (end === 'hang' && /\n\d+\n/.test(text)) cancel.abort();
    });
    expect(error?.reason ?? null).toBe(reason);
    const pid = Number(/\n(\d+)\n/.exec(text)?.[1]);
    expect(pid).toBeGreaterThan(0);
    expect(isAlive(pid)).toBe(false);
    await place.isClear();
  });
});

describe('a request that can’t be met has an error', () => {
  test('by what is wrong', async () => {
    const cases: readonly [params: object, error: RegExp][] = [
      [{}, /^-32602 "command" must be the name of a program/],
      [{ command: '' }, /^-32602 "command"/],
      [{ command: 'a\0b' }, /^-32602 "command"/],
      [{ command: '/nonexistent' }, /^-32600 .*could not be started.*ENOENT/],
      [{ command: 'ls', args: 'x' }, /^-32602 "args"/],
      [{ command: 'ls', args: [1] }, /^-32602 "args"/],
      [{ command: 'ls', args: ['x'.repeat(4_000_000)] }, /^-32600 .*E2BIG/],
      [{ command: 'ls', env: { A: 'b' } }, /^-32602 "env"/],
      [{ command: 'ls', env: [{ name: 'A=', value: '' }] }, /^-32602 "env"/],
      [{ command: 'ls', cwd: 'deep' }, /^-32602 "cwd" must be an absolute path/],
      [{ command: 'ls', cwd: '/etc' }, /^-32602 \/etc: it is not below the directory/],
      [{ command: 'ls', cwd: '/nonexistent/a' }, /^-32002 \/nonexistent\/a: ENOENT/],
      [{ command: 'ls', cwd: `/${'x'.repeat(9_000)}` }, /^-32002 \/x+…/],
      [{ command: 'ls', outputByteLimit: -1 }, /^-32602 "outputByteLimit"/],
      [{ command: 'ls', sessionId: 'x' }, /^-32600 .* only during a turn of the session/],
    ];
    const place = new Place();
    const errors = await answers(
      cases.map(([params]) => ['create', params]),
      place,
    );
    for (const [at, [, error]] of cases.entries()) expect(errors[at]).toMatch(error);
    for (const error of errors) expect(error.length).toBeLessThan(1_100);
    // None of them counts.
    expect((await answers([create('true')], place)).at(0)).toEqual(made);
  });

  test('a directory below is fine, and one that a link leads out of is not', async () => {
    const cwd = join(new Place().directory, 'work');
    mkdirSync(join(cwd, 'deep'), { recursive: true });
    symlinkSync('/etc', join(cwd, 'deep/out'));
    const at = (path: string) => create('pwd', { cwd: join(cwd, path) });
    const [, , text, outside] = await answers([at('deep'), exit, output, at('deep/out')], new Place(), {
      cwd,
    });
    expect(text).toContain(`"output":"${cwd}/deep\\n"`);
    expect(outside).toMatch(/^-32602 .*deep\/out: it is not below/);
  });

  test('an unknown terminal, and none', async () => {
    expect(
      await answers([['output', { terminalId: 'x' }], ['kill'], ['release', { terminalId: {} }]]),
    ).toEqual([
      '-32002 the turn has no terminal "x"',
      '-32002 the turn has no terminal undefined',
      '-32002 the turn has no terminal {}',
    ]);
  });

  test('more terminals than there may be, where one that was released counts until it has ended', async () => {
    const limit = '3 terminals are open, which is the limit (agent.terminals): release one';
    const stubborn = create('trap "" TERM; echo x; while :; do sleep 0.05; done');
    const options = { terminals: 3, killDelay: 500 };
    const place = new Place();
    const agent = place.agent({}, options);
    expect(await said(agent, 'terminals 90')).toBe(`3 ${limit}`);
    const steps = [stubborn, create('true'), create('true'), 'shown', release, create('true')];
    expect((await answers(steps, place, options)).at(-1)).toBe(`-32600 ${limit}`);
    const ended = [create('true'), exit, release, create('true'), create('true'), create('true')];
    expect((await answers(ended, place, options)).at(-1)).toEqual(made);
  });
});
