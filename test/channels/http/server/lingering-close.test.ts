import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { linger } from '../../../../src/channels/http/server/lingering-close.js';
import { type Served, serve, token } from '../http-fixture.js';

/** More than the sockets' buffers have room for. */
const sentBytes = 24 * 1024 ** 2;

describe('a client that reads its answer only once it has sent all', () => {
  let served: Served;
  beforeAll(async () => {
    served = await serve();
  });
  afterAll(() => served.dispose());

  /** Gives the answer, or how the connection failed. */
  async function sendAll(head: string, body = Buffer.alloc(sentBytes, ' ')): Promise<string> {
    const { hostname, port } = new URL(served.base);
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    socket.setEncoding('latin1');
    try {
      await once(socket, 'connect');
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.write(head);
        socket.end(body, resolve);
      });
      const pieces: string[] = [];
      for await (const piece of socket) pieces.push(String(piece));
      return pieces.join('');
    } catch (error) {
      return String(error);
    } finally {
      socket.destroy();
    }
  }

  const post = 'POST /v1/sessions/a/messages HTTP/1.1\r\nHost: x\r\n';
  const authorization = `Authorization: Bearer ${token}\r\n`;
  const json = 'Content-Type: application/json\r\n';
  const length = `Content-Length: ${sentBytes}\r\n`;
  const chunk = `Transfer-Encoding: chunked\r\n\r\n${sentBytes.toString(16)}\r\n`;

  test.each([
    [413, 'a body that is too large', `${post}${authorization}${json}${length}\r\n`],
    [413, 'such a body in a chunk', `${post}${authorization}${json}${chunk}`],
    [401, 'no token, and the connection is to be closed', `${post}${json}${length}Connection: close\r\n\r\n`],
    [
      415,
      'an encoded body, and the connection is to be closed',
      `${post}${authorization}${json}Content-Encoding: gzip\r\nConnection: close\r\n${chunk}`,
    ],
    [431, 'headers that are too large', `${post}X: ${'x'.repeat(20_000)}\r\n${length}\r\n`],
    [400, 'what is no request', 'no request\r\n\r\n'],
  ])('gets the %i for %s', async (status, _what, head) => {
    expect(await sendAll(head)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  test('has no further request taken behind the last answer', async () => {
    const large = `${post}${authorization}${json}Content-Length: 300000\r\n\r\n${' '.repeat(300_000)}`;
    const next = `${post}${authorization}${json}Content-Length: 12\r\n\r\n{"text":"x"}`;
    expect(await sendAll(large, Buffer.from(next))).toMatch(/^HTTP\/1.1 413 /);
    expect(served.accepted).toEqual([]);
  });
});

describe('a connection that lingers is closed', () => {
  const opened: { close(): void }[] = [];
  afterEach(() => {
    for (const { close } of opened.splice(0)) close();
  });

  /** A server that ends its side and lingers; resolves with the client and once the server has closed. */
  async function lingering(bounds: Partial<Parameters<typeof linger>[1]>) {
    const server = createServer({ allowHalfOpen: true });
    const closed = once(server, 'connection').then(async ([socket]: Socket[]) => {
      if (socket === undefined) throw new Error('No connection came.');
      socket.on('error', () => {});
      linger(socket, { silenceMs: 60_000, longestMs: 60_000, mostBytes: 2 ** 30, ...bounds });
      await once(socket, 'close');
      return socket.bytesRead;
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('It has no port.');
    const client = connect({ host: '127.0.0.1', port: address.port, allowHalfOpen: true });
    client.on('error', () => {});
    opened.push({ close: () => void server.close() }, { close: () => void client.destroy() });
    await once(client, 'connect');
    return { client, closed };
  }

  test('when the client has ended its side', async () => {
    const { client, closed } = await lingering({});
    client.end('the rest');
    expect(await closed).toBe(8);
  });

  test('when nothing comes for a while', async () => {
    const { closed } = await lingering({ silenceMs: 50 });
    expect(await closed).toBe(0);
  });

  test('when it has lasted too long, though something comes', async () => {
    const { client, closed } = await lingering({ longestMs: 100 });
    const sending = setInterval(() => client.write('x'), 10);
    expect(await closed).toBeGreaterThan(0);
    clearInterval(sending);
  });

  test('when too much has come', async () => {
    const { client, closed } = await lingering({ mostBytes: 1_000_000 });
    client.write(Buffer.alloc(sentBytes));
    const taken = await closed;
    expect(taken).toBeGreaterThan(1_000_000);
    expect(taken).toBeLessThan(sentBytes);
  });
});
