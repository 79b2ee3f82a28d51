import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { describeExit } from '../../../src/cli/operate/describe-exit.js';
import {
  describeResult,
  elsewhereLines,
  explainFailure,
  explainStop,
  noAnswerLines,
  nothingToStartLines,
  whyUnusable,
} from '../../../src/cli/operate/failure.js';
import { commandFor, managerTrouble, systemctlFor } from '../../../src/cli/operate/find.js';
import { tellingRecords } from '../../../src/cli/operate/journal.js';
import { unitState } from '../../../src/cli/operate/unit.js';
import {
  awaitIdle,
  describeWork,
  refusalIn,
  type Work,
  waitText,
  workIn,
} from '../../../src/cli/operate/wait.js';
import { Spinner } from '../../../src/cli/terminal.js';
import { ProgramError } from '../../../src/manager/program.js';
import { ServiceManagerError } from '../../../src/manager/service-manager.js';
import { exited, failed, plain, shown, target, unit } from './samples.js';

describe('a unit’s facts', () => {
  it('are read from what systemctl prints', () => {
    expect(unitState('system', 'sd-gateway.service', shown)).toMatchObject({
      loadState: 'loaded',
      path: '/etc/systemd/system/sd-gateway.service',
      dropIns: [],
      enabled: 'enabled',
      since: Date.parse('2026-11-23T16:52:57Z'),
      mainPid: 147,
      exit: null,
      restartDelay: 2_000,
      startTimeout: 90_000,
      startLimit: { burst: 100, interval: 600_000 },
      watchdog: { timeout: 30_000, lastPing: Date.parse('2026-11-23T16:59:55Z') },
      memory: { current: 70_373_376, peak: null, high: null, max: 536_870_912 },
    });
  });

  it('say since when it runs, whenever it was reloaded', () => {
    const running = { ...shown, ActiveEnterTimestamp: 'Mon 2026-11-23 16:00:00 UTC' };
    const since = Date.parse('2026-11-23T16:00:00Z');
    expect(unitState('system', 'sd-gateway.service', running).since).toBe(since);
    const stopped = { ...running, ActiveState: 'inactive', SubState: 'dead' };
    expect(unitState('system', 'sd-gateway.service', stopped).since).toBe(Date.parse('2026-11-23T16:52:57Z'));
  });

  it('say null for what is not set, not known or without a limit', () => {
    const facts = unitState('user', 'sd-gateway.service', {
      LoadState: 'not-found',
      MemoryCurrent: '[not set]',
      MemoryPeak: '18446744073709551615',
      MainPID: '0',
      InvocationID: '',
      WatchdogUSec: '0',
      StartLimitBurst: '5',
      StartLimitIntervalUSec: '0',
      LoadError: 'org.freedesktop.systemd1.NoSuchUnit "Unit sd-gateway.service not found."',
      ExecMainCode: '2',
      ExecMainStatus: '9',
    });
    expect(facts).toMatchObject({
      memory: { current: null, peak: null, high: null, max: null },
      mainPid: null,
      invocationId: null,
      watchdog: null,
      startLimit: null,
      since: null,
      loadError: 'Unit sd-gateway.service not found.',
      exit: { how: 'killed', status: 9 },
    });
  });
});

describe('a unit’s own directories', () => {
  it.each([
    ['sd-gateway.service', 'agent-cache sd-gateway', 'sd-gateway'],
    ['sd-gateway.service', 'agent-cache sd-gateway-2', null],
    ['sd-gateway.service', 'moved', 'moved'],
    ['sd-gateway.service', '', null],
    ['sd-gateway-a.service', 'sd-gateway sd-gateway-a', 'sd-gateway-a'],
    ['sd-gateway@a.service', 'agent bots/sd-gateway-a:link', 'bots/sd-gateway-a'],
  ])('of %s with "%s"', (name, list, own) => {
    const facts = unitState('system', name, { ...shown, StateDirectory: list, RuntimeDirectory: list });
    expect(facts).toMatchObject({ stateDirectory: own, runtimeDirectory: own });
  });
});

