import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Announcer } from '../../src/gateway/announcer.js';
import { WatchdogFeeder } from '../../src/gateway/watchdog-feeder.js';
import { DatagramReceiver } from '../support/datagram-receiver.js';
import { RecordingLog } from './delivery/recording-log.js';

function block(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}

it('says the status line again that the report of a blocked loop has replaced', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sd-gateway-watchdog-'));
  process.env['NOTIFY_SOCKET'] = join(folder, 'notify');
  const manager = await DatagramReceiver.open(process.env['NOTIFY_SOCKET']);
  const log = new RecordingLog();
  const announcer = new Announcer(log);
  announcer.send({ ready: true, status: 'Ready' });
  // A tick each 200 ms, and word of a blocked loop after 500.
  const feeder = new WatchdogFeeder({
    microseconds: 600_000n,
    announcer,
    log,
    begin: () => undefined,
    parts: () => [],
    changed: () => undefined,
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
    expect(log.records.map(({ message }) => message)).toEqual([
      expect.stringMatching(/was blocked for \d+ ms and goes on/),
    ]);
  } finally {
    feeder.close();
    announcer.close();
    delete process.env['NOTIFY_SOCKET'];
    await manager.close();
    rmSync(folder, { recursive: true });
  }
});

it('says when something hangs, and when it gets on again, once each', async () => {
  const announcer = new Announcer(new RecordingLog());
  const changes: string[] = [];
  let pendingSince: number | null = null;
  let ticks = 0;
  let ticked = () => {};
  const feeder = new WatchdogFeeder({
    microseconds: 60_000n,
    announcer,
    log: new RecordingLog(),
    begin: () => {
      ticks += 1;
      ticked();
    },
    parts: () => [{ name: 'store', pendingSince }],
    changed: () => changes.push(feeder.stalled.join()),
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
    expect(changes).toEqual(['store', '']);
  } finally {
    feeder.close();
    announcer.close();
  }
});
