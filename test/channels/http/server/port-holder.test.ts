import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { endianness } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import {
  listeningInodes,
  listeningUsers,
  portHolders,
} from '../../../../src/channels/http/server/port-holder.js';
import { descriptorOf } from '../../../../src/channels/http/server/socket-keeper.js';
import { mayMakeNamespaces } from '../../../support/namespace.js';

/** A table as proc(5) shows it: addresses in words of 32 bits, in the machine's order. */
function table(...rows: readonly (readonly [address: string, port: number, state: string, inode: number])[]) {
  const lines = rows.map(([address, port, state, inode]) => {
    const bytes = Buffer.from(address, 'hex');
    const words = (endianness() === 'LE' ? bytes.swap32() : bytes).toString('hex').toUpperCase();
    const local = `${words}:${port.toString(16).toUpperCase().padStart(4, '0')}`;
    return `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000 0 0 ${inode} 1 0 100`;
  });
  return `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n${lines.join('\n')}\n`;
}

const loopback = '7f000001';
const ten = '0a000001';
const everyIPv4 = '00000000';
const everyIPv6 = '0'.repeat(32);
const loopbackIPv6 = `${'0'.repeat(31)}1`;
const mapped = `${'0'.repeat(20)}ffff${loopback}`;

describe('the sockets that listen', () => {
  it.each<[host: string, address: string, found: boolean]>([
    ['127.0.0.1', loopback, true],
    ['127.0.0.1', ten, false],
    ['127.0.0.1', everyIPv4, true],
    ['127.0.0.1', everyIPv6, true],
    ['127.0.0.1', mapped, true],
    ['127.0.0.1', loopbackIPv6, false],
    ['0.0.0.0', ten, true],
    ['0.0.0.0', mapped, true],
    ['0.0.0.0', everyIPv6, true],
    ['0.0.0.0', loopbackIPv6, false],
    ['::', ten, true],
    ['::', loopbackIPv6, true],
    ['0:0::0', loopback, true],
    ['::1', loopbackIPv6, true],
    ['::1', everyIPv6, true],
    ['::1', everyIPv4, false],
    ['::1', loopback, false],
    ['::ffff:127.0.0.1', loopback, true],
    ['2001:db8::1', '20010db8000000000000000000000001', true],
    ['2001:db8::1', '20010db8000000000000000000000002', false],
    // Which addresses a name has is not known here.
    ['localhost', ten, true],
  ])('for %s, one at %s: %s', (host, address, found) => {
    expect(listeningInodes(table([address, 8733, '0A', 7]), 8733, host)).toEqual(found ? ['7'] : []);
  });

  it('are those of the port, and no connections', () => {
    const rows = table([loopback, 8734, '0A', 1], [loopback, 8733, '01', 2], [loopback, 8733, '0A', 3]);
    expect(listeningInodes(rows, 8733, '127.0.0.1')).toEqual(['3']);
    expect(listeningInodes('', 8733, '127.0.0.1')).toEqual([]);
  });
});

describe('who holds a port', () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  async function listen(host: string): Promise<{ readonly server: Server; readonly port: number }> {
    const server = createServer().listen(0, host);
    servers.push(server);
    await once(server, 'listening');
    return { server, port: (server.address() as AddressInfo).port };
  }

  it('is every process that has the socket open', async () => {
    const { server, port } = await listen('127.0.0.1');
    // As the manager does with a socket that is kept.
    const keeper = spawn('sleep', ['60'], {
      stdio: ['ignore', 'ignore', 'ignore', descriptorOf(server as never) ?? 'ignore'],
    });
    await once(keeper, 'spawn');
    const pids = portHolders(port, '127.0.0.1').map(({ pid }) => pid);
    expect(pids).toHaveLength(2);
    expect(pids).toEqual(expect.arrayContaining([process.pid, keeper.pid]));
    // Only the user is known of a process whose descriptors can't be seen.
    expect(listeningUsers(port, '127.0.0.1')).toEqual([process.getuid?.()]);
    keeper.kill();
    await once(keeper, 'exit');
    expect(portHolders(port, '127.0.0.1')).toMatchObject([{ pid: process.pid }]);
  });

  // Another process may have the same port at that address.
  it('is not who listens at another address', async () => {
    const { port } = await listen('127.0.0.2');
    const pidsAt = (host: string) => portHolders(port, host).map(({ pid }) => pid);
    expect(pidsAt('127.0.0.1')).not.toContain(process.pid);
    expect(pidsAt('0.0.0.0')).toContain(process.pid);
  });

  it.runIf(mayMakeNamespaces())('is not here where the socket is of another network namespace', async () => {
    const { server } = await listen('127.0.0.1');
    const module = new URL('../../../../dist/channels/http/server/port-holder.js', import.meta.url);
    const script = `console.log((await import('${module}')).listensHere(3))`;
    const listensIn = async (command: readonly string[]) => {
      const [program = '', ...words] = [
        ...command,
        process.execPath,
        '--input-type=module',
        '--eval',
        script,
      ];
      const child = spawn(program, words, {
        stdio: ['ignore', 'pipe', 'inherit', descriptorOf(server as never) ?? 'ignore'],
      });
      const [[text]] = await Promise.all([once(child.stdout ?? child, 'data'), once(child, 'close')]);
      return String(text).trim();
    };
    expect(await listensIn([])).toBe('true');
    expect(await listensIn(['unshare', '--net'])).toBe('false');
  });
});