describe('the command to type', () => {
  it.each([
    ['start', { scope: 'system', instance: null }, true, 0, 'sd-gateway start'],
    ['start', { scope: 'system', instance: 'a' }, true, 1000, 'sudo sd-gateway start --instance a'],
    ['status', { scope: 'system', instance: null }, false, 1000, 'sd-gateway status --system'],
    ['start', { scope: 'user', instance: null }, true, 1000, 'sd-gateway start'],
    ['start', { scope: 'user', instance: null }, true, 0, 'sd-gateway start --user'],
  ] as const)('%s in %j (privileged: %j) for UID %d', (words, place, privileged, uid, expected) => {
    expect(commandFor(words, place, privileged, uid)).toBe(expected);
  });

  it.each([
    ['system', 0, 'systemctl cat a'],
    ['system', 1000, 'sudo systemctl cat a'],
    ['user', 1000, 'systemctl --user cat a'],
  ] as const)('of systemctl in the scope %s for UID %d', (scope, uid, expected) => {
    expect(systemctlFor('cat a', scope, uid)).toBe(expected);
  });
});

describe('a service manager that can’t be asked', () => {
  const error = (detail: string) => new ServiceManagerError('systemctl --user show', detail, 1);
  it.each([
    [
      'user',
      new ProgramError('systemctl', 'missing', 'there is no systemctl here'),
      'no-systemd',
      /no systemctl/,
    ],
    [
      'system',
      error(
        'System has not been booted with systemd as init system (PID 1). Can’t operate.\nFailed to connect to bus: Host is down',
      ),
      'no-systemd',
      /not the init system/,
    ],
    ['user', error('Failed to connect to bus: No medium found'), 'no-manager', /user manager/],
    [
      'user',
      error(
        'Failed to connect to user scope bus via local transport: $DBUS_SESSION_BUS_ADDRESS and $XDG_RUNTIME_DIR not defined',
      ),
      'no-manager',
      /user manager/,
    ],
    [
      'system',
      error('Failed to connect to bus: Connection refused'),
      'no-manager',
      /systemd can’t be reached/,
    ],
    ['system', error('Something new'), 'other', /Something new/],
  ] as const)('in the scope %s: %s', (scope, cause, kind, text) => {
    expect(managerTrouble(scope, cause)).toMatchObject({ kind, text: expect.stringMatching(text) });
  });
});

const job = 'Job for sd-gateway.service failed because the control process exited with error code.';

