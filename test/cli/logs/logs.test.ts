import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Absence, explainAbsence, formatRecord, run } from '../../../src/cli/logs/logs.js';
import { logsMatches, logsRequest, startMatches } from '../../../src/cli/logs/request.js';
import { findCommand, parseCommand, UsageError } from '../../../src/cli/usage.js';
import { fakeProgram } from '../../manager/fake-program.js';
import { SystemctlDouble } from '../systemctl-double.js';

vi.mock('../../../src/manager/journal.js', async (original) => ({
  ...(await original<object>()),
  mayReadJournal: () => null,
}));

const ask = (...words: readonly string[]) => logsRequest(parseCommand(findCommand('logs'), words));
const plain = { paint: (_style: string, text: string) => text };
const id = '0123456789abcdef0123456789abcdef';

describe('what is asked for', () => {
  it.each([
    [[], { lines: 100, follow: false }],
    [['-f'], { lines: 10, follow: true }],
    [['-f', '--since', 'today'], { lines: null, since: 'today' }],
    [['--session', 'a'], { lines: null, session: 'a' }],
    [['-n', '0'], { lines: 0 }],
    [['-p', 'error'], { priority: 3 }],
    [['-p', '7'], { priority: 7 }],
    [['--invocation', '01234567-89AB-cdef-0123-456789abcdef'], { invocation: { id } }],
    [['--invocation', 'previous', '-n', '5'], { invocation: 'previous', lines: 5 }],
  ])('%j is %j', (words, wanted) => {
    expect(ask(...words)).toMatchObject(wanted);
  });

  it.each([
    ['--lines', 'many'],
    ['--lines', '-1'],
    ['--lines='],
    ['--priority', 'loud'],
    ['--priority', '8'],
    ['--invocation', 'last'],
    ['--session', ''],
    ['-f', '--until', 'today'],
    ['-f', '--since', 'today', '-n', '3'],
    ['-f', '--invocation', 'previous'],
  ])('%s %s is refused', (...words) => {
    expect(() => ask(...words)).toThrow(UsageError);
  });
});

describe('what journalctl is asked', () => {
  const none = { invocation: null, session: null, message: null, priority: null };

  it.each([
    ['system', none, ['_SYSTEMD_UNIT=x.service', '+', 'UNIT=x.service', '_PID=1']],
    ['user', none, ['_SYSTEMD_USER_UNIT=x.service', '_UID=7', '+', 'USER_UNIT=x.service', '_UID=7']],
    [
      'user',
      { ...none, invocation: id },
      ['_SYSTEMD_USER_UNIT=x.service', '_UID=7', `_SYSTEMD_INVOCATION_ID=${id}`]
        .concat('+')
        .concat('USER_UNIT=x.service', '_UID=7', `USER_INVOCATION_ID=${id}`),
    ],
    [
      'system',
      { ...none, session: 'a', priority: 1 },
      ['_SYSTEMD_UNIT=x.service', 'SD_GATEWAY_SESSION=a', 'PRIORITY=0', 'PRIORITY=1'],
    ],
  ] as const)('of a %s unit, %j', (scope, narrowing, matches) => {
    expect(logsMatches({ scope, name: 'x.service', uid: 7 }, narrowing)).toEqual(matches);
  });

  it('tells starts by the manager’s records alone', () => {
    expect(startMatches({ scope: 'system', name: 'x.service', uid: 0 }).slice(0, 2)).toEqual([
      'UNIT=x.service',
      '_PID=1',
    ]);
  });
});

