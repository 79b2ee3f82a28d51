import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Notifier } from '../../../src/lifecycle/effects/notifier.js';
import { WatchdogFeeder } from '../../../src/lifecycle/effects/watchdog-feeder.js';
import type { ServiceReport } from '../../../src/lifecycle/supervise-options.js';
import { DatagramReceiver } from '../../support/datagram-receiver.js';

function block(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}

it('says the status line again that the report of a blocked loop has replaced', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sd-gateway-watchdog-'));
  process.env['NOTIFY_SOCKET'] = join(folder, 'notify');
  const manager = await DatagramReceiver.open(process.env['NOTIFY_SOCKET']);
  const reports: ServiceReport[] = [];
  const report = (each: ServiceReport) => reports.push(each);
  const notifier = new Notifier(report);
  notifier.send({ ready: true, status: 'Ready' });
  // A tick each 200 ms, and word of a blocked loop after 500.
  const feeder = new WatchdogFeeder({
    microseconds: 600_000n,
    notifier,
    report,
    begin: () => undefined,
    parts: () => [],
    blockedLoopEntry: (blocked) => [['MESSAGE', blocked]],
  });
  try {
    block(800);
    const said: string[] = [];
    while (said.at(-1) !== 'STATUS=Ready') said.push((await manager.next()).text);
    const own = said.filter((text) => text !== 'WATCHDOG=1');
    expect(own).toEqual([
      'READY=1\nSTATUS=Ready',
      expect.stringMatching(/^STATUS=Not getting on/),
      'STATUS=Ready',
    ]);
    expect(reports).toEqual([{ type: 'loop-blocked', lateMs: expect.any(Number) }]);
  } finally {
    feeder.close();
    notifier.close();
    delete process.env['NOTIFY_SOCKET'];
    await manager.close();
    rmSync(folder, { recursive: true });
  }
});

it('says when something hangs, and when it gets on again, once each', async () => {
  const reports: ServiceReport[] = [];
  const report = (each: ServiceReport) => reports.push(each);
  const notifier = new Notifier(report);
  let pendingSince: number | null = null;
  let ticks = 0;
  let ticked = () => {};
  const feeder = new WatchdogFeeder({
    microseconds: 60_000n,
    notifier,
    report,
    begin: () => {
      ticks += 1;
      ticked();
    },
    parts: () => [{ name: 'store', pendingSince }],
    blockedLoopEntry: (blocked) => [['MESSAGE', blocked]],
  });
  const moreTicks = async (count: number) => {
    const goal = ticks + count;
    while (ticks < goal) await new Promise<void>((resolve) => (ticked = resolve));
  };
  try {
    pendingSince = 0;
    await moreTicks(3);
    pendingSince = null;
    await moreTicks(3);
    expect(reports).toEqual([
      { type: 'stalled', parts: ['store'], watchdogMicroseconds: 60_000n },
      { type: 'stall-changed', parts: ['store'] },
      { type: 'stall-changed', parts: [] },
    ]);
  } finally {
    feeder.close();
    notifier.close();
  }
});
