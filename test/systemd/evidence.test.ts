import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseProcessStat, processName } from '../../src/linux/process.js';
import { parseCgroup, readSupervisionEvidence, unitOfCgroup } from '../../src/systemd/evidence.js';
import { near } from '../fuzz/near.js';
import { unicodeText } from '../fuzz/unicode-text.js';

describe('the control group', () => {
  it.each([
    ['0::/system.slice/a.service\n', '/system.slice/a.service'],
    ['12:pids:/x\n1:name=systemd:/system.slice/a.service\n0::/\n', '/system.slice/a.service'],
    ['1:name=systemd:/\n0::/system.slice/a.service\n', '/system.slice/a.service'],
    ['1:name=systemd:/b.service\n0::/system.slice/a.service\n', '/system.slice/a.service'],
    ['0::/\n', '/'],
    ['', null],
    ['nonsense\n2:cpu:/x\n', null],
  ])('%j has the path %j', (text, path) => {
    expect(parseCgroup(text)).toBe(path);
  });

  it.each([
    [null, null, null, false],
    ['/', null, null, false],
    ['/system.slice/sd-gateway.service', 'sd-gateway.service', 'system', false],
    [
      '/system.slice/system-sd\\x2dgateway.slice/sd-gateway@one.service',
      'sd-gateway@one.service',
      'system',
      false,
    ],
    ['/system.slice/sd-gateway.service/workers/1', 'sd-gateway.service', 'system', false],
    ['/system.slice/_cpu.service', 'cpu.service', 'system', false],
    ['/user.slice/user-1000.slice/session-3.scope', 'session-3.scope', 'system', true],
    ['/user.slice/user-1000.slice/user@1000.service/app.slice/a.service', 'a.service', 'user', false],
    ['/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope', 'app-x.scope', 'user', true],
    ['/user.slice/user-1000.slice/user@1000.service/init.scope', 'user@1000.service', 'system', false],
    ['/user.slice/user-1000.slice/user@1000.service', 'user@1000.service', 'system', false],
    ['/docker/0123456789abcdef', null, null, false],
  ])('%j is of unit %j, manager %j, scope %j', (path, unit, manager, isScope) => {
    expect(unitOfCgroup(path)).toEqual({ unit, manager, isScope });
  });

  it('is found by its path, whatever other hierarchies there are and whatever it is called', () => {
    // A name may hold all but a slash, a line feed and NUL.
    const unit = fc.constantFrom('a', ':', '.', '=', ' ', '\\', '\r', '\u0085', '\u2028', 'é', '🦀');
    const name = fc.string({ unit, minLength: 1, maxLength: 6 });
    const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => `/${names.join('/')}`);
    const other = fc
      .tuple(fc.integer({ min: 2, max: 20 }), fc.constantFrom('cpu', 'cpu,cpuacct', 'name=other'), path)
      .map((parts) => parts.join(':'));
    fc.assert(
      fc.property(
        fc.array(other),
        fc.array(other),
        path,
        fc.constantFrom('0::', '1:name=systemd:'),
        (before, after, own, entry) => {
          const lines = [...before, `${entry}${own}`, ...after].map((line) => `${line}\n`);
          expect(parseCgroup(lines.join(''))).toBe(own);
        },
      ),
    );
  });

  it('is a path, or none, whatever the text', () => {
    const text = fc.oneof(
      unicodeText(),
      near('12:pids:/x\n1:name=systemd:/system.slice/a.service\n0::/\n', '0::/system.slice/a.service\n'),
    );
    fc.assert(
      fc.property(text, (written) => {
        const path = parseCgroup(written);
        if (path !== null) expect([path[0], written.includes(`:${path}`)]).toEqual(['/', true]);
        unitOfCgroup(path);
        unitOfCgroup(written);
      }),
    );
  });
});

describe('/proc', () => {
  it.each([
    [
      '1 (systemd) S 0 1 1 0',
      { comm: 'systemd', state: 'S', parentPid: 0, processGroup: 1, processSession: 1 },
    ],
    [
      '77 (a) b (c)) R 12 3 4 0',
      { comm: 'a) b (c)', state: 'R', parentPid: 12, processGroup: 3, processSession: 4 },
    ],
    [
      '77 (new\nline) S 12 3 4 0',
      { comm: 'new\nline', state: 'S', parentPid: 12, processGroup: 3, processSession: 4 },
    ],
    // One that has just ended.
    ['77 (x) X 0 -1 -1 0', { comm: 'x', state: 'X', parentPid: 0, processGroup: -1, processSession: -1 }],
    ['', null],
    ['77', null],
  ])('%j', (text, expected) => {
    expect(parseProcessStat(text)).toEqual(expected);
  });

  it('tells this process and its ancestors up to PID 1', () => {
    const evidence = readSupervisionEvidence({ INVOCATION_ID: 'x', NOTIFY_SOCKET: '/y' }, true);
    expect(evidence).toMatchObject({
      pid: process.pid,
      parentPid: process.ppid,
      invocationId: 'x',
      notifySocket: '/y',
      systemdExecPid: null,
      booted: true,
    });
    expect(evidence.standardError).toMatch(/^\d+:\d+$/);
    expect(evidence.ancestors[0]?.pid).toBe(process.ppid);
    expect(evidence.ancestors.at(-1)?.pid).toBe(1);
    expect(new Set(evidence.ancestors.map(({ pid }) => pid)).size).toBe(evidence.ancestors.length);
  });

  it('has the name of a process, and none of one that is gone', () => {
    expect(processName(process.pid)).not.toBe('');
    expect(processName(2 ** 30)).toBeNull();
  });
});
