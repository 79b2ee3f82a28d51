import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import type { ManagerJob } from '../../src/lifecycle/stop-cause.js';
import { ProgramError } from '../../src/manager/program.js';
import {
  type JobsQuestion,
  listJobs,
  parseJobs,
  readStopDependencies,
  ServiceManagerError,
  systemctlEnvironment,
} from '../../src/manager/service-manager.js';
import { fakeProgram } from './fake-program.js';

/** With the double that the test has put before all others. */
function question(options: Partial<JobsQuestion> = {}): JobsQuestion {
  return {
    scope: 'system',
    environment: { PATH: process.env['PATH'] ?? '' },
    timeoutMs: 10_000,
    signal: new AbortController().signal,
    ...options,
  };
}

const job = fc.record({
  unit: fc
    .tuple(fc.stringMatching(/^[A-Za-z0-9:_.\\@-]{1,80}$/), fc.constantFrom('service', 'target', 'scope'))
    .map(([name, type]) => `${name}.${type}`),
  type: fc.constantFrom('start', 'stop', 'restart', 'verify-active', 'reload'),
  isRunning: fc.boolean(),
});

it('reads every job that systemctl lists, however its columns are filled', () => {
  fc.assert(
    fc.property(fc.array(job), fc.nat({ max: 20 }), (jobs: readonly ManagerJob[], filling) => {
      const lines = jobs.map(({ unit, type, isRunning }, index) =>
        [
          String(index + 1).padStart(filling),
          unit.padEnd(filling),
          type.padEnd(filling),
          isRunning ? 'running' : 'waiting',
        ].join(' '),
      );
      expect(parseJobs([...lines, ''].join('\n'))).toEqual(jobs);
    }),
  );
});

it.each(['', '\n', 'No jobs running.\n', 'JOB UNIT TYPE STATE\n', '\n2 jobs listed.\n'])(
  'takes %j for no job',
  (text) => {
    expect(parseJobs(text)).toEqual([]);
  },
);

it.each([
  ['system', '--system'],
  ['user', '--user'],
] as const)('asks the %s manager', async (scope, option) => {
  fakeProgram('systemctl', 'console.log("1 " + process.argv.slice(2).join("_") + " stop running")');
  expect(await listJobs(question({ scope }))).toEqual([
    { unit: `${option}_list-jobs_--full_--no-legend_--no-pager`, type: 'stop', isRunning: true },
  ]);
});

it('reads what can draw a unit along, none where systemctl names none', async () => {
  fakeProgram(
    'systemctl',
    "console.log('PartOf=a.target b.target\\nRequires=system.slice\\nBindsTo=\\nConflicts=shutdown.target')",
  );
  expect(await readStopDependencies(question(), 'sd-gateway.service')).toEqual({
    PartOf: ['a.target', 'b.target'],
    BindsTo: [],
    Requires: ['system.slice'],
    Requisite: [],
    Conflicts: ['shutdown.target'],
    ConflictedBy: [],
  });
});

it('gives systemctl where the manager is, and nothing else of the gateway’s environment', async () => {
  const environment = systemctlEnvironment({
    PATH: '/home/somebody/bin:/usr/bin',
    NOTIFY_SOCKET: '/run/systemd/notify',
    SD_GATEWAY_HTTP_LISTEN: '127.0.0.1:1',
    API_KEY: 'secret',
    XDG_RUNTIME_DIR: '/run/user/7',
    DBUS_SESSION_BUS_ADDRESS: 'unix:path=/run/user/7/bus',
  });
  expect(environment).toEqual({
    PATH: '/usr/bin:/bin:/run/current-system/sw/bin',
    XDG_RUNTIME_DIR: '/run/user/7',
    DBUS_SESSION_BUS_ADDRESS: 'unix:path=/run/user/7/bus',
  });
  fakeProgram(
    'systemctl',
    'for (const name of Object.keys(process.env)) console.log("1 " + name + " stop running")',
  );
  const PATH = process.env['PATH'] ?? '';
  const jobs = await listJobs(question({ environment: { ...environment, PATH } }));
  expect(jobs.map(({ unit }) => unit).sort()).toEqual([
    'DBUS_SESSION_BUS_ADDRESS',
    'LC_ALL',
    'PATH',
    'SYSTEMD_COLORS',
    'SYSTEMD_PAGER',
    'SYSTEMD_URLIFY',
    'XDG_RUNTIME_DIR',
  ]);
});

it('rejects with what systemctl says', async () => {
  fakeProgram('systemctl', 'console.error("Access denied"); process.exit(1)');
  await expect(listJobs(question())).rejects.toThrow(
    new ServiceManagerError('systemctl list-jobs', 'Access denied', 1),
  );
});

it('rejects when there is no systemctl', async () => {
  const environment = { PATH: '/nowhere' };
  await expect(listJobs(question({ environment }))).rejects.toMatchObject({ reason: 'missing' });
});

it('rejects when systemctl takes too long', async () => {
  fakeProgram('systemctl', 'setInterval(() => {}, 1000)');
  await expect(listJobs(question({ timeoutMs: 50 }))).rejects.toThrow(ProgramError);
});

it('kills a systemctl that isn’t waited for any more, whatever that makes of signals', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sd-gateway-jobs-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'pid');
  fakeProgram(
    'systemctl',
    `process.on('SIGTERM', () => {});
    setInterval(() => {}, 1_000);
    require('node:fs').writeFileSync(${JSON.stringify(file)}, String(process.pid));`,
  );
  const abort = new AbortController();
  const asked = listJobs(question({ signal: abort.signal }));
  const pid = () => (existsSync(file) ? readFileSync(file, 'utf8') : '');
  await expect.poll(pid).not.toBe('');
  abort.abort();
  await expect(asked).rejects.toThrow('aborted');
  await expect.poll(() => existsSync(`/proc/${pid()}`)).toBe(false);
});
