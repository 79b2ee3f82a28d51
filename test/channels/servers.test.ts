import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { descriptorOf, nothingKept } from '../../src/channels/http/kept-sockets.js';
import { passedUnixPath } from '../../src/channels/http/passed-unix-path.js';
import { type RequestHandler, Servers } from '../../src/channels/http/servers.js';
import { rawConnection } from './http-fixture.js';

const opened: Servers[] = [];
afterEach(async () => {
  for (const servers of opened.splice(0)) await servers.close(0);
});

/** Servers that look for slow requests ten times a second. */
async function serve(handle: RequestHandler) {
  const servers = new Servers(handle, nothingKept, {
    headersTimeout: 200,
    requestTimeout: 300,
    connectionsCheckingInterval: 100,
  });
  opened.push(servers);
  return rawConnection(await servers.bind({ kind: 'tcp', host: '127.0.0.1', port: 0 }));
}

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

  test('behind one that still has to be answered is not taken for that one', async () => {
    const connection = await serve((request) => request.resume());
    connection.write(`GET / HTTP/1.1\r\nHost: x\r\n\r\n${chunked}no size\r\n`);
    expect(await connection.ended).toBe('');
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
