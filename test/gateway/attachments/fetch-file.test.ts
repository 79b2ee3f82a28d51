import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FileFetchError } from '../../../src/channels/http/attachments/url-files.js';
import { FileFetcher } from '../../../src/gateway/attachments/fetch-file.js';
import { parseRange } from '../../../src/gateway/delivery/addresses/target-address.js';

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const fetcher = (allow: readonly string[], timeoutMs = 15_000) =>
  new FileFetcher(() => ({ allow: allow.map(parseRange), timeoutMs }));
const loopback = ['127.0.0.0/8', '::1/128'];

/** All of a file. */
async function read(of: FileFetcher, url: string) {
  const { content, ...facts } = await of.fetch(url);
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return { ...facts, text: Buffer.concat(chunks).toString() };
}

test('a file has the name in its URL, and the type that its server says', async () => {
  const base = await serve((request, response) => {
    response.setHeader('content-type', 'Text/Plain; charset=utf-8');
    response.end(`${request.method} ${request.url}`);
  });
  expect(await read(fetcher(loopback), `${base}/a/b%20c.txt?x=1`)).toEqual({
    name: 'b c.txt',
    mediaType: 'text/plain',
    text: 'GET /a/b%20c.txt?x=1',
  });
  expect(await read(fetcher(loopback), `${base}/`)).toMatchObject({ name: null });
  expect(await read(fetcher(loopback), `${base}/%ff`)).toMatchObject({ name: null });
  expect(await read(fetcher(loopback), base.replace('127.0.0.1', 'localhost'))).toMatchObject({
    text: 'GET /',
  });
});

describe('a file is refused', () => {
  test.each([
    ['ftp://files.example/a', /its scheme is "ftp"/],
    ['nonsense', /not an absolute URL/],
    ['http://127.0.0.1:1/a', /is in 127.0.0.0\/8 \(loopback\)/],
    ['http://2130706433:1/a', /is in 127.0.0.0\/8/],
    ['http://[::ffff:127.0.0.1]:1/a', /loopback/],
    ['http://169.254.169.254/latest/meta-data', /delivery.allow/],
  ])('if nobody may go there: %s', async (url, message) => {
    const refused = fetcher([]).fetch(url);
    await expect(refused).rejects.toThrow(FileFetchError);
    await expect(refused).rejects.toThrow(message);
  });

  test('if its name leads to an address where nobody may go', async () => {
    const refused = fetcher(['::1/128']).fetch('http://localhost:1/a');
    await expect(refused).rejects.toThrow(FileFetchError);
    await expect(refused).rejects.toThrow(/not public \(loopback\)/);
  });

  test.each([
    ['a redirect', 302, { location: 'http://169.254.169.254/' }, /answered 302; redirects are not followed/],
    ['an error', 404, {}, /answered 404/],
    ['a part', 206, {}, /answered 206/],
    ['an encoding', 200, { 'content-encoding': 'gzip' }, /Content-Encoding "gzip"/],
  ])('if the answer is %s', async (_what, status, headers, message) => {
    const base = await serve((_request, response) => response.writeHead(status, headers).end('x'));
    await expect(read(fetcher(loopback), base)).rejects.toThrow(message);
  });

  test('if it does not come in time, or not to its end', async () => {
    const silent = await serve(() => undefined);
    await expect(read(fetcher(loopback, 200), silent)).rejects.toThrow(
      /within 0.2 s \(attachments.fetch_timeout\)/,
    );
    const slow = await serve((_request, response) => response.writeHead(200).write('x'));
    await expect(read(fetcher(loopback, 200), slow)).rejects.toThrow(/within 0.2 s/);
    const broken = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': '10' });
      response.write('x', () => response.destroy());
    });
    const cut = read(fetcher(loopback), broken);
    await expect(cut).rejects.toThrow(FileFetchError);
    await expect(cut).rejects.toThrow(/can’t be fetched/);
    await expect(read(fetcher(loopback), 'http://127.0.0.1:1/')).rejects.toThrow(/ECONNREFUSED/);
  });
});
