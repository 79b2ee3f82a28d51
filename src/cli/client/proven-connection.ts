import { readFileSync } from 'node:fs';
import { createConnection, isIP, type Socket } from 'node:net';
import { connectAsOwner, peerOf } from '../../channels/control/connection.js';
import { addressIn } from '../../channels/http/server/port-holder.js';

/** The two ends of a TCP connection, as the side that made it sees them. */
export interface Connection {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** State TCP_LISTEN in /proc/net/tcp, include/net/tcp_states.h. */
const listening = '0A';

const anyAddress = '[::]';
const anyIPv4Address = '[::ffff:0:0]';

/** Writes each address in one way: IPv4 as it is mapped into IPv6. */
function canonical(address: string): string {
  const mapped = isIP(address) === 4 ? `::ffff:${address}` : address.replace(/%.*$/, '');
  return new URL(`http://[${mapped}]`).hostname;
}

/** Reads an address and a port of a table. */
function endIn(column: string): { readonly address: string; readonly port: number } {
  const [address = '', port = ''] = column.split(':');
  return { address: canonical(addressIn(address)), port: Number.parseInt(port, 16) };
}

/** The other end of a connection. */
export interface OtherEnd {
  /** The user who has accepted it or, until then, those who listen there; none: nobody can tell. */
  readonly users: readonly number[];
  /** False until accept(2). The listening socket may be one that a gateway of another user has left (file descriptor store). */
  readonly accepted: boolean;
}

/**
 * Finds the other end of a connection in the texts of /proc/net/tcp and tcp6 (proc(5)). No users: it ends on another
 * machine.
 */
export function otherEndIn(tables: readonly string[], connection: Connection): OtherEnd {
  const here = { address: canonical(connection.remoteAddress), port: connection.remotePort };
  const there = { address: canonical(connection.localAddress), port: connection.localPort };
  const listeners: number[] = [];
  let isWaiting = false;
  for (const row of tables.flatMap((table) => table.split('\n').slice(1))) {
    const [, local = '', remote = '', state = '', , , , uid = '', , inode = ''] = row.trim().split(/\s+/);
    if (inode === '') continue;
    const own = endIn(local);
    if (own.port !== here.port) continue;
    if (state === listening) {
      const isForAll =
        own.address === anyAddress || (own.address === anyIPv4Address && here.address.startsWith('[::ffff:'));
      if (isForAll || own.address === here.address) listeners.push(Number(uid));
      continue;
    }
    const other = endIn(remote);
    if (own.address !== here.address || other.address !== there.address || other.port !== there.port)
      continue;
    // Before accept(2) it has no inode, and in older kernels no user of its own.
    if (inode !== '0') return { users: [Number(uid)], accepted: true };
    isWaiting = true;
  }
  return isWaiting ? { users: listeners, accepted: false } : { users: [], accepted: true };
}

/** Finds the other end of a connection. Of a Unix socket it is the user who called listen(2) last (unix(7)). */
export function otherEndOf(socket: Socket): OtherEnd {
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  if (localAddress === undefined || localPort === undefined) {
    const peer = peerOf(socket);
    return { users: peer === null ? [] : [peer.uid], accepted: true };
  }
  if (remoteAddress === undefined || remotePort === undefined) return { users: [], accepted: true };
  const tables = ['/proc/net/tcp', '/proc/net/tcp6'].map(readTable);
  return otherEndIn(tables, { localAddress, localPort, remoteAddress, remotePort });
}

/** Gives no rows if the kernel has no such table, as without IPv6. */
function readTable(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** Another user than the gateway's answers at the address; nothing was sent. */
export class UnprovenError extends Error {
  constructor(address: string, found: readonly number[], trusted: ReadonlySet<number>) {
    const users = [...trusted].filter((uid) => uid !== 0);
    const wanted = users.length === 0 ? 'root' : `UID ${users.join(' or ')}, or root`;
    const who =
      found.length === 0
        ? `nobody can tell who answers at ${address}`
        : `what answers at ${address} belongs to UID ${found.join(' and ')}`;
    super(`${who}, and the gateway is to be one of ${wanted}: nothing was sent`);
    this.name = 'UnprovenError';
  }
}

/** Time for another user's listening socket to be accepted from, and between two looks at that, in milliseconds. */
const acceptTimeoutMs = 3_000;
const proofPause = 10;

/** The target of a connection, as node:http has it. */
export interface Where {
  readonly host?: string | null | undefined;
  readonly port?: number | string | null | undefined;
  /** A Unix socket; null: TCP. */
  readonly unix: string | null;
}

/**
 * Connects, and gives the socket to `done` if a trusted user has the other end: anybody may listen on a port of this
 * machine while the gateway doesn't.
 *
 * @param timeoutMs how long that may take, in milliseconds
 */
export function connectProven(
  address: string,
  { host, port, unix }: Where,
  trusted: ReadonlySet<number>,
  timeoutMs: number,
  done: (error: Error | null, socket: Socket) => void,
): void {
  const socket =
    unix === null
      ? createConnection({ host: host ?? 'localhost', port: Number(port ?? 80) })
      : connectAsOwner(unix);
  const fail = (error: Error) => done(error, socket);
  socket.once('error', fail);
  socket.setTimeout(timeoutMs, () => {
    socket.destroy(new Error(`nothing came within ${Math.ceil(timeoutMs / 1_000)} s; it may hang`));
  });
  const prove = (deadline: number) => {
    if (socket.destroyed) return;
    try {
      const { users, accepted } = otherEndOf(socket);
      if (users.length === 0 || !users.every((uid) => trusted.has(uid))) {
        // Whoever accepts it is the one that counts.
        if (!accepted && performance.now() < deadline) {
          setTimeout(() => prove(deadline), proofPause);
          return;
        }
        throw new UnprovenError(address, [...new Set(users)], trusted);
      }
    } catch (error) {
      socket.destroy(error as Error);
      return;
    }
    socket.off('error', fail);
    socket.setTimeout(0);
    done(null, socket);
  };
  socket.once('connect', () => prove(performance.now() + acceptTimeoutMs));
}
