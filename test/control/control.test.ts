import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { control, NoGatewayError } from '../../src/channels/control/control-client.js';
import { ControlServer } from '../../src/channels/control/control-server.js';
import type { CallerTurn } from '../../src/channels/control/facts.js';
import { type ControlEvent, controlEvent, lineLimit } from '../../src/channels/control/protocol.js';
import type { PeerCredentials } from '../../src/linux/process.js';
import { LineSplitter } from '../../src/text/lines.js';
import { near } from '../fuzz/near.js';
import { nearJson } from '../fuzz/near-json.js';
import { recordingLog } from '../gateway/dispatch/fixture.js';

let directory: string;
let path: string;
let orders: string[];
let server: ControlServer;
/** Finds the turn of whoever asks. */
let turnOf: (peer: PeerCredentials) => Promise<CallerTurn | null>;
let log: ReturnType<typeof recordingLog>;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sd-gateway-control-'));
  path = join(directory, 'control.sock');
  orders = [];
  // A file of a gateway that was killed.
  writeFileSync(path, '');
  log = recordingLog();
  turnOf = async () => null;
  server = await ControlServer.listen({
    path,
    log: log.log,
    unit: 'sd-gateway.service',
    stop: ({ uid }) => orders.push(`stop by ${uid}`),
    restart: () => orders.push('restart'),
    reload: () => orders.push('reload'),
    status: () => 'Ready: all is well',
    facts: () => Promise.reject(new Error('not asked for here')),
    turnOf: (peer) => turnOf(peer),
  });
});
afterEach(async () => {
  await server.close();
  rmSync(directory, { recursive: true });
});

/** The path of something else that listens until the end of the test. */
async function listening(serve: (socket: Socket) => void): Promise<string> {
  const other = createServer(serve);
  onTestFinished(() => void other.close());
  await once(other.listen(join(directory, 'other.sock')), 'listening');
  return join(directory, 'other.sock');
}

function ask(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    let answer = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      answer += chunk;
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
    socket.write(text);
  });
}

/** The first line that is answered; the end is not waited for, which may be that of the gateway. */
function firstLineOf(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    let answer = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      answer += chunk;
      if (answer.includes('\n')) socket.destroy();
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
    socket.write(text);
  });
}

/** Returns true if it is this order, by another way than the server's. */
function isOrder(text: string, command: string): boolean {
  try {
    return JSON.stringify(JSON.parse(text)) === JSON.stringify({ command });
  } catch {
    return false;
  }
}

/** A server of another user's at the path, which answers nobody. */
const foreign = `import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
os.setuid(65534)
listener.listen()
print("listens", flush=True)
print(listener.accept()[0].recv(4096), flush=True)
`;