describe('a job that failed', () => {
  it.each([
    [
      'start',
      'Failed to start sd-gateway.service: Interactive authentication required.',
      unit({ activeState: 'inactive' }),
      77,
      'this user may not start sd-gateway.service',
      /sd-gateway start/,
    ],
    [
      'start',
      'Failed to start sd-gateway.service: Unit sd-gateway.service is masked.',
      unit({ loadState: 'masked', path: null }),
      1,
      'sd-gateway.service is masked: it was made impossible to start',
      /unmask sd-gateway\.service/,
    ],
    [
      'start',
      'Job for sd-gateway.service canceled.',
      unit({ activeState: 'inactive' }),
      1,
      'somebody else asked systemd for something else with sd-gateway.service meanwhile, and this start was dropped',
      /status/,
    ],
    [
      'start',
      'A dependency job for sd-gateway.service failed. See ‘journalctl -xe’ for details.',
      unit({ activeState: 'inactive' }),
      1,
      'a unit that sd-gateway.service needs could not be started',
      /list-dependencies/,
    ],
    [
      'start',
      'Assertion failed on job for sd-gateway.service.',
      unit({ activeState: 'inactive' }),
      1,
      'sd-gateway.service was not started: an assertion of the unit is not met (Assert…= in [Unit])',
      /systemctl cat sd-gateway\.service/,
    ],
    [
      'start',
      job,
      failed({ exit: exited(243), dropIns: ['/a.conf'] }),
      1,
      'sd-gateway.service did not start: the gateway ended: exit status 243 (CREDENTIALS: a credential can’t be loaded)',
      /^Look at the unit: \S*\s?systemctl cat sd-gateway\.service$/,
    ],
    [
      'restart',
      job,
      failed({ exit: exited(78) }),
      78,
      'sd-gateway.service did not start: the gateway ended: exit status 78 (unusable configuration or store)',
      /sd-gateway check-config/,
    ],
    [
      'start',
      job,
      failed({ exit: exited(203) }),
      1,
      'sd-gateway.service did not start: the gateway ended: exit status 203 (EXEC: the program of ExecStart= can’t be executed)',
      /sd-gateway install/,
    ],
    [
      'start',
      job,
      failed({ result: 'timeout' }),
      1,
      'sd-gateway.service did not start: it took longer than the unit allows (TimeoutStartSec=, TimeoutStopSec=), and systemd ended it',
      /logs/,
    ],
    [
      'start',
      job,
      failed({ result: 'oom-kill', exit: { how: 'killed', status: 9, at: null } }),
      1,
      'sd-gateway.service did not start: the kernel killed it for want of memory',
      /logs/,
    ],
    [
      'start',
      job,
      failed({ result: 'signal', exit: { how: 'killed', status: 9, at: null } }),
      1,
      'sd-gateway.service did not start: the gateway ended: killed by SIGKILL (by the kernel, if the journal says "killed by the OOM killer")',
      /logs/,
    ],
    [
      'start',
      job,
      failed({ result: 'start-limit-hit' }),
      1,
      'sd-gateway.service was not started: it was started 100 times within 10min, and systemd has given up (start limit); the last time it ended with exit status 1 (a failed start or a crash)',
      /reset-failed sd-gateway\.service && /,
    ],
    // Result= keeps what the last start failed with.
    [
      'start',
      job,
      failed({ restarts: 5, startLimit: { burst: 5, interval: 10_000 } }),
      1,
      'sd-gateway.service was not started: it was started 5 times within 10s, and systemd has given up (start limit); the last time it ended with exit status 1 (a failed start or a crash)',
      /reset-failed/,
    ],
    [
      'start',
      'Failed to start sd-gateway.service: Transaction is destructive.',
      unit({ activeState: 'inactive' }),
      1,
      'systemd refused: Failed to start sd-gateway.service: Transaction is destructive',
      /status/,
    ],
  ] as const)('%s: %s', (action, said, after, status, reason, next) => {
    const failure = explainFailure(action, said, after, target);
    expect(failure).toMatchObject({ status, reason });
    expect(failure.next.join('\n')).toMatch(next);
  });

  const command = (path: string, code: string, status: string) =>
    `{ path=${path} ; argv[]=${path} --check ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=12 ; code=${code} ; status=${status} }`;

  it('names ExecReload= that failed, and that the gateway runs on', () => {
    const after = unitState('system', 'sd-gateway.service', {
      ...shown,
      ExecReload: command('/bin/false', 'exited', '1'),
    });
    const { reason, status, next } = explainFailure('reload', job, after, target);
    expect(status).toBe(1);
    expect(reason).toBe(
      'sd-gateway.service could not be reloaded: ExecReload= failed ("/bin/false --check": exit status 1). The gateway runs on, with the configuration that it has',
    );
    expect(next.join('\n')).toMatch(/cat sd-gateway\.service\n.*sd-gateway restart/);
  });

  it.each([
    [
      'ExecStartPost',
      [command('/bin/first', 'exited', '0'), command('/bin/false', 'exited', '1')],
      'exit status 1',
    ],
    ['ExecStartPre', [command('/bin/false', 'killed', '9/KILL')], 'killed by SIGKILL'],
    ['ExecStartPost', [command('/bin/false', 'dumped', '6/ABRT')], 'ended with a core dump by SIGABRT'],
  ])('names %s= that failed, not the gateway', (directive, lines, how) => {
    const after = unitState('system', 'sd-gateway.service', {
      ...shown,
      ActiveState: 'failed',
      Result: 'exit-code',
      ExecMainCode: '1',
      ExecMainStatus: '0',
      [directive]: lines.join('\n'),
    });
    const { reason, status } = explainFailure('start', job, after, target);
    expect(reason).toBe(
      `sd-gateway.service did not start: ${directive}= failed ("/bin/false --check": ${how}), and systemd ended what it had started`,
    );
    expect(status).toBe(1);
  });

  it.each([
    [
      'ExecStopPost',
      command('/bin/false', 'exited', '1'),
      '1',
      'the gateway ended: exit status 1 (a failed start or a crash)',
    ],
    [
      'ExecStopPost',
      command('/bin/false', 'exited', '1'),
      '0',
      'ExecStopPost= failed ("/bin/false --check": exit status 1)',
    ],
    [
      'ExecStartPost',
      command('/bin/true', '(null)', '0/0'),
      '1',
      'the gateway ended: exit status 1 (a failed start or a crash)',
    ],
    [
      'ExecStartPost',
      command('/bin/x', 'exited', '1').replace('ignore_errors=no', 'ignore_errors=yes'),
      '1',
      'the gateway ended: exit status 1 (a failed start or a crash)',
    ],
  ])('with %s=%s, where the gateway ended with %s', (directive, line, exit, text) => {
    const properties = { ...shown, ActiveState: 'failed', Result: 'exit-code', ExecMainCode: '1' };
    const after = { ...properties, ExecMainStatus: exit, [directive]: line };
    expect(describeResult(unitState('system', 'sd-gateway.service', after))).toBe(text);
  });

  it('names RuntimeMaxSec= where the time was over', () => {
    const after = {
      ...shown,
      ActiveState: 'failed',
      Result: 'timeout',
      ExecMainCode: '1',
      RuntimeMaxUSec: '2min',
      ExecMainExitTimestamp: 'Mon 2026-11-23 16:54:56 UTC',
    };
    const text = describeResult(unitState('system', 'sd-gateway.service', after));
    expect(text).toBe('it had run for 2min, as long as RuntimeMaxSec= allows, and systemd ended it');
  });

  it('says that a condition is not met', () => {
    const after = unit({ activeState: 'inactive', subState: 'dead', conditionMet: false });
    const { reason, status } = explainFailure('start', null, after, target);
    expect(reason).toBe('sd-gateway.service was not started: a condition of the unit is not met');
    expect(status).toBe(1);
  });

  it.each([
    [{ how: 'killed', status: 9, at: null }, 'killed by SIGKILL'],
    [{ how: 'dumped', status: 6, at: null }, 'ended with a core dump by SIGABRT'],
    [{ how: 'exited', status: 3, at: null }, 'exit status 3'],
  ] as const)('with the exit %j', (exit, text) => {
    expect(describeExit(exit)).toBe(text);
  });
});

