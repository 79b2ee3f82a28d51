import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { notify, notifyBarrier } from '../../src/systemd/notify.js';
import { DatagramReceiver } from '../support/datagram-receiver.js';

let folder: string;
let receiver: DatagramReceiver;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sd-gateway-barrier-'));
  process.env['NOTIFY_SOCKET'] = join(folder, 'socket');
  receiver = await DatagramReceiver.open(process.env['NOTIFY_SOCKET']);
});

afterEach(async () => {
  delete process.env['NOTIFY_SOCKET'];
  await receiver.close();
  rmSync(folder, { recursive: true });
});

describe('notifyBarrier', () => {
  it('resolves when the manager has closed the pipe, not before', async () => {
    notify({ stopping: true });
    let settled = false;
    const barrier = notifyBarrier(60_000).finally(() => {
      settled = true;
    });
    expect((await receiver.next()).text).toBe('STOPPING=1');
    expect(await receiver.next()).toMatchObject({ text: 'BARRIER=1', fds: [{ kind: 'fifo' }] });
    expect(settled).toBe(false);
    await receiver.closeDescriptors();
    expect(await barrier).toEqual({ outcome: 'acknowledged' });
  });

  it('gives up after its time', async () => {
    expect(await notifyBarrier(1)).toEqual({ outcome: 'timed-out' });
    expect(await notifyBarrier(0)).toEqual({ outcome: 'timed-out' });
  });

  it('is acknowledged where the event loop comes to the answer only after the time', async () => {
    const barrier = notifyBarrier(1_000);
    await receiver.next();
    const closed = receiver.closeDescriptors();
    for (const end = performance.now() + 1_500; performance.now() < end; );
    expect(await barrier).toEqual({ outcome: 'acknowledged' });
    await closed;
  });

  it('says why it could not be sent', async () => {
    await receiver.close();
    expect(await notifyBarrier(1_000)).toMatchObject({ outcome: 'failed', code: 'ECONNREFUSED' });
    process.env['NOTIFY_SOCKET'] = 'unsupported';
    expect(await notifyBarrier(1_000)).toMatchObject({ outcome: 'failed', code: 'EAFNOSUPPORT' });
  });

  it('goes behind what is queued', async () => {
    let sent = 1;
    while (notify({ status: String(sent) }).outcome === 'sent') sent++;
    const barrier = notifyBarrier(60_000);
    for (let n = 1; n <= sent; n++) expect((await receiver.next()).text).toBe(`STATUS=${n}`);
    expect(await receiver.next()).toMatchObject({ text: 'BARRIER=1', fds: [{ kind: 'fifo' }] });
    await receiver.closeDescriptors();
    expect(await barrier).toEqual({ outcome: 'acknowledged' });
  });

  it('is not taken for acknowledged when it was queued and the manager is gone', async () => {
    while (notify({ status: 'x' }).outcome === 'sent');
    const barrier = notifyBarrier(60_000);
    await receiver.close();
    expect(await barrier).toMatchObject({ outcome: 'failed', code: 'ECONNREFUSED' });
  });

  it('can be waited for several times at once', async () => {
    const barriers = [notifyBarrier(60_000), notifyBarrier(60_000), notifyBarrier(60_000)];
    for (const _ of barriers) await receiver.next();
    await receiver.closeDescriptors();
    expect(await Promise.all(barriers)).toEqual(new Array(3).fill({ outcome: 'acknowledged' }));
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('refuses %d ms', async (milliseconds) => {
    await expect(notifyBarrier(milliseconds)).rejects.toThrow(RangeError);
  });
});
