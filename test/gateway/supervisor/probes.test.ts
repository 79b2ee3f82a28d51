import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createListener, type Server, type Socket } from 'node:net';
import { expect, it, vi } from 'vitest';
import type { ConnectionsTaken } from '../../../src/channels/http/server/connections.js';
import { ChannelProbe } from '../../../src/gateway/supervisor/probes.js';

const noneTaken = () => ({ count: 0, lastAt: 0 });

async function addressOf(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

it('makes progress while new connections are taken and answered', async () => {
  const server = createServer((_request, response) => response.end('{}'));
  const address = await addressOf(server);
  const probe = new ChannelProbe(() => [address], noneTaken);
  probe.begin();
  expect(probe.progress()).toEqual({ name: 'http', pendingSince: expect.any(Number) });
  await vi.waitFor(() => expect(probe.progress().pendingSince).toBeNull());
  // The listener is gone: from then on there is none, however often it is tried.
  server.close();
  await once(server, 'close');
  probe.begin();
  const { pendingSince } = probe.progress();
  expect(pendingSince).not.toBeNull();
  await new Promise((resolve) => setImmediate(resolve));
  probe.begin();
  expect(probe.progress().pendingSince).toBe(pendingSince);
});

it('is not wanted of an abstract Unix socket, which it could not reach', () => {
  const probe = new ChannelProbe(() => ['unix:@sd-gateway'], noneTaken);
  probe.begin();
  expect(probe.progress().pendingSince).toBeNull();
});

it('makes progress while others are taken that may be in front of it, and no longer', async () => {
  const connections: Socket[] = [];
  const server = createListener((socket) => void connections.push(socket));
  const address = await addressOf(server);
  let taken: ConnectionsTaken = { count: 700, lastAt: 0 };
  const probe = new ChannelProbe(
    () => [address],
    () => taken,
  );
  probe.begin();
  const began = probe.progress().pendingSince ?? Number.NaN;
  // Its own connection is on its way.
  taken = { count: 5_000, lastAt: began + 1 };
  expect(probe.progress().pendingSince).toBe(began + 1);
  await vi.waitFor(() => expect(connections).toHaveLength(1));
  await new Promise((resolve) => setImmediate(resolve));
  taken = { count: 9_000, lastAt: began + 2 };
  expect(probe.progress().pendingSince).toBe(began + 2);
  taken = { count: 10_000, lastAt: began + 3 };
  expect(probe.progress().pendingSince).toBe(began);
  for (const socket of connections) socket.destroy();
  server.close();
});

it('makes none while a connection gets no answer, and none is wanted of a channel that is not to serve', async () => {
  const connections: Socket[] = [];
  const server = createListener((socket) => void connections.push(socket));
  const addresses = [await addressOf(server)];
  const probe = new ChannelProbe(() => addresses, noneTaken);
  const began = performance.now();
  probe.begin();
  await vi.waitFor(() => expect(connections).toHaveLength(1));
  probe.begin();
  expect(connections).toHaveLength(1);
  expect(probe.progress().pendingSince).toBeGreaterThanOrEqual(began);
  addresses.length = 0;
  probe.begin();
  expect(probe.progress().pendingSince).toBeNull();
  for (const socket of connections) socket.destroy();
  server.close();
});