describe('a unit that isn’t there', () => {
  const trouble = { scope: 'user', kind: 'no-manager', text: 'the bus is away', next: 'Log in.' } as const;
  it('is told where it is in the other scope', () => {
    const lines = elsewhereLines('stop', unit(), { scope: 'user', instance: null }, trouble);
    expect(lines).toEqual([
      'the unit sd-gateway.service is one of the system’s service manager (/etc/systemd/system/sd-gateway.service); nothing was done.',
      '  And the bus is away.',
      '  Log in.',
      expect.stringMatching(/^ {2}To stop it: (sudo )?sd-gateway stop$/),
    ]);
  });

  it.each([
    [
      null,
      true,
      ['no gateway answers. Is it', '  And the system’s service manager has no unit for the instance a.'],
    ],
    [null, false, ['no gateway answers. Is it']],
    [trouble, true, ['no gateway answers. Is it', '  And the bus is away.', '  Log in.']],
  ])('and no gateway answers (%j, manager asked: %j)', (why, asked, lines) => {
    const said = noAnswerLines('no gateway answers', { scope: 'system', instance: 'a' }, why, asked);
    expect(said.map((line, index) => line.slice(0, lines[index]?.length))).toEqual(lines);
  });

  it('can’t be started', () => {
    expect(nothingToStartLines(target, null).join('\n')).toMatch(
      /has no unit\..*sd-gateway install.*sd-gateway run/s,
    );
    expect(nothingToStartLines(target, trouble).join('\n')).toMatch(
      /^the bus is away, so .*Log in\..*sd-gateway run/s,
    );
  });
});

describe('a unit that can’t be used', () => {
  it('is none that is loaded', () => {
    expect(whyUnusable(unit(), target)).toBeNull();
  });

  it('says why', () => {
    const bad = unit({
      loadState: 'bad-setting',
      loadError: 'Unit sd-gateway.service has a bad unit file setting.',
    });
    expect(whyUnusable(bad, target)).toMatchObject({
      status: 1,
      reason:
        'systemd can’t use the unit /etc/systemd/system/sd-gateway.service: Unit sd-gateway.service has a bad unit file setting.',
    });
  });
});

describe('a stop that systemd carried out', () => {
  const before = unit();
  it.each([
    ['clean', before, unit({ activeState: 'inactive', mainPid: null }), null],
    ['of what had failed before', failed(), failed(), null],
    [
      'too long',
      before,
      failed({ result: 'timeout', exit: { how: 'killed', status: 9, at: null } }),
      /not cleanly: it took longer/,
    ],
    [
      'undone',
      before,
      unit({ triggeredBy: ['sd-gateway.socket'] }),
      /again; sd-gateway\.socket may have started/,
    ],
  ] as const)('%s', (_name, was, after, reason) => {
    const failure = explainStop(was, after, target);
    if (reason === null) expect(failure).toBeNull();
    else expect(failure).toMatchObject({ status: 1, reason: expect.stringMatching(reason) });
  });
});

