import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type StallWatch, startStallWatch } from '../../src/systemd/stall-watch.js';
import { DatagramReceiver } from '../support/datagram-receiver.js';

let folder: string;
let manager: DatagramReceiver;
let journald: DatagramReceiver;
let watch: StallWatch | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sd-gateway-stall-'));
  process.env['NOTIFY_SOCKET'] = join(folder, 'notify');
  manager = await DatagramReceiver.open(process.env['NOTIFY_SOCKET']);
  journald = await DatagramReceiver.open(join(folder, 'journal'));
});

afterEach(async () => {
  watch?.close();
  watch = undefined;
  delete process.env['NOTIFY_SOCKET'];
  await Promise.all([manager.close(), journald.close()]);
  rmSync(folder, { recursive: true });
});

function start(limitMilliseconds: number): StallWatch {
  watch = startStallWatch({
    limitMilliseconds,
    journalEntry: [
      ['MESSAGE', 'blocked'],
      ['PRIORITY', '3'],
    ],
    status: 'No progress',
    journalSocket: join(folder, 'journal'),
  });
  return watch;
}

function block(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}

it('tells journald and the service manager of a thread that is blocked, once for each time', async () => {
  const { alive } = start(100);
  for (let time = 0; time < 2; time++) {
    block(350);
    alive();
    expect((await journald.next()).text).toBe('MESSAGE=blocked\nPRIORITY=3\n');
    expect((await manager.next()).text).toBe('STATUS=No progress');
  }
  // Anything that came twice would come before this.
  const { close } = startStallWatch({
    limitMilliseconds: 1,
    journalEntry: [['MESSAGE', 'the last one']],
    status: 'The last one',
    journalSocket: join(folder, 'journal'),
  });
  expect((await journald.next()).text).toBe('MESSAGE=the last one\n');
  close();
});

it('refuses what can’t work', () => {
  const options = { limitMilliseconds: 1, journalEntry: [['MESSAGE', 'a']] as const, status: 's' };
  expect(() => startStallWatch({ ...options, limitMilliseconds: 0 })).toThrow(RangeError);
  expect(() => startStallWatch({ ...options, journalEntry: [['MESSAGE', 'a\nb']] })).toThrow(RangeError);
  expect(() => startStallWatch({ ...options, journalEntry: [] })).toThrow(RangeError);
});

it('can be closed twice, and is deaf then', () => {
  const watch = start(60_000);
  watch.close();
  watch.close();
  expect(() => watch.alive()).not.toThrow();
});
