import { describe, expect, it } from 'vitest';
import {
  describeNoJob,
  describeStop,
  describeStopJob,
  exitStatusOf,
  explainStopJob,
  isBeingStopped,
  isSupervisor,
  joinStops,
  judgeSignal,
  type ManagerJob,
  mayBeDrawnAlong,
  type StopCause,
  type StopJob,
  type StopPolicy,
  type StopRequest,
  stopByJob,
  stopRequest,
} from '../../src/lifecycle/stop-cause.js';
import type { Supervision } from '../../src/lifecycle/supervision.js';
import type { SignalDelivery } from '../../src/systemd/signals.js';
import { byHand, delivery, inTerminal, supervision, systemUnit, userUnit, wrapped } from './samples.js';

const fail: StopPolicy = { foreignSigterm: 'fail' };
const clean: StopPolicy = { foreignSigterm: 'clean' };

const fromPid1 = delivery({ senderPid: 1, senderComm: 'systemd' });
const fromOutside = delivery({ senderPid: 0, senderComm: null });
const fromTerminal = delivery({ signal: 'SIGINT', code: 'SI_KERNEL', senderPid: 0, senderComm: null });
const hangUp: SignalDelivery = { ...fromTerminal, signal: 'SIGHUP' };

describe('the stop table', () => {
  const rows: readonly (readonly [string, Supervision, SignalDelivery, StopPolicy, StopCause, number])[] = [
    ['system unit, its manager', supervision(systemUnit), fromPid1, fail, 'planned-stop', 0],
    ['user unit, its manager', supervision(userUnit), delivery({ senderPid: 350 }), fail, 'planned-stop', 0],
    ['user unit, PID 1', supervision(userUnit), fromPid1, fail, 'planned-stop', 0],
    [
      'wrapped, forwarded by npm',
      supervision(wrapped),
      delivery({ senderPid: 440 }),
      fail,
      'planned-stop',
      0,
    ],
    ['unit, from outside the namespace', supervision(systemUnit), fromOutside, fail, 'planned-stop', 0],
    [
      'unit, SI_QUEUE, whose sender can be forged',
      supervision(systemUnit),
      { ...fromPid1, code: 'SI_QUEUE' },
      fail,
      'foreign-kill',
      1,
    ],
    ['unit, somebody else', supervision(systemUnit), delivery({}), fail, 'foreign-kill', 1],
    ['unit, somebody else, clean', supervision(systemUnit), delivery({}), clean, 'foreign-kill', 0],
    [
      'unit, by the kernel',
      supervision(systemUnit),
      { ...fromOutside, code: 'SI_KERNEL' },
      fail,
      'foreign-kill',
      1,
    ],
    ['unit, itself', supervision(systemUnit), delivery({ senderPid: 500 }), fail, 'foreign-kill', 1],
    ...(['SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const).flatMap(
      (signal) =>
        [
          [
            `unit, ${signal} by the manager`,
            supervision(systemUnit),
            { ...fromPid1, signal },
            clean,
            'killed-by-signal',
            1,
          ],
          [
            `unit, ${signal} by another`,
            supervision(systemUnit),
            delivery({ signal }),
            fail,
            'killed-by-signal',
            1,
          ],
          [`by hand, ${signal}`, supervision(byHand), delivery({ signal }), clean, 'unexpected-kill', 1],
        ] as const,
    ),
    ['unit, SIGINT of the kernel', supervision(systemUnit), fromTerminal, fail, 'killed-by-signal', 1],
    [
      'by hand, SIGTERM of the shell',
      supervision(byHand),
      delivery({ senderPid: 400 }),
      clean,
      'unexpected-kill',
      1,
    ],
    ['by hand, SIGTERM of another', supervision(byHand), delivery({}), clean, 'unexpected-kill', 1],
    ['by hand, Ctrl-C', supervision(byHand), fromTerminal, fail, 'keyboard', 0],
    ['terminal with a handed-on id, Ctrl-C', supervision(inTerminal), fromTerminal, fail, 'keyboard', 0],
    ['by hand, the end of the terminal', supervision(byHand), hangUp, fail, 'keyboard', 0],
    ['terminal with a handed-on id, its end', supervision(inTerminal), hangUp, fail, 'keyboard', 0],
    ['container, its runtime', supervision(byHand, 'container'), fromOutside, fail, 'planned-stop', 0],
    ['container, its init', supervision(byHand, 'container'), fromPid1, fail, 'planned-stop', 0],
    ['container, another', supervision(byHand, 'container'), delivery({}), fail, 'foreign-kill', 1],
  ];
  it.each(rows)('%s', (_name, judged, signal, policy, cause, status) => {
    const verdict = judgeSignal(signal, judged, policy, null);
    expect(verdict).toEqual({
      kind: 'stop',
      stop: {
        cause,
        exitStatus: status,
        signal: signal.signal,
        sender: {
          pid: signal.senderPid,
          uid: signal.senderUid,
          comm: signal.senderComm,
          isSupervisor: isSupervisor(signal, judged),
          ...(signal.code === 'SI_QUEUE' ? { isUnproven: true } : {}),
        },
        requestedBy: 'signal',
      },
    });
  });

  it.each([byHand, systemUnit, inTerminal])('SIGHUP is a reload, from whomever (%#)', (evidence) => {
    for (const sender of [fromPid1, fromOutside, delivery({})]) {
      expect(judgeSignal({ ...sender, signal: 'SIGHUP' }, supervision(evidence), fail, null)).toMatchObject({
        kind: 'reload',
      });
    }
  });

  it.each([
    ['a unit', systemUnit],
    ['what nohup(1) has started', { ...byHand, terminal: false }],
  ])('the end of a terminal does not end %s', (_what, evidence) => {
    expect(judgeSignal(hangUp, supervision(evidence), fail, null)).toMatchObject({ kind: 'reload' });
  });

  it('the end of a terminal, which may come twice, lets a stop go on', () => {
    const stopping = stopRequest('planned-stop', 'control-socket', null);
    expect(judgeSignal(hangUp, supervision(byHand), fail, stopping)).toMatchObject({ kind: 'stop' });
  });

  it('a second Ctrl-C ends at once, with 130; another signal does not', () => {
    const stopping = stopRequest('planned-stop', 'control-socket', null);
    expect(judgeSignal(fromTerminal, supervision(byHand), fail, stopping)).toMatchObject({
      kind: 'end-at-once',
      stop: { cause: 'keyboard', exitStatus: 130, signal: 'SIGINT' },
    });
    expect(judgeSignal(delivery({}), supervision(byHand), fail, stopping)).toMatchObject({ kind: 'stop' });
    expect(judgeSignal(fromTerminal, supervision(systemUnit), fail, stopping)).toMatchObject({
      kind: 'stop',
    });
  });

  it.each([
    ['planned-stop', 0],
    ['keyboard', 0],
    ['restart', 75],
    ['refused', 78],
    ['crash', 1],
    ['unavailable', 1],
    ['killed-by-signal', 1],
    ['unexpected-kill', 1],
  ] as const)('%s exits with %d', (cause, status) => {
    expect(exitStatusOf(cause, fail)).toBe(status);
    expect(exitStatusOf(cause, clean)).toBe(status);
  });

  it('is told to an operator', () => {
    const by = (signal: SignalDelivery, judged = supervision(systemUnit)) => {
      const verdict = judgeSignal(signal, judged, fail, null);
      return verdict.kind === 'stop' ? describeStop(verdict.stop) : null;
    };
    expect(by(fromPid1)).toBe('planned stop by systemd (PID 1, UID 0)');
    expect(by(fromOutside)).toBe('planned stop by a process outside this PID namespace');
    expect(by(delivery({ senderComm: null }))).toBe(
      'foreign kill: SIGTERM by a process that has ended (PID 999, UID 0), which is not the supervisor',
    );
    expect(by(delivery({ signal: 'SIGQUIT' }))).toBe('killed by SIGQUIT by kill (PID 999, UID 0)');
    expect(by(delivery({}), supervision(byHand))).toBe('unexpected SIGTERM by kill (PID 999, UID 0)');
    expect(by(fromTerminal, supervision(byHand))).toBe('stop from the keyboard');
    expect(by(hangUp, supervision(byHand))).toBe('end of the terminal');
    expect(by({ ...fromPid1, code: 'SI_QUEUE' })).toBe(
      'foreign kill: SIGTERM by an unproven sender, which calls itself systemd (PID 1, UID 0)',
    );
    const sender = { pid: 7, uid: 1000, comm: 'node', isSupervisor: false };
    expect(describeStop(stopRequest('planned-stop', 'control-socket', sender))).toBe(
      'stop asked for through the control socket by node (PID 7, UID 1000)',
    );
    expect(describeStop(stopRequest('restart', 'control-socket', sender))).toBe(
      'restart asked for through the control socket by node (PID 7, UID 1000)',
    );
    const own = { ...sender, comm: 'itself' };
    expect(describeStop(stopRequest('restart', 'gateway', own))).toBe(
      'restart asked for by itself (PID 7, UID 1000)',
    );
    expect(describeStop(stopRequest('refused', 'gateway', null))).toBe('unusable configuration');
    expect(describeStop(stopRequest('crash', 'gateway', null))).toBe('crash');
  });
});

describe('a further stop', () => {
  const bySignal = (signal: SignalDelivery): StopRequest => {
    const verdict = judgeSignal(signal, supervision(systemUnit), fail, null);
    if (verdict.kind !== 'stop') throw new Error('It is a stop.');
    return verdict.stop;
  };
  const planned = bySignal(fromPid1);
  const kill = bySignal(delivery({}));
  const quit = bySignal(delivery({ signal: 'SIGQUIT' }));
  const restart = stopRequest('restart', 'control-socket', null);

  it.each([
    [
      'a foreign kill',
      kill,
      'planned stop by systemd (PID 1, UID 0), after SIGTERM by kill (PID 999, UID 0)',
    ],
    [
      'another signal',
      quit,
      'planned stop by systemd (PID 1, UID 0), after SIGQUIT by kill (PID 999, UID 0)',
    ],
  ])('by the supervisor after %s makes it a planned one, which names both', (_what, first, words) => {
    const joined = joinStops(first, planned);
    expect(joined).toMatchObject({ cause: 'planned-stop', exitStatus: 0 });
    expect(describeStop(joined)).toBe(words);
  });

  it('that the manager has under way makes a kill a planned one', () => {
    const joined = joinStops(kill, stopByJob);
    expect(joined).toMatchObject({ cause: 'planned-stop', exitStatus: 0 });
    expect(describeStop(joined)).toBe(
      'planned stop by the service manager, after SIGTERM by kill (PID 999, UID 0)',
    );
  });

  // The kernel drops the supervisor's SIGTERM while another is pending, but not the SIGCONT behind it.
  it.each<[string, SignalDelivery, StopRequest | null, boolean]>([
    ['by the supervisor after a foreign kill', fromPid1, kill, true],
    ['by the supervisor after another signal', fromPid1, quit, true],
    ['by somebody else after a foreign kill', delivery({}), kill, false],
    ['by somebody who forges the sender', { ...fromPid1, code: 'SI_QUEUE' }, kill, false],
    ['by the supervisor after a planned stop', fromPid1, planned, false],
    ['by the supervisor after a restart', fromPid1, restart, false],
    ['by the supervisor while nothing stops', fromPid1, null, false],
  ])('that only SIGCONT is left of: %s', (_what, signal, stopping, isPlanned) => {
    const verdict = judgeSignal({ ...signal, signal: 'SIGCONT' }, supervision(systemUnit), fail, stopping);
    expect(verdict).toEqual(isPlanned ? { kind: 'stop', stop: planned } : { kind: 'none' });
  });

  it.each([
    ['by somebody else after a planned one', planned, kill],
    ['by somebody else after a kill', kill, quit],
    ['through the control socket after a kill', kill, stopRequest('planned-stop', 'control-socket', null)],
    ['by the supervisor after a restart', restart, planned],
    ['by the supervisor after a failed start', stopRequest('refused', 'gateway', null), planned],
  ])('%s changes nothing', (_what, first, further) => {
    expect(joinStops(first, further)).toBe(first);
  });
});

it.each([
  ['success', false, 'no job: systemctl kill'],
  ['success', true, 'no job: systemctl kill, during the start'],
  ['timeout', false, 'no job: systemd’s own doing, Result=timeout'],
  ['timeout', true, 'no job: systemd’s own doing, Result=timeout, during the start'],
])('a stop without a job, with Result=%s, the start under way: %s', (result, isStarting, words) => {
  expect(describeNoJob(result, isStarting)).toBe(words);
});

const unit = 'sd-gateway.service';
const job = (name: string, type: string, isRunning = true): ManagerJob => ({ unit: name, type, isRunning });
const stop = job(unit, 'stop');
const restart = job(unit, 'restart');

describe('the job that stops the unit', () => {
  it.each<[string, ManagerJob[], Record<string, string[]>, StopJob | null, string]>([
    ['none', [], {}, null, ''],
    ['another unit’s only', [job('a.service', 'stop')], { PartOf: ['a.service'] }, null, ''],
    ['its start only, which a kill interrupts', [job(unit, 'start')], {}, null, ''],
    ['its reload only', [job(unit, 'reload')], {}, null, ''],
    ['a stop by hand', [stop], {}, { type: 'stop', shutdown: null, because: null }, 'stop job'],
    ['a restart by hand', [restart], {}, { type: 'restart', shutdown: null, because: null }, 'restart job'],
    [
      'a reboot, which has a job for everything',
      [stop, job('a.service', 'stop'), job('shutdown.target', 'start'), job('reboot.target', 'start')],
      { PartOf: ['a.service'] },
      { type: 'stop', shutdown: 'reboot', because: null },
      'stop job, because of the manager’s reboot',
    ],
    [
      'a shutdown that says no more',
      [stop, job('shutdown.target', 'start')],
      {},
      { type: 'stop', shutdown: 'shutdown', because: null },
      'stop job, because of the manager’s shutdown',
    ],
    [
      'a restart of what it is part of',
      [restart, job('stack.target', 'restart')],
      { PartOf: ['stack.target'] },
      {
        type: 'restart',
        shutdown: null,
        because: { unit: 'stack.target', job: 'restart', dependency: 'PartOf' },
      },
      'restart job, drawn along by the restart of stack.target (PartOf=)',
    ],
    [
      'a start of what it conflicts with',
      [job('other.service', 'stop'), job('rescue.target', 'start'), stop],
      { Conflicts: ['rescue.target'], PartOf: [] },
      {
        type: 'stop',
        shutdown: null,
        because: { unit: 'rescue.target', job: 'start', dependency: 'Conflicts' },
      },
      'stop job, drawn along by the start of rescue.target (Conflicts=)',
    ],
    [
      'a start of what it is part of, which stops nothing',
      [stop, job('stack.target', 'start')],
      { PartOf: ['stack.target'] },
      { type: 'stop', shutdown: null, because: null },
      'stop job',
    ],
  ])('%s', (_name, jobs, dependencies, expected, words) => {
    const found = explainStopJob(unit, jobs, dependencies);
    expect(found).toEqual(expected);
    if (found !== null) expect(describeStopJob(found)).toBe(words);
  });

  it.each<[string, ManagerJob[], boolean]>([
    ['a stop', [stop], true],
    ['a restart', [job('a.service', 'start'), restart], true],
    ['a stop that waits for another', [job(unit, 'stop', false)], false],
    ['a reload', [job(unit, 'reload')], false],
    ['a stop of another unit', [job('a.service', 'stop')], false],
    ['none', [], false],
  ])('stops it right now: %s', (_what, jobs, expected) => {
    expect(isBeingStopped(unit, jobs)).toBe(expected);
  });

  it.each<[ManagerJob[], boolean]>([
    [[stop], false],
    [[stop, job('a.service', 'stop')], true],
    [[stop, job('a.service', 'stop'), job('poweroff.target', 'start')], false],
  ])('asks for dependencies only where they can say something: %#', (jobs, expected) => {
    expect(mayBeDrawnAlong(unit, jobs)).toBe(expected);
  });
});
