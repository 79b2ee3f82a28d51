import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Sender } from '../../src/lifecycle/stop-cause.js';
import { SupervisedService } from '../../src/lifecycle/supervise.js';
import type { ServiceReport, StopContext, SuperviseOptions } from '../../src/lifecycle/supervise-options.js';
import { supervisorSignalTimeoutMs } from '../../src/lifecycle/timeouts.js';
import { DatagramReceiver } from '../support/datagram-receiver.js';
import { delivery, supervision, systemUnit } from './samples.js';

let folder: string;
let manager: DatagramReceiver;
const operator: Sender = { pid: 7, uid: 0, comm: 'operator', isSupervisor: false };

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sd-gateway-supervise-'));
  process.env['NOTIFY_SOCKET'] = join(folder, 'notify');
  manager = await DatagramReceiver.open(process.env['NOTIFY_SOCKET']);
});
afterEach(async () => {
  delete process.env['NOTIFY_SOCKET'];
  await manager.close();
  rmSync(folder, { recursive: true });
});

/** A service with all that it does in the order in which it does it. */
function supervised(options: Partial<SuperviseOptions> = {}) {
  const calls: string[] = [];
  const stops: StopContext[] = [];
  const reports: ServiceReport[] = [];
  const service = new SupervisedService({
    supervision: supervision(systemUnit),
    report: (report) => reports.push(report),
    ...options,
  });
  service.onStop((stop) => {
    calls.push('stop');
    stops.push(stop);
  });
  service.onClose(({ cause }) => {
    calls.push(`close after ${cause}`);
  });
  return { service, calls, stops, reports };
}

/** Messages that the manager hears up to its acknowledgement of the barrier. */
async function heardUntilBarrier(): Promise<readonly string[]> {
  const heard = await heardUntil('BARRIER=1');
  await manager.closeDescriptors();
  return heard;
}

/** Messages that the manager hears up to a text, without the requests for time. */
async function heardUntil(text: string): Promise<readonly string[]> {
  const heard: string[] = [];
  while (heard.at(-1) !== text) {
    const next = (await manager.next()).text.replace(/(MONOTONIC_USEC|ERRNO)=\d+/, '$1=N');
    if (!next.startsWith('EXTEND_TIMEOUT_USEC=')) heard.push(next);
  }
  return heard;
}

it('tells the manager of its start and its stop, and ends with the barrier', async () => {
  const { service, calls, stops, reports } = supervised({ stopTimeoutMs: () => 60_000 });
  service.ready('Serving');
  service.requestStop('planned-stop', operator);
  const heard = await heardUntilBarrier();
  expect(await service.ended).toBe(0);
  expect(heard).toEqual([
    'READY=1\nSTATUS=Serving',
    'STOPPING=1\nSTATUS=Serving',
    'STATUS=Serving',
    'BARRIER=1',
  ]);
  expect(calls).toEqual(['stop', 'close after planned-stop']);
  const [stop] = stops;
  expect(stop).toMatchObject({ cause: 'planned-stop', sender: operator });
  expect(stop?.signal.aborted).toBe(false);
  const left = (stop?.deadline ?? 0) - (service.stoppingAt ?? 0);
  expect(left).toBe(60_000);
  expect(reports.map(({ type }) => type)).toEqual(['ready', 'stopping', 'stopped']);
});

it('asks for time while it starts, and again while it stops', async () => {
  const { service } = supervised();
  expect((await manager.next()).text).toBe('EXTEND_TIMEOUT_USEC=10000000');
  service.ready();
  service.onStop(async () => {
    while (!(await manager.next()).text.startsWith('EXTEND_TIMEOUT_USEC='));
  });
  service.requestStop('restart', operator);
  await heardUntilBarrier();
  expect(await service.ended).toBe(75);
});

