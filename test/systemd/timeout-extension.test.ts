import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  reportProgress,
  startTimeoutExtension,
  type TimeoutExtension,
  type TimeoutExtensionOptions,
} from '../../src/systemd/timeout-extension.js';
import { DatagramReceiver } from '../support/datagram-receiver.js';

let folder: string;
let fifo: string;
let receiver: DatagramReceiver;
let extension: TimeoutExtension | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sd-gateway-extension-'));
  fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  process.env['NOTIFY_SOCKET'] = join(folder, 'socket');
  receiver = await DatagramReceiver.open(process.env['NOTIFY_SOCKET']);
});

afterEach(async () => {
  extension?.close();
  extension = undefined;
  delete process.env['NOTIFY_SOCKET'];
  await receiver.close();
  rmSync(folder, { recursive: true });
});

const hour = 3_600_000;
const short = { intervalMilliseconds: 10, extensionMicroseconds: 5_000_000n };
const never = { intervalMilliseconds: hour, extensionMicroseconds: 2n * BigInt(hour) * 1_000n };

/** Keeps this thread busy, without any input or output, for so long. */
function spin(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}

describe('startTimeoutExtension', () => {
  it('asks for time at once', async () => {
    extension = startTimeoutExtension({ ...never, stallMilliseconds: hour });
    expect((await receiver.next()).text).toBe('EXTEND_TIMEOUT_USEC=7200000000');
  });

  it('goes on while this thread is inside one call', async () => {
    extension = startTimeoutExtension({ ...short, stallMilliseconds: hour });
    const counted = receiver.count(8, fifo);
    // Blocks until the receiver has got them all.
    expect(readFileSync(fifo, 'utf8')).toBe('8');
    await counted;
  });

  it('ends when nothing moves any more, and goes on when something does', async () => {
    extension = startTimeoutExtension({ ...short, stallMilliseconds: 50 });
    spin(600);
    // At most one an interval for as long as the start counts as progress, with one at each end.
    expect(await receiver.pending()).toBeLessThanOrEqual(50 / short.intervalMilliseconds + 2);
    spin(100);
    expect(await receiver.pending()).toBe(0);
    reportProgress();
    expect((await receiver.next()).text).toBe('EXTEND_TIMEOUT_USEC=5000000');
  });

  it('takes reading and writing for progress', async () => {
    extension = startTimeoutExtension({ ...short, stallMilliseconds: 20 });
    const counted = receiver.count(20, fifo);
    let received = false;
    counted.then(() => {
      received = true;
    });
    const zeros = openSync('/dev/zero', 'r');
    const page = Buffer.alloc(65_536);
    const reader = openSync(fifo, 'r+');
    while (!received) {
      readSync(zeros, page);
      await new Promise(setImmediate);
    }
    closeSync(zeros);
    closeSync(reader);
  });

  it('takes progress that another thread reports', async () => {
    extension = startTimeoutExtension({ ...short, stallMilliseconds: 20 });
    const worker = new Worker(new URL('./progress-reporter.mjs', import.meta.url));
    const counted = receiver.count(20, fifo);
    expect(readFileSync(fifo, 'utf8')).toBe('20');
    await counted;
    await worker.terminate();
  });

  it('needs no progress up to its limit, and ends there', async () => {
    extension = startTimeoutExtension({ ...short, limitMilliseconds: 100 });
    spin(600);
    const count = await receiver.pending();
    expect(count).toBeGreaterThan(1);
    expect(count).toBeLessThanOrEqual(100 / short.intervalMilliseconds + 2);
    reportProgress();
    spin(50);
    expect(await receiver.pending()).toBe(0);
  });

  it('sends nothing any more once it is closed', async () => {
    extension = startTimeoutExtension({ ...short, limitMilliseconds: hour });
    await receiver.next();
    await receiver.next();
    extension.close();
    await receiver.pending();
    spin(50);
    expect(await receiver.pending()).toBe(0);
    extension.close();
  });

  it('does nothing without a service manager', () => {
    delete process.env['NOTIFY_SOCKET'];
    startTimeoutExtension({ ...short, stallMilliseconds: hour }).close();
  });

  it('says why it could not ask for time', () => {
    process.env['NOTIFY_SOCKET'] = join(folder, 'missing');
    expect(() => startTimeoutExtension({ ...short, stallMilliseconds: hour })).toThrow(/ENOENT/);
  });

  it.each<[string, TimeoutExtensionOptions]>([
    ['no end', short],
    [
      'an extension shorter than the interval',
      { ...short, extensionMicroseconds: 10_000n, stallMilliseconds: 1 },
    ],
    ['a negative time', { ...short, limitMilliseconds: -1 }],
    ['no number', { ...short, intervalMilliseconds: Number.NaN, limitMilliseconds: 1 }],
  ])('refuses %s', (_what, options) => {
    expect(() => startTimeoutExtension(options)).toThrow(RangeError);
  });
});