describe('the control socket', () => {
  it.runIf(process.getuid?.() === 0)('of another user is told nothing', async () => {
    const other = join(directory, 'foreign.sock');
    const child = spawn('python3', ['-c', foreign, other], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe('listens');
    const asked = control(other, 'status', () => undefined);
    await expect(asked).rejects.toThrow(NoGatewayError);
    await expect(asked).rejects.toThrow(/belongs to UID 65534, which is not the gateway’s user/);
    expect((await lines.next()).value).toBe("b''");
  });

  it('answers whoever asks, however many connections are held by others', async () => {
    let closed = 0;
    const held = Array.from({ length: 40 }, () =>
      createConnection(path)
        .on('error', () => undefined)
        .on('close', () => {
          closed += 1;
        }),
    );
    const waiting = firstLineOf('{"command":"stop"}\n');
    const stopping = createConnection(path).on('error', () => undefined);
    stopping.write('{"command":"stop"}\n');
    expect(await waiting).toContain('accepted');
    expect(await ask('{"command":"status"}\n')).toContain('Ready: all is well');
    await expect.poll(() => closed).toBeGreaterThanOrEqual(40 - 16);
    for (const socket of held) socket.destroy();
    // A client that waits for the end of the gateway goes on to wait.
    expect(stopping.destroyed).toBe(false);
    stopping.destroy();
  });

  it('is for its owner alone', () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('tells the status', async () => {
    const events: ControlEvent[] = [];
    await control(path, 'status', (event) => events.push(event));
    expect(events).toEqual([
      { event: 'accepted', pid: process.pid, unit: 'sd-gateway.service' },
      { event: 'status', text: 'Ready: all is well' },
    ]);
  });

  it('passes on orders, with who gave them', async () => {
    await control(path, 'reload', () => undefined);
    expect(orders).toEqual(['reload']);
  });

  it.each([
    ['{"command":"dance"}\n', /"refused".*no request that is known: a request is one line of JSON: [^[]*$/],
    ['{"command":"stop","force":true}\n', /"refused".*: a request is one line of JSON: [^[]*$/],
    ['not JSON\n', /"refused".*no request that is known: this is no JSON; a request is/],
    ['\n', /"refused".*this is no JSON/],
    [`${'x'.repeat(lineLimit + 1)}`, /"refused".*longer than/],
  ])('refuses %j', async (text, answer) => {
    expect(await ask(text)).toMatch(answer);
    expect(orders).toEqual([]);
  });

  it('obeys what is exactly an order, and refuses whatever else', async () => {
    const line = fc.oneof(
      nearJson({ command: 'stop' }, { command: 'reload' }, { request: 'facts' }),
      near('{"command":"restart"}', '{"command": "status"}'),
      fc.json(),
    );
    await fc.assert(
      fc.asyncProperty(line, async (text) => {
        orders.length = 0;
        const [first = ''] = (await firstLineOf(`${text}\n`)).split('\n');
        const answer = controlEvent.parse(JSON.parse(first));
        const [request = ''] = text.split('\n');
        const order = ['stop', 'restart', 'reload', 'status'].find((command) => isOrder(request, command));
        expect(answer.event).toBe(order === undefined ? 'refused' : 'accepted');
        expect(orders.map((given) => given.split(' ')[0])).toEqual(
          order === undefined || order === 'status' ? [] : [order],
        );
      }),
      { numRuns: 300 },
    );
  });

  it.runIf(process.getuid?.() === 0)('refuses another user, even one who got to the socket', async () => {
    const { chmodSync } = await import('node:fs');
    chmodSync(directory, 0o755);
    chmodSync(path, 0o666);
    const script = `const s = require('node:net').connect(process.argv[1]); s.pipe(process.stdout); s.write('{"command":"stop"}\\n')`;
    const child = spawn('setpriv', [
      '--reuid=65534',
      '--clear-groups',
      process.execPath,
      '--eval',
      script,
      path,
    ]);
    let answer = '';
    child.stdout.on('data', (chunk: Buffer) => {
      answer += chunk.toString();
    });
    await once(child, 'close');
    expect(answer).toContain('only the user that the gateway runs as, and root, may give orders');
    expect(orders).toEqual([]);
  });

  describe('asked from within a running turn', () => {
    const turn = { turnId: 'turn_1', messageId: 'm1', session: 'chat' };

    it.each(['stop', 'restart'] as const)('refuses a %s, with the turn and what to do', async (command) => {
      turnOf = async ({ pid, uid }) => (pid === process.pid && uid === process.getuid?.() ? turn : null);
      const events: ControlEvent[] = [];
      await control(path, command, (event) => events.push(event));
      expect(events).toEqual([
        {
          event: 'refused',
          reason: expect.stringMatching(
            new RegExp(`a ${command} .* turn_1 .*session "chat".*message m1.*[Ee]nd the turn first`),
          ),
          turn,
        },
      ]);
      expect(orders).toEqual([]);
      expect(log.records).toEqual([
        { priority: 'warning', message: expect.stringContaining(`Refused a ${command} `) },
      ]);
    });

    it('reloads, and tells the status', async () => {
      turnOf = async () => turn;
      const events: ControlEvent[] = [];
      await control(path, 'reload', (event) => events.push(event));
      await control(path, 'status', (event) => events.push(event));
      expect(orders).toEqual(['reload']);
      expect(events.map(({ event }) => event)).toEqual(['accepted', 'status', 'accepted', 'status']);
    });
  });

  it('tells who waits for the end what the gateway is at', async () => {
    const socket = createConnection(path);
    socket.setEncoding('utf8');
    socket.write('{"command":"stop"}\n');
    const [accepted] = (await once(socket, 'data')) as [string];
    expect(accepted).toContain('"accepted"');
    expect(orders).toEqual([`stop by ${process.getuid?.()}`]);
    server.announce('Stopping: almost there');
    const [status] = (await once(socket, 'data')) as [string];
    expect(JSON.parse(status)).toEqual({ event: 'status', text: 'Stopping: almost there' });
    socket.destroy();
    await once(socket, 'close');
  });

  it.each([
    ['an order', '{"command":"stop"}\n'],
    ['too long a line', 'x'.repeat(lineLimit + 1)],
  ])('hears one request of a client, and cuts off who goes on: %s', async (_what, request) => {
    const socket = createConnection({ path, allowHalfOpen: true });
    socket.on('error', () => undefined);
    socket.write(request);
    await once(socket, 'data');
    const writing = setInterval(() => socket.write('and so on'), 5);
    onTestFinished(() => clearInterval(writing));
    await new Promise((resolve) => socket.once('close', resolve));
    expect(orders.length).toBeLessThanOrEqual(1);
  });

  it('that takes connections and says nothing is not waited for without end', async () => {
    const silent = await listening((socket) => socket.on('error', () => undefined));
    const answer = control(silent, 'stop', () => undefined, 50);
    await expect(answer).rejects.toThrow(/no gateway answers at .* within 0.05 s; .* may hang/);
    await expect(answer).rejects.toBeInstanceOf(NoGatewayError);
  });

  it('may take its time over an order that it has accepted', async () => {
    const slow = await listening((socket) => {
      socket.write('{"event":"accepted","pid":1,"unit":null}\n');
      setTimeout(() => socket.end('{"event":"status","text":"Stopping"}\n'), 200);
    });
    const told: ControlEvent[] = [];
    await control(slow, 'stop', (event) => told.push(event), 50);
    expect(told.map(({ event }) => event)).toEqual(['accepted', 'status']);
  });

  it('is missed where there is none', async () => {
    await expect(control(join(directory, 'none.sock'), 'stop', () => undefined)).rejects.toThrow(
      NoGatewayError,
    );
    expect(existsSync(path)).toBe(true);
  });
});

describe('lines', () => {
  it('come out as they went in, however they are cut', () => {
    const lines = fc.array(
      fc.string().map((text) => text.replaceAll('\n', '')),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(lines, fc.infiniteStream(fc.integer({ min: 1, max: 9 })), (wanted, sizes) => {
        const splitter = new LineSplitter(lineLimit);
        const got: string[] = [];
        let text = wanted.map((line) => `${line}\n`).join('');
        for (const size of sizes) {
          if (text === '') break;
          got.push(...splitter.push(text.slice(0, size)));
          text = text.slice(size);
        }
        expect(got).toEqual(wanted);
      }),
    );
  });
});
