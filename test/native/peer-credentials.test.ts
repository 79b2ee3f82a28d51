import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { peerCredentials } from '../../src/systemd/peer-credentials.js';
import { parentPid } from '../../src/systemd/process.js';

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
