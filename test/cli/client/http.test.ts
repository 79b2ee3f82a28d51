import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, globalAgent } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import { GatewayClient, UnreachableError } from '../../../src/cli/client/http.js';
import { UnprovenError } from '../../../src/cli/client/proven-connection.js';

it('adds nothing to a connection that it keeps', async () => {
  const listeners: number[] = [];
  const server = createHttpServer((_request, response) => response.end('{}')).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const client = new GatewayClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'secret');
  for (let count = 0; count < 3; count += 1) {
    await client.get('/v1/x');
    // The connection is kept in the next turn.
    await new Promise((resolve) => setImmediate(resolve));
    const [kept] = Object.values(globalAgent.freeSockets).flat();
    if (kept !== undefined) listeners.push(kept.listenerCount('connect'));
  }
  expect(listeners.length).toBeGreaterThan(1);
  expect(new Set(listeners).size).toBe(1);
});

describe('a client that is to ask the gateway alone', () => {
  /** An address of a server of this user, and what it has read. */
  async function serverAt(path: string | null): Promise<{ address: string; read: string[]; server: Server }> {
    const read: string[] = [];
    const server = createServer((socket) => {
      socket.on('data', (chunk: Buffer) => {
        read.push(chunk.toString());
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}');
      });
      socket.on('error', () => undefined);
    });
    onTestFinished(() => void server.close());
    server.listen(path === null ? { port: 0, host: '127.0.0.1' } : { path });
    await once(server, 'listening');
    const address =
      path === null ? `http://127.0.0.1:${(server.address() as AddressInfo).port}` : `unix:${path}`;
    return { address, read, server };
  }

  it.each(['tcp', 'unix'])('sends nothing to another user, %s', async (kind) => {
    const directory = mkdtempSync(join(tmpdir(), 'peer-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const { address, read } = await serverAt(kind === 'unix' ? join(directory, 's') : null);
    const own = process.geteuid?.() ?? -1;
    const asked = new GatewayClient(address, 'secret', new Set([own + 1])).post('/v1/x', { text: 'x' }, {});
    await expect(asked).rejects.toThrow(UnprovenError);
    await expect(asked).rejects.toThrow(
      `what answers at ${address} belongs to UID ${own}, and the gateway is to be one of UID ${own + 1}, or root: nothing was sent`,
    );
    expect(read).toEqual([]);
    const answer = await new GatewayClient(address, 'secret', new Set([own])).get('/v1/x');
    expect(answer.status).toBe(200);
    expect(read.join('')).toContain('Bearer secret');
  });

  /** A listening socket that "nobody" has made, as a gateway leaves it for one of another user; root accepts, or nobody. */
  const left = `import os, select, socket, sys, time
os.seteuid(65534)
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
os.seteuid(0)
print(listener.getsockname()[1], flush=True)
select.select([listener], [], [])
if sys.argv[1] == "accepts":
    # After the client has looked for the first time.
    time.sleep(0.3)
    connection = listener.accept()[0]
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}")
sys.stdin.read()
`;

  it.runIf(process.getuid?.() === 0).each([
    ['accepts', 200],
    ['waits', null],
  ])('goes by who accepts from the listening socket of another user: root %s', async (what, status) => {
    const child = spawn('python3', ['-c', left, what], { stdio: ['pipe', 'pipe', 'inherit'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    const [port] = (await once(createInterface(child.stdout), 'line')) as [string];
    const asked = new GatewayClient(`http://127.0.0.1:${port}`, 'secret', new Set([0])).get('/v1/x');
    if (status === null) await expect(asked).rejects.toThrow(/belongs to UID 65534/);
    else expect((await asked).status).toBe(status);
  });

  it('does not wait longer than that for a gateway that is frozen', async () => {
    const server = createServer(() => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const trusted = new Set([process.getuid?.() ?? 0]);
    const asked = new GatewayClient(address, 'x', trusted).get('/', 100);
    await expect(asked).rejects.toMatchObject({
      wasSent: true,
      message: expect.stringContaining('nothing came within 1 s'),
    });
  });

  it('says who does not answer, and how long that took', async () => {
    const { address, server } = await serverAt(null);
    server.close();
    await expect(new GatewayClient(address, 'x', new Set([0])).get('/')).rejects.toThrow(UnreachableError);
  });
});