it('goes on as it was when a reload is refused', async () => {
  const { service, reports } = supervised();
  service.ready('Serving');
  service.onReload(() => Promise.reject(new Error('no such key')));
  service.receive(delivery({ signal: 'SIGHUP' }));
  const heard = await heardUntil('READY=1\nSTATUS=Serving');
  expect(heard).toEqual(['READY=1\nSTATUS=Serving']);
  expect(await heardUntil('READY=1\nSTATUS=Serving')).toEqual([
    'RELOADING=1\nMONOTONIC_USEC=N\nSTATUS=Serving',
    'READY=1\nSTATUS=Serving',
  ]);
  expect(reports).toContainEqual({ type: 'reload-refused', reason: 'no such key' });
  service.crash(new Error('the end of the test'));
  expect(await service.ended).toBe(1);
});

it('is ready again at once after a reload that needs no waiting, and tells who asked for it', async () => {
  const { service, reports } = supervised();
  let reloads = 0;
  service.ready();
  service.onReload(() => {
    reloads += 1;
  });
  service.requestReload(operator);
  expect([reloads, service.state.name]).toEqual([1, 'ready']);
  service.receive(delivery({ signal: 'SIGHUP' }));
  expect(reports.filter(({ type }) => type === 'reload-requested')).toEqual([
    { type: 'reload-requested', sender: operator, isSignal: false },
    { type: 'reload-requested', sender: expect.objectContaining({ pid: 999, comm: 'kill' }), isSignal: true },
  ]);
  service.crash(new Error('the end of the test'));
  await service.ended;
});

it.each([
  ['refused', 78],
  ['crash', 1],
] as const)('closes after a start that failed (%s), and exits with %i', async (cause, status) => {
  const { service, calls } = supervised();
  service.startFailed({ cause, reason: 'the port is taken', errno: 98 });
  expect(service.stop?.cause).toBe(cause);
  expect(await heardUntilBarrier()).toContainEqual(expect.stringContaining('STATUS=the port is taken'));
  expect(await service.ended).toBe(status);
  expect(calls).toEqual([`close after ${cause}`]);
});

it('cancels a start that a stop comes into', async () => {
  const { service, calls } = supervised();
  service.receive(delivery({ senderPid: 1 }));
  expect(service.startSignal.aborted).toBe(true);
  service.ready();
  expect((await heardUntilBarrier()).filter((text) => text.startsWith('READY=1'))).toEqual([]);
  expect(await service.ended).toBe(0);
  expect(calls).toEqual(['stop', 'close after planned-stop']);
});

it('takes a kill for a planned stop if the supervisor asks for one a moment later', async () => {
  const { service, calls, reports } = supervised();
  service.ready();
  service.receive(delivery({}));
  // The handler is through by now; an idle service has nothing to drain.
  await new Promise(setImmediate);
  service.receive(delivery({ senderPid: 1, senderComm: 'systemd' }));
  await service.causeIsFinal;
  await heardUntilBarrier();
  expect(await service.ended).toBe(0);
  expect(calls).toEqual(['stop', 'close after planned-stop']);
  expect(reports.map(({ type }) => type)).toEqual(['ready', 'stopping', 'stop-planned', 'stopped']);
});

it('takes a kill for a planned stop if all that comes of the supervisor’s is the SIGCONT behind it', async () => {
  const { service, calls } = supervised();
  service.ready();
  service.receive(delivery({}));
  service.receive(delivery({ signal: 'SIGCONT', senderPid: 1, senderComm: 'systemd' }));
  await heardUntilBarrier();
  expect(await service.ended).toBe(0);
  expect(calls).toEqual(['stop', 'close after planned-stop']);
});

it.each([
  ['stops it', true, 0, 'planned-stop', ['ready', 'stopping', 'stop-planned', 'stopped']],
  ['doesn’t stop it', false, 1, 'foreign-kill', ['ready', 'stopping', 'stopped']],
  ['gives no answer', null, 1, 'foreign-kill', ['ready', 'stopping', 'stopped']],
] as const)('judges a kill by its manager, which %s', async (_what, answer, status, cause, told) => {
  const { service, calls, reports } = supervised({ isStoppedByManager: async () => answer });
  service.ready();
  service.receive(delivery({}));
  await heardUntilBarrier();
  expect(await service.ended).toBe(status);
  expect(calls).toEqual(['stop', `close after ${cause}`]);
  expect(reports.map(({ type }) => type)).toEqual(told);
});

