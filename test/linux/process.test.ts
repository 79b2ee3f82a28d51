import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parentPid, peerCredentials } from '../../src/linux/process.js';

const module = new URL('../../dist/linux/process.js', import.meta.url).href;

it('ends the process with its status, after the listeners of "exit", whatever its threads are at', () => {
  const script = `
    import { Worker } from 'node:worker_threads';
    import { exitAtOnce } from ${JSON.stringify(module)};
    process.on('exit', (status) => process.stdout.write('exit ' + status));
    // A thread that no termination of JavaScript gets out of its call.
    const worker = new Worker('require("node:child_process").execFileSync("sleep", ["60"])', { eval: true });
    worker.on('online', () => exitAtOnce(75));
  `;
  const { status, stdout, stderr, signal } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', script],
    { encoding: 'utf8', timeout: 15_000 },
  );
  expect({ status, stdout, stderr, signal }).toEqual({
    status: 75,
    stdout: 'exit 75',
    stderr: '',
    signal: null,
  });
});

/** The descriptor of a connection; Node has no public name for it. */
function descriptor(socket: Socket): number {
  return (socket as unknown as { readonly _handle: { readonly fd: number } })._handle.fd;
}

it('names the process at the other end of a Unix socket', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sd-gateway-peer-'));
  const path = join(folder, 'socket');
  const server = createServer().listen(path);
  await once(server, 'listening');
  const program = `require('node:net').connect(${JSON.stringify(path)})`;
  const client = spawn(process.execPath, ['--eval', program]);
  const [socket] = (await once(server, 'connection')) as [Socket];
  expect(peerCredentials(descriptor(socket))).toEqual({
    pid: client.pid,
    uid: process.getuid?.(),
    gid: process.getgid?.(),
  });
  client.kill();
  server.close();
  rmSync(folder, { recursive: true });
});

it('says what is no socket', () => {
  expect(() => peerCredentials(openSync('/dev/null', 'r'))).toThrow(/descriptor \d+: .*ENOTSOCK/);
});

it('tells the parent', () => {
  expect(parentPid()).toBe(process.ppid);
});