describe('a record as a person reads it', () => {
  it('has further lines indented, its session and message, and nothing that steers a terminal', () => {
    const text = formatRecord(
      {
        __REALTIME_TIMESTAMP: '1700000000000000',
        MESSAGE: 'Crash\u001b[2J: no\n  at one\n  at two\n',
        SYSLOG_IDENTIFIER: 'sd-gateway',
        SD_GATEWAY_SESSION: 'chat\u001b\n42',
        PRIORITY: '2',
      },
      plain,
    );
    expect(text).toMatch(
      /^2023-11-\d\d \d\d:\d\d:\d\d Crash\\x1b\[2J: no \[chat\\x1b 42\]\n {6}at one\n {6}at two\n$/,
    );
  });

  it('names who wrote it, where that was not the gateway', () => {
    expect(formatRecord({ MESSAGE: 'Started', SYSLOG_IDENTIFIER: 'systemd' }, plain)).toContain(
      ' systemd: Started\n',
    );
  });
});

describe('why there is nothing', () => {
  const absence: Absence = {
    unit: 'x.service',
    scope: 'user',
    loadState: 'loaded',
    narrowed: false,
    mayRead: true,
    hasRun: true,
    foreground: false,
    otherScopeHasUnit: false,
    mayReadOther: true,
  };

  it.each([
    [{ loadState: 'not-found', foreground: true }, 'started in the foreground'],
    [{ loadState: 'not-found', otherScopeHasUnit: true }, 'add --system'],
    [{ loadState: 'not-found', otherScopeHasUnit: true, mayReadOther: false }, 'put sudo before'],
    [{ loadState: 'not-found' }, 'sd-gateway install'],
    [{ mayRead: false }, 'systemd-journal'],
    [{ mayRead: null }, 'Storage='],
    [{ hasRun: false }, 'has not been started yet'],
    [{ loadState: null, hasRun: false }, 'can’t be asked whether there is such a unit'],
    [{ narrowed: true }, 'leave out an option'],
    [{}, 'SystemMaxUse='],
  ] as const)('%j: %s', (change, text) => {
    expect(explainAbsence({ ...absence, ...change }).join(' ')).toContain(text);
  });
});

describe('with a journal', () => {
  it('has the version of the form in each line of JSON, as the other commands have', async () => {
    const double = new SystemctlDouble();
    onTestFinished(() => double.remove());
    double.says('sd-gateway.service', { LoadState: 'loaded', InvocationID: id });
    fakeProgram('journalctl', 'console.log(JSON.stringify({ MESSAGE: "hello" }))');
    const written: string[] = [];
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0);
    await run(parseCommand(findCommand('logs'), ['--user', '--json']));
    vi.restoreAllMocks();
    expect(written.map((line) => JSON.parse(line))).toEqual([{ version: 1, MESSAGE: 'hello' }]);
  });
});

it('says that journald does not run, whatever it still shows', async () => {
  const double = new SystemctlDouble();
  onTestFinished(() => double.remove());
  double.says('sd-gateway.service', { LoadState: 'loaded', InvocationID: id });
  double.says('systemd-journald.service', { LoadState: 'loaded', ActiveState: 'failed' });
  fakeProgram('journalctl', 'console.log(JSON.stringify({ MESSAGE: "hello" }))');
  expect(await run(parseCommand(findCommand('logs'), ['--user', '--json']))).toBe(0);
  expect(double.said).toMatch(
    /^sd-gateway: journald does not run .*systemctl start systemd-journald\.service$/m,
  );
  expect(double.said).toContain('hello');
});

describe('without a journal', () => {
  let double: SystemctlDouble;
  beforeEach(() => {
    double = new SystemctlDouble();
    double.says('sd-gateway.service', { LoadState: 'loaded', InvocationID: id });
    fakeProgram('journalctl', '');
  });
  afterEach(() => {
    double.remove();
  });

  it.each([
    ['lines are missed', ['--lines', '1'], /^sd-gateway: There is no journal file/],
    ['none are, where none were asked for', ['--lines', '0'], /^$/],
    ['who follows it is told', ['--follow'], /^sd-gateway: There is no journal file/],
  ])('%s', async (_what, words, said) => {
    await run(parseCommand(findCommand('logs'), ['--user', ...words]));
    expect(double.said).toMatch(said);
  });
});
