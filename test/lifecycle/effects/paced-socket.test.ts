import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { paceReads } from '../../../src/lifecycle/effects/paced-socket.js';
import { withTurns } from '../../support/turns.js';

const fixture = (name: string) =>
  readFileSync(new URL(`../../gateway/delivery/webhook/fixtures/${name}`, import.meta.url));

const ended: (() => void)[] = [];
afterEach(() => {
  for (const end of ended.splice(0)) end();
});

/** A connection to a server that writes so. */
async function connectionTo(kind: 'plain' | 'TLS', write: (socket: Socket) => void): Promise<Socket> {
  const serve = (socket: Socket) => {
    ended.push(() => socket.destroy());
    socket.on('error', () => undefined);
    write(socket);
  };
  const server =
    kind === 'plain'
      ? createServer(serve)
      : createTlsServer({ cert: fixture('self-signed.crt'), key: fixture('self-signed.key') }, serve);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket =
    kind === 'plain'
      ? connect({ port, host: '127.0.0.1' })
      : connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
  ended.push(() => {
    socket.destroy();
    server.close();
  });
  return socket;
}

const content = Buffer.from(Array.from({ length: 200_000 }, (_, index) => index % 251));

describe.each(['plain', 'TLS'] as const)('a paced socket: %s', (kind) => {
  it('gives all in its order, a little in each turn', async () => {
    const socket = await connectionTo(kind, (other) => other.end(content));
    paceReads(socket, 1_024);
    const chunks: Buffer[] = [];
    const { turns } = await withTurns(async () => {
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      await once(socket, 'end');
    });
    expect(Buffer.concat(chunks).equals(content)).toBe(true);
    expect(Math.max(...chunks.map(({ length }) => length))).toBeLessThanOrEqual(1_024);
    expect(turns).toBeGreaterThan(content.length / 2_048);
  });

  it('waits for its reader', async () => {
    const socket = await connectionTo(kind, (other) => other.end(content));
    paceReads(socket, 1_024);
    let readBytes = 0;
    for await (const chunk of socket) {
      readBytes += (chunk as Buffer).length;
      await new Promise((resolve) => setImmediate(resolve));
      expect(socket.readableLength).toBeLessThanOrEqual(2 * socket.readableHighWaterMark);
    }
    expect(readBytes).toBe(content.length);
  });

  it('ends while it has bytes to give', async () => {
    const socket = await connectionTo(kind, (other) => void other.write(content));
    paceReads(socket, 16);
    await once(socket, 'data');
    socket.destroy();
    await once(socket, 'close');
  });
});
