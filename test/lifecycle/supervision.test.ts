import { describe, expect, it } from 'vitest';
import { describeSupervision, isInvocationId, judgeSupervision } from '../../src/lifecycle/supervision.js';
import { byHand, inTerminal, invocationId, systemUnit, userUnit, wrapped } from './samples.js';

describe('supervision', () => {
  it.each([
    [
      'by hand',
      byHand,
      { supervised: false, manager: null, origin: 'none', wrapper: null, invocationId: null },
    ],
    [
      'a system unit',
      systemUnit,
      {
        supervised: true,
        manager: 'system',
        origin: 'unit',
        unit: 'sd-gateway.service',
        invocationId,
        journal: true,
      },
    ],
    [
      'a user unit',
      userUnit,
      { supervised: true, manager: 'user', origin: 'unit', unit: 'sd-gateway.service' },
    ],
    [
      'a user unit of a manager that sets no SYSTEMD_EXEC_PID',
      { ...userUnit, systemdExecPid: null },
      { manager: 'user', origin: 'unit' },
    ],
    [
      'a wrapper',
      wrapped,
      { manager: 'system', origin: 'wrapper', wrapper: { pid: 440, comm: 'npm start' } },
    ],
    [
      'a wrapper, of which the main process is told by its place alone',
      { ...wrapped, systemdExecPid: null },
      { origin: 'wrapper', wrapper: { pid: 440, comm: 'npm start' } },
    ],
    ['a terminal', inTerminal, { supervised: true, manager: 'user', origin: 'inherited', wrapper: null }],
    [
      'a service that handed on its terminal',
      { ...inTerminal, cgroup: '/system.slice/getty.service' },
      { origin: 'inherited' },
    ],
    [
      'reparented to PID 1 without an invocation',
      { ...byHand, parentPid: 1, ancestors: [{ pid: 1, comm: 'systemd' }] },
      { supervised: true, origin: 'unit', invocationId: null },
    ],
    [
      'MANAGERPID of a process that is no ancestor',
      { ...systemUnit, managerPid: '77', parentPid: 450, systemdExecPid: null, ancestors: wrapped.ancestors },
      { origin: 'wrapper' },
    ],
    [
      'a wrapper that left the tree before it was looked at',
      { ...wrapped, systemdExecPid: null, ancestors: [] },
      { origin: 'wrapper', wrapper: null },
    ],
    ['output that was redirected', { ...systemUnit, standardError: '9:9' }, { journal: false }],
  ])('%s', (_name, evidence, expected) => {
    expect(judgeSupervision(evidence, 'auto')).toMatchObject(expected);
  });

  it('takes a container by configuration, whatever else is seen', () => {
    for (const evidence of [byHand, systemUnit]) {
      expect(judgeSupervision(evidence, 'container')).toMatchObject({
        supervised: true,
        manager: 'container',
        origin: 'container',
        wrapper: null,
      });
    }
  });

  it('warns of a wrapper once, with the mend, and only where notifications are lost', () => {
    expect(judgeSupervision(wrapped, 'auto').warnings).toEqual([
      {
        kind: 'wrapper-notifications-dropped',
        text: expect.stringMatching(
          /npm start \(PID 440\).*NotifyAccess=main.*directly in ExecStart=, or put "exec"/s,
        ),
      },
    ]);
    const hidden = { ...wrapped, ancestors: [{ pid: 440, comm: '' }] };
    expect(judgeSupervision(hidden, 'auto').warnings[0]?.text).toContain('another process (PID 440)');
    expect(judgeSupervision({ ...wrapped, notifySocket: null }, 'auto').warnings).toEqual([]);
    expect(judgeSupervision(systemUnit, 'auto').warnings).toEqual([]);
  });

  it.each([
    ['0123456789abcdef0123456789ABCDEF', true],
    ['00000000000000000000000000000000', false],
    ['0123456789abcdef', false],
    ['0123456789abcdef0123456789abcdeg', false],
    ['', false],
  ])('INVOCATION_ID=%j is valid: %j', (text, valid) => {
    expect(isInvocationId(text)).toBe(valid);
    const judged = judgeSupervision({ ...byHand, invocationId: text }, 'auto');
    expect(judged.supervised).toBe(valid);
    expect(judged.warnings.map(({ kind }) => kind)).toEqual(valid ? [] : ['invalid-invocation-id']);
  });

  it.each([
    [byHand, 'not supervised: no INVOCATION_ID, and the parent is not PID 1'],
    [systemUnit, `supervised by the system manager as sd-gateway.service, invocation ${invocationId}`],
    [userUnit, `supervised by the user manager as sd-gateway.service, invocation ${invocationId}`],
    [
      wrapped,
      `supervised by the system manager as sd-gateway.service through npm start (PID 440), invocation ${invocationId}`,
    ],
    [
      inTerminal,
      `started by hand in terminal.scope, which handed on its INVOCATION_ID, invocation ${invocationId}`,
    ],
    [
      { ...inTerminal, cgroup: null },
      `started by hand in a terminal, which handed on its INVOCATION_ID, invocation ${invocationId}`,
    ],
    [{ ...byHand, parentPid: 1, cgroup: null }, 'supervised by PID 1'],
  ])('is described in a line (%#)', (evidence, line) => {
    const terminalless = line === 'supervised by PID 1' ? { ...evidence, terminal: false } : evidence;
    expect(describeSupervision(judgeSupervision(terminalless, 'auto'))).toBe(line);
  });

  it('describes a container', () => {
    expect(describeSupervision(judgeSupervision(byHand, 'container'))).toBe(
      'supervised by a container runtime, by configuration',
    );
  });
});