it.each([5, 100])(
  'asks the manager again at the end of a drain of %i ms: to a unit that stops already it sends no signal',
  async (ms) => {
    const answers = [false, true];
    const { service, reports } = supervised({ isStoppedByManager: async () => answers.shift() ?? null });
    service.ready();
    service.onStop(() => new Promise((resolve) => setTimeout(resolve, ms)));
    service.receive(delivery({}));
    await heardUntilBarrier();
    expect(await service.ended).toBe(0);
    expect(service.stop).toMatchObject({ cause: 'planned-stop', after: { cause: 'foreign-kill' } });
    expect(reports.map(({ type }) => type)).toEqual(['ready', 'stopping', 'stop-planned', 'stopped']);
  },
);

it('waits no second for a supervisor whose manager says that it does nothing', async () => {
  const { service } = supervised({ isStoppedByManager: async () => false });
  service.ready();
  const before = performance.now();
  service.receive(delivery({}));
  await service.causeIsFinal;
  expect(performance.now() - before).toBeLessThan(supervisorSignalTimeoutMs);
  await heardUntilBarrier();
  await service.ended;
});

it('tells a planned stop once, whatever says so first', async () => {
  let tell: (isStopped: boolean) => void = () => undefined;
  const asked = new Promise<boolean>((resolve) => {
    tell = resolve;
  });
  const { service, reports } = supervised({ isStoppedByManager: () => asked });
  service.ready();
  service.onStop(async () => {
    await new Promise(setImmediate);
    await new Promise(setImmediate);
  });
  service.receive(delivery({}));
  service.receive(delivery({ signal: 'SIGCONT', senderPid: 1 }));
  tell(true);
  await heardUntilBarrier();
  expect(await service.ended).toBe(0);
  expect(reports.map(({ type }) => type)).toEqual(['ready', 'stopping', 'stop-planned', 'stopped']);
});

it('ends with 1 after a kill that nobody else asks for', async () => {
  const { service, calls } = supervised();
  service.ready();
  service.receive(delivery({}));
  await heardUntilBarrier();
  expect(await service.ended).toBe(1);
  expect(calls).toEqual(['stop', 'close after foreign-kill']);
});

it('ends a stop that hangs, as after a crash', async () => {
  const { service, stops, reports } = supervised({ stopTimeoutMs: () => 50 });
  service.ready();
  service.onClose(() => new Promise(() => {}));
  service.requestStop('planned-stop', operator);
  expect(await service.ended).toBe(1);
  expect(stops[0]?.signal.aborted).toBe(true);
  expect(reports).toContainEqual(
    expect.objectContaining({
      type: 'crashed',
      reason: expect.stringContaining('did not end within 50 ms'),
    }),
  );
});

it('ends at once when a handler throws, and closes nothing', async () => {
  const { service, calls } = supervised();
  service.ready();
  service.onStop(() => Promise.reject(new Error('lost the database')));
  service.requestStop('planned-stop', operator);
  expect(await service.ended).toBe(1);
  expect(calls).toEqual([]);
  expect(service.failure).toBe('lost the database');
  expect(service.stop?.cause).toBe('crash');
});

it('supervises a program that gives it nothing but handlers, and tells it who has sent a signal', async () => {
  const module = new URL('../../dist/lifecycle/supervise.js', import.meta.url).href;
  const program = `
    import { supervise } from ${JSON.stringify(module)};
    const service = supervise();
    service.onReload(() => process.stdout.write('reloaded '));
    service.onStop(({ cause, sender }) => process.stdout.write(cause + ' by ' + sender.pid));
    service.ready('Serving');
    process.stdout.write('ready ');
    process.exitCode = await service.ended;
    process.exit();`;
  // Without an invocation of its own, and below a shell that is not the service manager.
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    env: { NOTIFY_SOCKET: process.env['NOTIFY_SOCKET'] },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  const exited = once(child, 'exit');
  expect(await heardUntil('READY=1\nSTATUS=Serving')).toHaveLength(1);
  child.kill('SIGHUP');
  await heardUntil('READY=1\nSTATUS=Serving');
  child.kill('SIGTERM');
  await heardUntilBarrier();
  expect(await exited).toEqual([1, null]);
  expect(output).toBe(`ready reloaded unexpected-kill by ${process.pid}`);
});
