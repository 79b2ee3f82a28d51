import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Client } from 'undici';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { type HttpEndpoint, ListenError, listen } from '../../../src/channels/http/server/listen.js';
import { failedStart } from '../../../src/gateway/start/failed-start.js';
import { rawConnection, type Served, serve } from './http-fixture.js';

let directory: string;
const open: Served[] = [];
const children: ChildProcess[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sd-gateway-listen-'));
});

afterEach(async () => {
  for (const served of open.splice(0)) await served.dispose();
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

async function serveOn(...endpoints: HttpEndpoint[]): Promise<Served> {
  const served = await serve({ endpoints });
  open.push(served);
  return served;
}

async function refusal(...endpoints: HttpEndpoint[]): Promise<ListenError> {
  try {
    await serveOn(...endpoints);
  } catch (error) {
    if (error instanceof ListenError) return error;
    throw error;
  }
  throw new Error('It listens.');
}

async function health(path: string): Promise<number> {
  const client = new Client('http://localhost', { socketPath: path });
  const { statusCode, body } = await client.request({ path: '/healthz', method: 'GET' });
  await body.dump();
  await client.close();
  return statusCode;
}

/** Listens in another process, which says so. */
async function listenElsewhere(where: string): Promise<{ readonly pid: number; readonly said: string }> {
  const script = `const s = require('net').createServer();
    s.listen(${where}, () => console.log(JSON.stringify(s.address())));`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const said = await new Promise<string>((resolve) =>
    child.stdout.once('data', (data) => resolve(String(data))),
  );
  return { pid: child.pid ?? 0, said };
}

async function killed(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

test('listens on several addresses at once, IPv6 among them', async () => {
  const served = await serveOn(
    { kind: 'tcp', host: '127.0.0.1', port: 0 },
    { kind: 'tcp', host: '::1', port: 0 },
    { kind: 'unix', path: join(directory, 's') },
  );
  expect(served.addresses[0]).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect(served.addresses[1]).toMatch(/^http:\/\/\[::1\]:\d+$/);
  expect(served.addresses[2]).toBe(`unix:${join(directory, 's')}`);
  for (const address of served.addresses.slice(0, 2)) {
    expect((await fetch(`${address}/healthz`)).status).toBe(200);
  }
  expect(await health(join(directory, 's'))).toBe(200);
});

test('a Unix socket is for its owner and group, and is gone afterwards', async () => {
  const path = join(directory, 'gateway.sock');
  const served = await serveOn({ kind: 'unix', path });
  expect(statSync(path).mode & 0o777).toBe(0o660);
  await served.channel.close(0);
  expect(existsSync(path)).toBe(false);
});

test('each of several sockets that are bound at once in one directory leads to its own server', async () => {
  const names = Array.from({ length: 5 }, (_, index) => `${index}.sock`);
  await Promise.all(
    names.map((name) => {
      const server = createServer((socket) => socket.end(name));
      onTestFinished(() => void server.close());
      return listen(server, { kind: 'unix', path: join(directory, name) });
    }),
  );
  for (const name of names) {
    const socket = connect(join(directory, name)).setEncoding('utf8');
    expect((await once(socket, 'data'))[0]).toBe(name);
  }
});

test('the socket file of a process that was killed is taken over', async () => {
  const path = join(directory, 'gateway.sock');
  await listenElsewhere(JSON.stringify(path));
  for (const child of children.splice(0)) await killed(child);
  expect(existsSync(path)).toBe(true);
  await serveOn({ kind: 'unix', path });
  expect(await health(path)).toBe(200);
});

test('the socket of a process that lives is left alone', async () => {
  const path = join(directory, 'gateway.sock');
  await listenElsewhere(JSON.stringify(path));
  const error = await refusal({ kind: 'unix', path });
  expect(error).toMatchObject({ code: 'EADDRINUSE', address: `unix:${path}` });
  expect(error.message).toContain('another process does');
  expect(existsSync(path)).toBe(true);
});

test('a file that is no socket is left alone', async () => {
  const path = join(directory, 'precious');
  writeFileSync(path, 'data');
  expect((await refusal({ kind: 'unix', path })).message).toContain('not a socket');
  expect(existsSync(path)).toBe(true);
});

test('a directory that does not exist is named', async () => {
  const error = await refusal({ kind: 'unix', path: join(directory, 'none', 's') });
  expect(error.code).toBe('ENOENT');
  expect(error.message).toBe(
    `Can't listen on unix:${join(directory, 'none', 's')}: the directory does not exist. Make it, or set http.listen to another path.`,
  );
  expect(failedStart(error)).toMatchObject({ cause: 'unavailable', errno: constants.errno.ENOENT });
});

test('a taken port is named, and who has it', async () => {
  const { pid, said } = await listenElsewhere('0, "127.0.0.1"');
  const port: number = JSON.parse(said).port;
  const error = await refusal({ kind: 'tcp', host: '127.0.0.1', port });
  expect(error).toMatchObject({ code: 'EADDRINUSE', address: `127.0.0.1:${port}` });
  expect(error.message).toContain(`(PID ${pid}) listens there. Set http.listen to another address`);
});

test('an address that is not of this machine is named', async () => {
  // TEST-NET-3, RFC 5737.
  expect((await refusal({ kind: 'tcp', host: '203.0.113.7', port: 0 })).code).toBe('EADDRNOTAVAIL');
});

test('when one address fails, none is listened on', async () => {
  const path = join(directory, 'gateway.sock');
  await refusal({ kind: 'unix', path }, { kind: 'tcp', host: '203.0.113.7', port: 0 });
  expect(existsSync(path)).toBe(false);
});

interface PassedSocketEvent {
  readonly event: string;
  readonly gateway?: number;
  readonly address?: string;
}

test('serves on a passed socket, and leaves its connections to the next once it stops', async () => {
  const script = fileURLToPath(new URL('./passed-socket.mjs', import.meta.url));
  const holder = spawn(process.execPath, [script, 'holder', join(directory, 'gateway.db')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(holder);
  const lines = createInterface({ input: holder.stdout })[Symbol.asyncIterator]();
  const heard = new Map<string, PassedSocketEvent>();
  const until = async (name: string): Promise<PassedSocketEvent> => {
    for (;;) {
      const event = heard.get(name);
      if (event !== undefined) return event;
      const line = await lines.next();
      if (line.done) throw new Error(`It ended before "${name}".`);
      const said: PassedSocketEvent = JSON.parse(line.value);
      heard.set(said.event, said);
    }
  };
  const gateway = (await until('holding')).gateway ?? 0;
  const address = (await until('listening')).address ?? '';
  expect((await fetch(`${address}/healthz`)).status).toBe(200);

  process.kill(gateway, 'SIGUSR2');
  await until('closed to clients');
  // A connection of its own: it is made by the kernel, and nobody accepts it.
  const waiting = await rawConnection(address);
  waiting.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  process.kill(gateway, 'SIGTERM');
  await until('closed');
  // As the next process would: the one that kept the socket takes what waits there.
  holder.kill('SIGCONT');
  expect(await waiting.ended).toMatch(/waited$/);
});
