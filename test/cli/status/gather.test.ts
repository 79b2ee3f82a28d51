import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { gather, lastStopInJournal, withResult } from '../../../src/cli/status/gather.js';
import { withoutWord } from '../../../src/cli/status/report.js';
import { messageIds } from '../../../src/log/fields.js';
import { managerMessages } from '../../../src/manager/journal.js';
import { openSqliteStore } from '../../../src/store/sqlite/sqlite-store.js';
import { fakeProgram } from '../../manager/fake-program.js';
import { failed, run, unit } from '../operate/samples.js';
import { SystemctlDouble } from '../systemctl-double.js';

let double: SystemctlDouble;
beforeEach(() => {
  double = new SystemctlDouble();
});
afterEach(() => {
  double.remove();
});

it.each([
  [false, { description: expect.stringContaining('it ended without a word') }],
  [true, null],
])('beside a stopped unit, with a gateway in the foreground that hangs: %s', async (hangs, lastStop) => {
  double.says('sd-gateway.service', {
    LoadState: 'loaded',
    ActiveState: 'inactive',
    StateDirectory: 'sd-gateway',
    RuntimeDirectory: 'sd-gateway',
  });
  fakeProgram('journalctl', '');
  // The place in user managers before systemd 254.
  const state = join(double.home, 'CONFIG_HOME/sd-gateway');
  const runtime = join(double.home, 'RUNTIME_DIR/sd-gateway');
  for (const directory of [state, runtime]) mkdirSync(directory, { recursive: true });
  const path = join(state, 'gateway.db');
  const { store } = await openSqliteStore({ path, busyTimeout: 1_000, maxAttempts: 3 });
  await store.beginRun(run({ stop: null }));
  await store.close();
  const silent = createServer((socket) => socket.on('error', () => undefined));
  if (hangs) await once(silent.listen(join(runtime, 'control.sock')), 'listening');
  const report = await gather({ scope: 'user', instance: null }, true);
  silent.close();
  expect(report.verdict).toBe(hangs ? 'foreground' : 'stopped');
  expect(report.lastStop).toEqual(lastStop === null ? null : expect.objectContaining(lastStop));
});

it('asks the journal about an earlier run that ended without a word', async () => {
  double.says('sd-gateway.service', {
    LoadState: 'loaded',
    ActiveState: 'inactive',
    InvocationID: 'later',
    StateDirectory: 'sd-gateway',
  });
  const ofManager = { USER_INVOCATION_ID: 'earlier', SYSLOG_IDENTIFIER: 'systemd' };
  const records = [
    {
      ...ofManager,
      MESSAGE_ID: managerMessages.processExit,
      MESSAGE: 'sd-gateway.service: Main process exited, code=killed, status=9/KILL',
      EXIT_CODE: 'killed',
      EXIT_STATUS: '9',
      __REALTIME_TIMESTAMP: '5000000',
    },
    {
      ...ofManager,
      MESSAGE_ID: managerMessages.processExit,
      MESSAGE: 'sd-gateway.service: Control process exited, code=exited, status=1/FAILURE',
      EXIT_CODE: 'exited',
      EXIT_STATUS: '1',
      __REALTIME_TIMESTAMP: '6000000',
    },
    { ...ofManager, MESSAGE_ID: managerMessages.failureResult, UNIT_RESULT: 'signal' },
  ];
  fakeProgram(
    'journalctl',
    `for (const record of ${JSON.stringify(records)})
      if (['USER_INVOCATION_ID=' + record.USER_INVOCATION_ID, 'MESSAGE_ID=' + record.MESSAGE_ID].every((match) => process.argv.includes(match)))
        console.log(JSON.stringify(record));`,
  );
  const state = join(double.home, 'CONFIG_HOME/sd-gateway');
  mkdirSync(state, { recursive: true });
  const path = join(state, 'gateway.db');
  const { store } = await openSqliteStore({ path, busyTimeout: 1_000, maxAttempts: 3 });
  await store.beginRun(run({ stop: null, invocationId: 'earlier' }));
  await store.close();
  const { lastStop } = await gather({ scope: 'user', instance: null }, true);
  expect(lastStop).toMatchObject({
    at: 5_000,
    cause: null,
    description: expect.stringMatching(/^it left no record of its end: the gateway ended: killed by SIGKILL/),
  });
});

it('names the step for a process that somebody has stopped', async () => {
  const child = spawn('sleep', ['60']);
  try {
    double.says('sd-gateway.service', {
      LoadState: 'loaded',
      ActiveState: 'active',
      MainPID: String(child.pid),
    });
    fakeProgram('journalctl', '');
    const ask = async () => (await gather({ scope: 'user', instance: null }, true)).notes.join('\n');
    expect(await ask()).not.toContain('kill -CONT');
    child.kill('SIGSTOP');
    await vi.waitFor(() => expect(readFileSync(`/proc/${child.pid}/stat`, 'utf8')).toContain(') T '));
    expect(await ask()).toContain(`kill -CONT ${child.pid}`);
  } finally {
    child.kill('SIGKILL');
  }
});

