import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DownloadError, PlatformHttp } from '../../src/channels/platform-http.js';
import { head, ModelServer, write } from '../support/model-server.js';
import { withTurns } from '../support/turns.js';

const clock = {
  after(delayMs: number, callback: () => void) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
const options = { timeoutMs: 5_000, signal: new AbortController().signal };

let server: Server;
let http: PlatformHttp;

beforeEach(async () => {
  server = createServer((request, response) => {
    const status = Number(request.url?.slice(1));
    response.writeHead(status).end(status === 302 ? '' : 'x'.repeat(100_000));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  http = new PlatformHttp({ clock, longestAnswerBytes: 1_000, redact: (text) => text });
});
afterEach(async () => {
  await http.close();
  await new Promise((resolve) => server.close(resolve));
});

function urlOf(status: number): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/${status}`;
}

async function sizeOf(status: number): Promise<number> {
  let sizeBytes = 0;
  for await (const chunk of http.download({ url: urlOf(status), headers: {} }, options)) {
    sizeBytes += chunk.length;
  }
  return sizeBytes;
}

test.each([
  [404, false],
  [302, false],
  [503, true],
])('a file that is answered with %s is none, and its body ends nothing else', async (status, isPassing) => {
  const failure = await sizeOf(status).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(DownloadError);
  expect(failure).toMatchObject({ isPassing, message: expect.stringContaining(`HTTP ${status}`) });
  // An error that nobody hears would come now.
  for (let turns = 0; turns < 5; turns += 1) await turn();
  expect(await sizeOf(200)).toBe(100_000);
});

test('an answer that is larger than it may be is none, and may have had its effect', async () => {
  const call = { method: 'POST', url: urlOf(200), headers: {}, content: [Buffer.from('x')] } as const;
  expect(await http.exchange(call, options)).toMatchObject({
    kind: 'failed',
    reason: expect.stringContaining('more than 1000 bytes'),
    inDoubt: true,
  });
});

test('an answer in many short chunks is read a little in each turn of the event loop', async () => {
  const chunked = await ModelServer.listen(async (socket) => {
    const chunks = `${'1\r\nx\r\n'.repeat(60_000)}0\r\n\r\n`;
    await write(socket, `${head('200 OK', { 'transfer-encoding': 'chunked' })}${chunks}`);
  });
  const slow = new PlatformHttp({ clock, longestAnswerBytes: 100_000, redact: (text) => text });
  try {
    const call = { method: 'GET', url: chunked.baseUrl, headers: {} } as const;
    const { result, turns } = await withTurns(() => slow.exchange(call, { ...options, timeoutMs: 30_000 }));
    expect(result).toMatchObject({ kind: 'answer', status: 200, text: 'x'.repeat(60_000) });
    expect(turns).toBeGreaterThan((6 * 60_000) / 8_192);
  } finally {
    await slow.close();
    await chunked.close();
  }
});