describe('the records that tell why', () => {
  const record = (invocation: string, priority: number, message: string, by = 'sd-gateway') => ({
    _SYSTEMD_INVOCATION_ID: invocation,
    PRIORITY: String(priority),
    SYSLOG_IDENTIFIER: by,
    MESSAGE: message,
    __REALTIME_TIMESTAMP: '1795453479000000',
  });
  const ofManager = {
    // A user manager runs in a unit itself.
    _SYSTEMD_INVOCATION_ID: 'm',
    USER_INVOCATION_ID: 'b',
    PRIORITY: '3',
    SYSLOG_IDENTIFIER: 'systemd',
    MESSAGE: 'Failed to start',
    MESSAGE_ID: 'be02cf6855d2428ba40df7e9d022f03d',
  };

  it('are the errors of the start that failed, not of the run before or the next try', () => {
    const stopping = {
      ...ofManager,
      USER_INVOCATION_ID: 'a',
      MESSAGE_ID: 'de5b426a63be47a7b6ac3eaac82e2f6f',
    };
    const records = [
      stopping,
      record('a', 3, 'old'),
      record('b', 6, 'starting'),
      record('b', 3, 'wrong'),
      ofManager,
      record('c', 3, 'next'),
    ];
    expect(tellingRecords(records, 'a', 5).map(({ message }) => message)).toEqual(['wrong']);
  });

  it('are also those that journald could not tell the unit of', () => {
    const { _SYSTEMD_INVOCATION_ID: _, ...lost } = record('b', 3, 'last words');
    const records = [record('a', 3, 'old'), lost, ofManager];
    expect(tellingRecords(records, 'a', 5).map(({ message }) => message)).toEqual(['last words']);
  });

  it('are the last words where there is no error', () => {
    const records = [
      record('b', 6, 'one', 'node'),
      record('b', 6, 'two', 'node'),
      record('b', 5, 'exited', 'systemd'),
      ofManager,
    ];
    expect(tellingRecords(records, null, 1)).toEqual([
      { at: 1_795_453_479_000, priority: 6, identifier: 'node', message: 'two' },
    ]);
  });

  it('are those of the command that failed, not of the gateway, which was ready', () => {
    const ofGateway = (priority: number, message: string) => ({
      ...record('b', priority, message),
      _PID: '147',
    });
    const records = [
      ofGateway(6, 'Ready after 80 ms'),
      record('b', 6, 'no route to the registry', 'register'),
      ofGateway(5, 'Stopped after 3 ms'),
      ofManager,
    ];
    const told = (each: typeof records) => tellingRecords(each, null, 5, 147).map(({ message }) => message);
    expect(told(records)).toEqual(['no route to the registry']);
    expect(told([ofGateway(6, 'Ready after 80 ms'), ofManager])).toEqual([]);
    expect(told([ofGateway(4, 'The disk is nearly full'), ofManager])).toEqual(['The disk is nearly full']);
  });

  it.each([3, 6])('begin with the error, not with the end of its stack (priority %d)', (priority) => {
    const lines = [
      '/usr/lib/sd-gateway/dist/cli/main.js:12',
      '    throw new Error(text);',
      '    ^',
      '',
      'TypeError: the store has no name',
      ...Array.from({ length: 10 }, (_, index) => `    at step${index} (/usr/lib/main.js:${index}:1)`),
      '',
      'Node.js v20.20.2',
    ];
    const records = [
      record('b', 6, 'Starting', 'node'),
      ...lines.map((line) => record('b', priority, line, 'node')),
    ];
    const told = tellingRecords(records, null, 5).map(({ message }) => message);
    expect(told[0]).toBe('TypeError: the store has no name');
    expect(told).toContain('    at step0 (/usr/lib/main.js:0:1)');
    expect(told.length).toBeLessThanOrEqual(5);
  });

  it('are those of the run before where it is the only one', () => {
    expect(tellingRecords([record('a', 2, 'crash')], 'a', 5).map(({ message }) => message)).toEqual([
      'crash',
    ]);
  });
});

describe('a refused reload', () => {
  it.each([
    ['Ready: 1 session; reload refused: a:1:1: no; such key', 'a:1:1: no; such key'],
    ['Ready: 1 session, 0 running', null],
    [null, null],
  ])('%j', (text, reason) => {
    expect(refusalIn(text)).toBe(reason);
  });
});

