import { existsSync, mkdtempSync, openSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { descriptorOf, type SocketKeeper } from '../../../src/channels/http/server/socket-keeper.js';
import { rawConnection, type Served, serve, token } from './http-fixture.js';

let directory: string;
const open: Served[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sd-gateway-kept-'));
});

afterEach(async () => {
  for (const served of open.splice(0)) await served.dispose();
  rmSync(directory, { recursive: true, force: true });
});

/** Notes what it is asked to keep, as the service manager would do it. */
class Notes implements SocketKeeper {
  readonly listeners: string[] = [];
  readonly dropped: string[] = [];
  connections = 0;

  keepListener(address: string): boolean {
    this.listeners.push(address);
    return true;
  }

  dropListener(address: string): void {
    this.dropped.push(address);
  }

  keepConnections(descriptors: readonly number[]): number {
    this.connections += descriptors.length;
    return descriptors.length;
  }
}

function readlinkIfOpen(descriptor: number): string | null {
  const link = `/proc/self/fd/${descriptor}`;
  return existsSync(link) ? readlinkSync(link) : null;
}

const get = `GET /healthz HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`;

test('keeps what it binds, by its address in the configuration, and the file of a Unix socket', async () => {
  const path = join(directory, 'gateway.sock');
  const sockets = new Notes();
  const served = await serve({
    endpoints: [
      { kind: 'tcp', host: '127.0.0.1', port: 0 },
      { kind: 'unix', path },
    ],
    channel: { sockets },
  });
  open.push(served);
  expect(sockets.listeners).toEqual(['127.0.0.1:0', `unix:${path}`]);
  expect(statSync(path).mode & 0o777).toBe(0o660);
  await served.channel.close(0);
  expect(existsSync(path)).toBe(true);
});

test('a kept Unix socket whose file is gone is given up, and bound afresh', async () => {
  const path = join(directory, 'gateway.sock');
  const sockets = new Notes();
  // The target does not matter: no client gets to it.
  const kept = openSync('/dev/null', 'r');
  const served = await serve({ endpoints: [{ kind: 'unix', path, kept }], channel: { sockets } });
  open.push(served);
  expect(sockets.dropped).toEqual([`unix:${path}`]);
  expect(sockets.listeners).toEqual([`unix:${path}`]);
  // Closed; another file may have its number by now.
  expect(readlinkIfOpen(kept)).not.toBe('/dev/null');
});

test('at the end keeps the idle connections, and not those that are owed an answer', async () => {
  const sockets = new Notes();
  let finish: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const served = await serve({
    channel: { sockets },
    over: {
      async sessions(page) {
        await held;
        return served.store.sessions(page);
      },
    },
  });
  open.push(served);
  const silent = await rawConnection(served.base);
  const idle = await rawConnection(served.base);
  idle.write(get);
  await idle.until('healthy');
  const busy = await rawConnection(served.base);
  busy.write(get.replace('/healthz', '/v1/sessions'));
  await expect.poll(() => served.channel.facts().connections.open).toBe(3);
  // Its bytes have come once another connection's later request has been answered.
  await served.get('/healthz');
  const closed = served.channel.close(600_000);
  finish();
  expect(await busy.ended).toMatch(/Connection: close[\s\S]*items/);
  await closed;
  expect(served.records).toEqual([]);
  // The two, and that of fetch.
  expect(sockets.connections).toBe(3);
  await silent.ended;
});

test('the descriptor of what is closed is not known', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  expect(descriptorOf(server)).toBeGreaterThan(2);
  server.close();
  expect(descriptorOf(server)).toBe(null);
});
