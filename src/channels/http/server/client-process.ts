import { readdir, readFile, readlink } from 'node:fs/promises';
import { isIP, type Socket } from 'node:net';
import { peerOf } from '../../control/connection.js';
import { addressIn } from './port-holder.js';

/** One end of a TCP connection. */
interface End {
  readonly address: string;
  readonly port: number;
}

/**
 * The processes that have the other end of a connection open, as far as this user may see it. None: it ends on another
 * machine, the process has gone, or it is another user's.
 */
export async function clientProcesses(socket: Socket): Promise<readonly number[]> {
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  if (localAddress === undefined || localPort === undefined) {
    const pid = peerOf(socket)?.pid ?? 0;
    return pid > 0 ? [pid] : [];
  }
  if (remoteAddress === undefined || remotePort === undefined) return [];
  const client = { address: remoteAddress, port: remotePort };
  const server = { address: localAddress, port: localPort };
  for (const table of ['/proc/self/net/tcp', '/proc/self/net/tcp6']) {
    const inode = connectionInode((await orNull(readFile(table, 'utf8'))) ?? '', client, server);
    if (inode !== null) return processesWith(inode);
  }
  return [];
}

/** The inode of the socket at the client's end, from the text of a table of proc(5); null: it isn't there. */
export function connectionInode(table: string, client: End, server: End): string | null {
  const [from, to] = [nameOf(client), nameOf(server)];
  for (const row of table.split('\n').slice(1)) {
    const columns = row.trim().split(/\s+/);
    const inode = columns[9] ?? '0';
    // Without one, no process has it open.
    if (inode === '0' || endIn(columns[1]) !== from || endIn(columns[2]) !== to) continue;
    return inode;
  }
  return null;
}

function endIn(column = ''): string {
  const [address = '', port = ''] = column.split(':');
  return nameOf({ address: addressIn(address), port: Number.parseInt(port, 16) });
}

/** Writes each address in one way: IPv4 as it is mapped into IPv6. */
function nameOf({ address, port }: End): string {
  const mapped = isIP(address) === 4 ? `::ffff:${address}` : address.replace(/%.*$/, '');
  return `${new URL(`http://[${mapped}]`).hostname}:${port}`;
}

async function processesWith(inode: string): Promise<readonly number[]> {
  const link = `socket:[${inode}]`;
  const found: number[] = [];
  for (const entry of (await orNull(readdir('/proc'))) ?? []) {
    if (!/^\d+$/.test(entry)) continue;
    const descriptors = (await orNull(readdir(`/proc/${entry}/fd`))) ?? [];
    const targets = await Promise.all(
      descriptors.map((descriptor) => orNull(readlink(`/proc/${entry}/fd/${descriptor}`))),
    );
    if (targets.includes(link)) found.push(Number(entry));
  }
  return found;
}

/** Other users' processes can't be read, and any process may end meanwhile: neither is an error here. */
async function orNull<Result>(reading: Promise<Result>): Promise<Result | null> {
  try {
    return await reading;
  } catch {
    return null;
  }
}