describe('idleness', () => {
  it.each([
    ['Ready for 3min: 2 sessions, 1 running, 12 waiting, 3 answered, 0 failed', { running: 1, waiting: 12 }],
    ['Reloading the configuration', null],
    [null, null],
  ])('in %j', (text, work) => {
    expect(workIn(text)).toEqual(work);
  });

  it.each([
    [{ running: 1, waiting: 0 }, '1 running turn'],
    [{ running: 2, waiting: 1 }, '2 running turns and 1 waiting turn'],
    [{ running: 0, waiting: 5 }, '5 waiting turns'],
  ])('of %j', (work, text) => {
    expect(describeWork(work)).toBe(text);
  });

  const wait = (answers: (Work | null)[], timeout: number | null, signal = new AbortController().signal) => {
    const told: string[] = [];
    const outcome = awaitIdle({
      ask: async () => (answers.length > 1 ? (answers.shift() ?? null) : (answers[0] ?? null)),
      onProgress: (text) => told.push(text),
      timeout,
      signal,
      interval: 1,
    });
    return outcome.then((end) => ({ end, told }));
  };

  it('is waited for, and what is waited for is told', async () => {
    const { end, told } = await wait(
      [
        { running: 1, waiting: 2 },
        { running: 0, waiting: 1 },
        { running: 0, waiting: 0 },
      ],
      null,
    );
    expect(end).toEqual({ outcome: 'idle' });
    expect(told).toEqual([
      'Waiting for 1 running turn and 2 waiting turns, 0s',
      'Waiting for 1 waiting turn, 0s',
    ]);
  });

  it('is given up after the time', async () => {
    const { end } = await wait([{ running: 1, waiting: 0 }], 5);
    expect(end).toEqual({ outcome: 'late', work: { running: 1, waiting: 0 } });
  });

  it('is given up on Ctrl-C', async () => {
    expect((await wait([{ running: 1, waiting: 0 }], null, AbortSignal.abort())).end).toEqual({
      outcome: 'interrupted',
    });
  });
});

describe('the text of a wait', () => {
  const stop = 'stop asked for through the control socket by some-supervisor (PID 12345, UID 1000)';

  it.each([
    [
      `Stopping (${stop}): waiting for 12 running turns and 3 deliveries, 12s of 30s`,
      'waiting for 12 running',
    ],
    [`Stopping (${stop}): closing the store`, 'Stopping: closing the store'],
    [`Stopped (${stop}) in 3s; 2 turns put back`, 'Stopped in 3s; 2 turns put back'],
    ['Starting: opening the store', 'Starting: opening the store'],
  ])('of %s fits 80 columns', (status, part) => {
    const text = waitText(status);
    expect(text).toContain(part);
    // A mark that moves stands before it.
    expect(text.length).toBeLessThanOrEqual(77);
  });

  it('of turns fits 80 columns', async () => {
    const told: string[] = [];
    const signal = AbortSignal.timeout(50);
    const work = { running: 128, waiting: 99_999 };
    await awaitIdle({
      ask: async () => work,
      onProgress: (text) => told.push(text),
      timeout: 5_400_000,
      signal,
    });
    expect(told[0]).toMatch(/^Waiting for 128 running turns and 99999 waiting turns, 0s of 1h 30min$/);
    expect(told[0]?.length).toBeLessThanOrEqual(77);
  });
});

describe('progress', () => {
  function stream(): { readonly stream: NodeJS.WriteStream; readonly written: () => string } {
    let text = '';
    const writable = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        text += chunk.toString();
        done();
      },
    });
    return { stream: writable as unknown as NodeJS.WriteStream, written: () => text };
  }

  it('is lines without a terminal, and no flood of them', () => {
    const { stream: to, written } = stream();
    let time = 0;
    const spinner = new Spinner(to, plain(80), () => time);
    for (let second = 0; second <= 20; second++) {
      time = second * 1_000;
      spinner.show(`waiting, ${second}s`);
    }
    // It may be what somebody waits for, and has to do something about.
    spinner.show('the port is taken', true);
    spinner.show('the port is taken', true);
    spinner.stop();
    expect(written()).toBe('waiting, 0s\nwaiting, 10s\nwaiting, 20s\nthe port is taken\n');
  });

  it('is one line on a terminal, cut to its width, and gone in the end', () => {
    const { stream: to, written } = stream();
    const spinner = new Spinner(to, { ...plain(40), isTerminal: true });
    spinner.show(`a\u001b[31m${'x'.repeat(100)}`);
    spinner.stop();
    expect(written().replaceAll('\r\u001b[K', '')).toMatch(/^[⠁-⣿] a\\x1b\[31mx+…$/u);
    expect(written().endsWith('\r\u001b[K')).toBe(true);
    for (const frame of written().split('\r\u001b[K')) expect(frame.length).toBeLessThan(40);
  });
});