it('names the command that keeps systemd from starting it', async () => {
  const dropIn = join(double.home, '50-own.conf');
  writeFileSync(dropIn, '[Service]\nExecCondition=/bin/false\n');
  double.says('sd-gateway.service', {
    LoadState: 'loaded',
    ActiveState: 'inactive',
    Result: 'exec-condition',
    DropInPaths: dropIn,
  });
  fakeProgram('journalctl', '');
  const notes = (await gather({ scope: 'user', instance: null }, true)).notes.join('\n');
  expect(notes).toContain(`as long as this command fails: ${dropIn}:2: ExecCondition=/bin/false`);
  expect(notes).not.toContain('To start it:');
});

it.each(['failed', 'active'])('with a socket unit that is %s', async (ActiveState) => {
  const limit = { ActiveState: 'failed', Result: 'start-limit-hit', TriggeredBy: 'sd-gateway.socket' };
  double.says('sd-gateway.service', { LoadState: 'loaded', ...limit });
  double.says('sd-gateway.socket', { LoadState: 'loaded', ActiveState });
  fakeProgram('journalctl', '');
  const { notes } = await gather({ scope: 'user', instance: null }, true);
  const both =
    'reset-failed sd-gateway.socket sd-gateway.service && systemctl --user start sd-gateway.socket';
  expect(notes.join('\n').includes(both)).toBe(ActiveState === 'failed');
  expect(notes.join('\n').includes('reset-failed sd-gateway.service')).toBe(ActiveState !== 'failed');
});

it('says that journald does not run, and how to start it', async () => {
  double.says('sd-gateway.service', { LoadState: 'loaded', ActiveState: 'inactive' });
  double.says('systemd-journald.service', { LoadState: 'loaded', ActiveState: 'failed' });
  fakeProgram('journalctl', '');
  const { notes } = await gather({ scope: 'user', instance: null }, true);
  expect(notes.join('\n')).toMatch(/journald does not run .*systemctl start systemd-journald\.service/);
});

describe('the end of the last run, by systemd', () => {
  const silent = withoutWord('store', unit().invocationId);
  const killed = failed({ result: 'watchdog', exit: { how: 'dumped', status: 6, at: 5_000 } });

  it('is what it says of a run that left no word', () => {
    expect(withResult(silent, killed)).toMatchObject({
      at: 5_000,
      cause: null,
      description: expect.stringMatching(/^it left no record of its end: the watchdog ended it/),
    });
  });

  it.each([
    ['another run', { ...silent, invocationId: 'b' }, killed],
    ['a run with a record', { ...silent, cause: 'crash', description: 'a crash' }, killed],
    ['a run that ended well', silent, failed({ result: 'success' })],
    ['no run', null, killed],
  ])('is not that of %s', (_which, stop, after) => {
    expect(withResult(stop, after)).toBe(stop);
  });
});

describe('the end of the last run, by the journal', () => {
  const stopping = {
    MESSAGE_ID: messageIds.stopRequested,
    MESSAGE: 'Stopping: planned stop by systemd, stop job',
    SD_GATEWAY_STOP_CAUSE: 'planned-stop',
    _SYSTEMD_INVOCATION_ID: 'a',
  };
  const stopped = {
    ...stopping,
    MESSAGE_ID: messageIds.stopped,
    MESSAGE:
      'Stopped after 12 ms: planned stop by systemd, stop job; 1 turn ended, 2 put back for the next start; exit status 0',
    __REALTIME_TIMESTAMP: '5000000',
    SD_GATEWAY_DRAIN_USEC: '9000',
    SD_GATEWAY_FINISHED: '1',
    SD_GATEWAY_PUT_BACK: '2',
    SD_GATEWAY_EXIT_STATUS: '0',
  };
  const givenUp = {
    MESSAGE_ID: messageIds.stopped,
    MESSAGE:
      'Stopped after 3 ms: start given up; 0 turns ended, 0 put back for the next start; exit status 1',
    SD_GATEWAY_STOP_CAUSE: 'unavailable',
    SD_GATEWAY_EXIT_STATUS: '1',
    _SYSTEMD_INVOCATION_ID: 'b',
  };
  const own = { ...stopping, _SYSTEMD_INVOCATION_ID: unit().invocationId };

  it.each([
    [
      'a stop',
      [stopping, stopped],
      {
        at: 5_000,
        cause: 'planned-stop',
        description: 'planned stop by systemd, stop job',
        drainMicroseconds: 9_000,
        finishedTurns: 1,
        putBackTurns: 2,
        exitStatus: 0,
        invocationId: 'a',
      },
    ],
    [
      'a start that was given up after it',
      [stopping, stopped, givenUp, own],
      { cause: 'unavailable', description: 'start given up', exitStatus: 1, invocationId: 'b' },
    ],
    [
      'a kill in the drain',
      [stopped, { ...stopping, _SYSTEMD_INVOCATION_ID: 'b' }],
      {
        at: null,
        cause: null,
        description: expect.stringMatching(
          /without a word.*begun to stop: planned stop by systemd, stop job$/,
        ),
        invocationId: 'b',
      },
    ],
  ])('%s', async (_which, records, expected) => {
    // As journalctl chooses: newest first, by MESSAGE_ID.
    fakeProgram(
      'journalctl',
      `for (const record of ${JSON.stringify([...records].reverse())})
        if (process.argv.includes('MESSAGE_ID=' + record.MESSAGE_ID)) console.log(JSON.stringify(record));`,
    );
    expect(await lastStopInJournal(unit())).toMatchObject({ source: 'journal', ...expected });
  });
});
