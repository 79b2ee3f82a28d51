import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { notify } from '../../src/systemd/notify.js';
import { DatagramReceiver } from '../support/datagram-receiver.js';

const worker = new URL('./environment-worker.mjs', import.meta.url);

let folder: string;
let receiver: DatagramReceiver;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sd-gateway-environments-'));
  process.env['NOTIFY_SOCKET'] = join(folder, 'socket');
  receiver = await DatagramReceiver.open(process.env['NOTIFY_SOCKET']);
});

afterEach(async () => {
  delete process.env['NOTIFY_SOCKET'];
  await receiver.close();
  rmSync(folder, { recursive: true });
});

describe('the addon in several environments', () => {
  it('sends from a worker thread to the address of the process', async () => {
    const thread = new Worker(worker, { workerData: 'notify', env: { NOTIFY_SOCKET: '/nowhere' } });
    const ended = once(thread, 'exit');
    const [answer] = await once(thread, 'message');
    expect(answer).toEqual({ outcome: 'sent' });
    expect((await receiver.next()).text).toBe('STATUS=from a worker');
    await ended;
  });

  it('outlives workers that end while a barrier is waited for and time is asked for', async () => {
    for (let round = 0; round < 10; round++) {
      const thread = new Worker(worker, { workerData: 'leave-open' });
      await once(thread, 'message');
      // Messages that were sent before: one for the extension, one for the barrier.
      await receiver.next();
      await receiver.next();
      if (round % 2 === 0) await thread.terminate();
      else thread.postMessage('exit');
      await receiver.closeDescriptors();
    }
    await receiver.pending();
    notify({ status: 'still here' });
    expect((await receiver.next()).text).toBe('STATUS=still here');
  });

  it('stays in memory when only workers had it loaded, and can be loaded again', () => {
    const program = `
      const { Worker } = require('node:worker_threads');
      const { once } = require('node:events');
      (async () => {
        for (let round = 0; round < 5; round++) {
          const thread = new Worker(${JSON.stringify(fileURLToPath(worker))}, { workerData: 'notify' });
          await once(thread, 'exit');
        }
        process.stdout.write('alive');
      })();`;
    const run = spawnSync(process.execPath, ['--eval', program], { encoding: 'utf8', timeout: 20_000 });
    expect(run).toMatchObject({ status: 0, signal: null, stdout: 'alive', stderr: '' });
  });

  it('lets a process exit in the middle of everything', async () => {
    const program = `
      import { notifyBarrier } from ${JSON.stringify(new URL('../../dist/systemd/notify.js', import.meta.url))};
      import { startTimeoutExtension } from ${JSON.stringify(
        new URL('../../dist/systemd/timeout-extension.js', import.meta.url),
      )};
      notifyBarrier(60000);
      startTimeoutExtension({ intervalMilliseconds: 1, extensionMicroseconds: 60000000n, limitMilliseconds: 60000 });
      setTimeout(() => process.exit(7), 20);`;
    const run = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    expect(run).toMatchObject({ status: 7, signal: null, stderr: '' });
  });
});
