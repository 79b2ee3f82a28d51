import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { tryHttpAgent } from '../../../src/agents/http/try-http-agent.js';

let server: Server;
afterEach(() => {
  server.close();
});

async function listen(): Promise<{ readonly port: number; readonly requests: readonly string[] }> {
  const requests: string[] = [];
  server = createServer((request, response) => {
    requests.push(String(request.method));
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, requests };
}

const tried = (url: string, signal = AbortSignal.timeout(10_000)) => tryHttpAgent(url, signal);

test('a server that is there is connected to, and asked nothing', async () => {
  const { port, requests } = await listen();
  const closed = once(server, 'connection').then(([socket]) => once(socket, 'close'));
  expect(await tried(`http://127.0.0.1:${port}/turns`)).toEqual({
    verdict: 'ok',
    text: `http://127.0.0.1:${port} takes connections; nothing was posted to try it`,
    mend: null,
  });
  await closed;
  expect(requests).toEqual([]);
});

test('a server that speaks no TLS, or is away, is a problem', async () => {
  const { port } = await listen();
  expect(await tried(`https://127.0.0.1:${port}/`)).toMatchObject({
    verdict: 'problem',
    text: expect.stringMatching(/^https:\/\/127.0.0.1:\d+ can’t be reached: .*(SSL|TLS|packet)/i),
  });
  expect(await tried('http://127.0.0.1:9/')).toMatchObject({
    verdict: 'problem',
    text: expect.stringMatching(/ECONNREFUSED/),
    mend: 'Start that server, or check agent.url',
  });
});

test('it waits no longer than it may', async () => {
  await listen();
  const found = await tried('http://127.0.0.1:9/', AbortSignal.abort());
  expect(found.text).toContain('does not answer in time');
});
