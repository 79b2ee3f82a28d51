import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { passedUnixPath } from '../../../../src/channels/http/server/listen.js';
import {
  type RequestHandler,
  Servers,
  type ServersOptions,
} from '../../../../src/channels/http/server/servers.js';
import { descriptorOf, nothingKept } from '../../../../src/channels/http/server/socket-keeper.js';
import { rawConnection } from '../http-fixture.js';

const loopback = { kind: 'tcp', host: '127.0.0.1', port: 0 } as const;
const opened: Servers[] = [];
afterEach(async () => {
  for (const servers of opened.splice(0)) await servers.close(0);
});

const nothingToTell = (message: string) => expect.unreachable(message);

function serversOf(handle: RequestHandler, options: Partial<ServersOptions> = {}) {
  const servers = new Servers({
    handle,
    sockets: nothingKept,
    log: { warning: nothingToTell, notice: nothingToTell },
    bounds: () => ({ total: 100, withoutToken: 100 }),
    changed: () => undefined,
    ...options,
  });
  opened.push(servers);
  return servers;
}

/** Servers that look for slow requests ten times a second. */
async function serve(handle: RequestHandler) {
  const times = { headersTimeout: 200, requestTimeout: 300, connectionsCheckingInterval: 100 };
  return rawConnection(await serversOf(handle, { times }).bind(loopback));
}

/** An answer that no socket's buffers have room for. */
const huge = Buffer.alloc(16 * 1024 ** 2);

