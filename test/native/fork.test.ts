import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DatagramReceiver } from './datagram-receiver.js';

const top = fileURLToPath(new URL('../../', import.meta.url));

let folder: string;

// Node never forks without an exec, so a program of its own does.
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sd-gateway-fork-'));
  const sources = [
    'test/native/fork.cc',
    ...['datagram-sender', 'socket-address', 'vsock'].map((name) => `native/${name}.cc`),
  ];
  execFileSync('g++', ['-std=c++17', '-pthread', '-o', join(folder, 'fork'), ...sources], { cwd: top });
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true }));

it.each(['free', 'full'])('parent and child send in their own names when the queue is %s', async (queue) => {
  const address = join(folder, queue);
  const receiver = await DatagramReceiver.open(address);
  const program = spawn(join(folder, 'fork'), [queue, address], { stdio: 'inherit' });
  const exited = once(program, 'exit');
  const received = new Map<string, number>();
  while (!(received.has('child') && received.has('parent'))) {
    const { text, pid } = await receiver.next();
    if (text !== 'fill') {
      expect(received.has(text)).toBe(false);
      received.set(text, pid);
    }
  }
  expect(await exited).toEqual([0, null]);
  expect(received.get('before')).toBe(program.pid);
  expect(received.get('parent')).toBe(program.pid);
  expect(received.get('child')).not.toBe(program.pid);
  await receiver.close();
});
