import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  GatewayClient,
  otherEndIn,
  otherEndOf,
  UnprovenError,
  UnreachableError,
} from '../../../src/cli/client/http.js';

const heading =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';

/** Rows as a machine with little-endian words writes them. */
function table(
  ...rows: readonly (readonly [local: string, remote: string, state: string, uid: number, inode: number])[]
) {
  const lines = rows.map(
    ([local, remote, state, uid, inode], index) =>
      `   ${index}: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 ${inode} 1 0000000000000000 100 0 0 10 0`,
  );
  return [heading, ...lines, ''].join('\n');
}

// 127.0.0.1:40000 has connected to 127.0.0.1:8733.
const connection = {
  localAddress: '127.0.0.1',
  localPort: 40_000,
  remoteAddress: '127.0.0.1',
  remotePort: 8_733,
};
const gateway = '0100007F:221D';
const command = '0100007F:9C40';
const none = '00000000:0000';
const own = [command, gateway, '01', 0, 9] as const;

describe('the other end of a connection', () => {
  const all4 = '00000000:221D';
  const all6 = '00000000000000000000000000000000:221D';
  const mapped = '0000000000000000FFFF00000100007F:';

  it.each<[string, Parameters<typeof otherEndIn>[0], readonly number[]]>([
    ['who has accepted it', [table([gateway, none, '0A', 5, 1], own, [gateway, command, '01', 7, 2])], [7]],
    [
      'who has accepted it, of IPv6',
      [table(own), table([`${mapped}221D`, `${mapped}9C40`, '01', 7, 3])],
      [7],
    ],
    ['nobody: it ends elsewhere', [table([gateway, none, '0A', 5, 1], own)], []],
    ['nobody: it is one of another port', [table([gateway, '0100007F:9C41', '01', 7, 2])], []],
    ['nobody: there are no tables', ['', ''], []],
  ])('is %s', (_name, tables, users) => {
    expect(otherEndIn(tables, connection)).toEqual({ users, accepted: true });
  });

  it.each<[string, Parameters<typeof otherEndIn>[0], readonly number[]]>([
    ['at its address', [table([gateway, none, '0A', 5, 1], own, [gateway, command, '01', 0, 0])], [5]],
    ['while it is made', [table([gateway, none, '0A', 5, 1], own, [gateway, command, '03', 0, 0])], [5]],
    ['at all addresses', [table([all4, none, '0A', 5, 1], [gateway, command, '01', 0, 0])], [5]],
    [
      'at all addresses of IPv6',
      [
        table(own),
        table(
          [all6, '00000000000000000000000000000000:0000', '0A', 5, 1],
          [`${mapped}221D`, `${mapped}9C40`, '01', 0, 0],
        ),
      ],
      [5],
    ],
    [
      'together with another one',
      [table([gateway, none, '0A', 5, 1], [all4, none, '0A', 6, 1], [gateway, command, '01', 0, 0])],
      [5, 6],
    ],
  ])('is, before it is accepted, who listens %s', (_name, tables, users) => {
    expect(otherEndIn(tables, connection)).toEqual({ users, accepted: false });
  });

  it.each(['127.0.0.1', '127.0.0.3', '::1', '::', 'unix'])('is told of a real one at %s', async (host) => {
    const directory = mkdtempSync(join(tmpdir(), 'peer-'));
    const server = createServer();
    onTestFinished(() => {
      server.close();
      rmSync(directory, { recursive: true });
    });
    server.listen(host === 'unix' ? { path: join(directory, 's') } : { port: 0, host });
    await once(server, 'listening');
    const port = host === 'unix' ? 0 : (server.address() as AddressInfo).port;
    for (const target of host === '::' ? ['::1', '127.0.0.1'] : [host]) {
      const socket = host === 'unix' ? connect(join(directory, 's')) : connect({ port, host: target });
      await once(socket, 'connect');
      expect(otherEndOf(socket).users).toEqual([process.geteuid?.()]);
      socket.destroy();
    }
  });
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