describe('an answer that is not taken', () => {
  test('ends its connection after a time', async () => {
    const closed: Promise<unknown>[] = [];
    const servers = serversOf(
      (request, response) => {
        closed.push(once(request.socket, 'close'));
        response.end(huge);
      },
      { times: { answerTimeout: 200 } },
    );
    const { hostname, port } = new URL(await servers.bind(loopback));
    // It never reads.
    const client = connect({ host: hostname, port: Number(port) });
    client.on('error', () => undefined);
    client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await vi.waitFor(() => expect(closed).toHaveLength(1), 5_000);
    await closed[0];
    expect(servers.connections.count).toBe(0);
    client.destroy();
  });

  test('may take long while something of it goes, and its connection is an idle one then', async () => {
    const patience = 500;
    const servers = serversOf((request, response) => response.end(request.url === '/huge' ? huge : 'small'), {
      times: { answerTimeout: patience },
    });
    const { hostname, port } = new URL(await servers.bind(loopback));
    const client = connect({ host: hostname, port: Number(port) });
    let taken = 0;
    let tail = '';
    let look = () => {};
    const until = (isThere: () => boolean) =>
      new Promise<void>((resolve) => {
        look = () => {
          if (isThere()) resolve();
        };
      });
    // 64 KiB in 10 ms at most: some 3 s in all.
    client.on('data', (chunk: Buffer) => {
      taken += chunk.length;
      tail = `${tail}${chunk.toString('latin1')}`.slice(-100);
      look();
      client.pause();
      setTimeout(() => client.resume(), 10);
    });
    const began = performance.now();
    client.write('GET /huge HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => taken >= huge.length);
    expect(performance.now() - began).toBeGreaterThan(3 * patience);
    // Nothing tells that nothing happens.
    await new Promise((resolve) => setTimeout(resolve, 2 * patience));
    client.write('GET /small HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => tail.endsWith('small'));
    client.destroy();
  });
});

describe('answers that are not taken', () => {
  test('are cut off, the oldest first, when they take too much memory together', async () => {
    const warnings: string[] = [];
    const closed: string[] = [];
    const servers = serversOf(
      (request, response) => {
        request.socket.once('close', () => closed.push(request.url ?? ''));
        response.end(huge);
      },
      {
        log: { warning: (message) => warnings.push(message), notice: nothingToTell },
        unreadLimitBytes: 3.5 * huge.length,
      },
    );
    const { hostname, port } = new URL(await servers.bind(loopback));
    const clients: Socket[] = [];
    for (const path of ['/1', '/2', '/3', '/4']) {
      const client = connect({ host: hostname, port: Number(port) });
      clients.push(client);
      client.on('error', () => undefined);
      client.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
      // Its answer has begun. It is not read.
      await once(client, 'readable');
    }
    await vi.waitFor(() => expect(closed).toEqual(['/1']));
    expect(warnings).toEqual([expect.stringMatching(/did not read its answer/)]);
    for (const client of clients.slice(1)) {
      let taken = 0;
      client.on('data', (chunk: Buffer) => {
        taken += chunk.length;
      });
      await vi.waitFor(() => expect(taken).toBeGreaterThan(huge.length), 10_000);
      client.destroy();
    }
  });

  test('one alone may be as large as it is', async () => {
    const servers = serversOf((_request, response) => response.end(huge), { unreadLimitBytes: 1_000 });
    const { hostname, port } = new URL(await servers.bind(loopback));
    const client = connect({ host: hostname, port: Number(port) });
    client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(client, 'readable');
    let taken = 0;
    client.on('data', (chunk: Buffer) => {
      taken += chunk.length;
    });
    await vi.waitFor(() => expect(taken).toBeGreaterThan(huge.length), 10_000);
    client.destroy();
  });
});

/** Answers once the whole body is there. */
const echo: RequestHandler = (request, response) => {
  request.on('error', () => undefined);
  request.resume().on('end', () => response.end('whole'));
};
const begun = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc';
const chunked = 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';

describe('a request that does not come whole', () => {
  test.each([
    ['headers that never end', 'GET / HTTP/1.1\r\nHost:', 408],
    ['a body that never ends', begun, 408],
    ['a chunk without its size', `${chunked}no size\r\n`, 400],
  ])('%s', async (_what, bytes, status) => {
    const connection = await serve(echo);
    connection.write(bytes);
    const answer = await connection.ended;
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toContain('application/problem+json');
  });

  test('whose answer has begun gets no other one', async () => {
    const connection = await serve((request, response) => {
      request.on('error', () => undefined);
      response.write('begun');
    });
    connection.write(begun);
    const answer = await connection.ended;
    expect(answer).toMatch(/^HTTP\/1.1 200 /);
    expect(answer).not.toContain('408');
  });
});

test('a stop is no failure where the file of its socket can’t be removed', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sd-gateway-servers-'));
  const path = join(directory, 'http.sock');
  const warnings: string[] = [];
  const servers = serversOf(echo, {
    log: { warning: (message) => warnings.push(message), notice: nothingToTell },
  });
  await servers.bind({ kind: 'unix', path });
  // unlink(2) removes no directory, as little as it does what lies in one that is not to be written to.
  rmSync(path);
  mkdirSync(path);
  expect(await servers.close(0)).toBe(0);
  expect(warnings).toEqual([expect.stringContaining(path)]);
  rmSync(directory, { recursive: true });
});

describe('a Unix socket that was passed', () => {
  test.each([
    ['by its path', (directory: string) => join(directory, 'a path.sock'), (path: string) => path],
    [
      'by its abstract name',
      () => `\0sd-gateway-${process.pid}`,
      // Node.js fills up what it binds with NULs, which the table shows as "@".
      () => expect.stringMatching(new RegExp(`^@sd-gateway-${process.pid}@*$`)),
    ],
  ])('is told %s', async (_what, pathIn, shown) => {
    const directory = mkdtempSync(join(tmpdir(), 'sd-gateway-passed-'));
    const path = pathIn(directory);
    const holder = createServer().listen(path);
    await once(holder, 'listening');
    const descriptor = descriptorOf(holder as never) ?? -1;
    expect(passedUnixPath(descriptor)).toEqual(shown(path));
    holder.close();
    rmSync(directory, { recursive: true });
  });

  test('has no path where it is none', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    expect(passedUnixPath(descriptorOf(holder as never) ?? -1)).toBeNull();
    expect(passedUnixPath(0)).toBeNull();
    holder.close();
  });
});
