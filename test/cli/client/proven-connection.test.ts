import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { otherEndIn, otherEndOf } from '../../../src/cli/client/proven-connection.js';

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
