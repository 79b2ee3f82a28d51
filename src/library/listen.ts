import { closeSync } from 'node:fs';
import type { AddressInfo, ListenOptions, Server } from 'node:net';
import { ArgumentError } from '../linux/errors.js';
import { showValue } from '../systemd/arguments.js';
import { errorMessage } from '../text/failure-text.js';
import { checkServer } from './close-server.js';
import { fdStore, takeUnclaimed } from './fd-store.js';
import { readFields } from './read-arguments.js';

/** An address that a server listens at. */
export interface ListenWhere {
  /**
   * `FileDescriptorName=` of a socket unit, by default the unit's name. Without a port, a start that wasn't passed this
   * socket is refused.
   */
  readonly name?: string;
  /** 0 to 65535; 0: any free one, which is not kept. */
  readonly port?: number;
  /** By default all addresses of this machine. */
  readonly host?: string;
}

/** The names of sockets that were bound here, in the descriptor store. */
const keptPrefix = 'listen ';

function keptName({ name, port, host }: ListenWhere): string {
  // A colon would end the name.
  return name ?? `${keptPrefix}${host?.replaceAll(':', '.') ?? ''} ${port}`;
}

function check(server: Server, where: ListenWhere): void {
  checkServer(server);
  if (server.listening) {
    throw new ArgumentError('server', `The server listens already, at ${JSON.stringify(server.address())}`);
  }
  const { name, port, host } = where;
  if (name === undefined && port === undefined) {
    throw new ArgumentError('where', 'A server listens on { port }, or on the socket unit of { name }');
  }
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
    throw new ArgumentError('port', `${showValue(port)} is no port: those are numbers from 0 to 65535`);
  }
  if (host !== undefined && typeof host !== 'string') {
    throw new ArgumentError('host', `${showValue(host)} is no host`);
  }
  if (name !== undefined && (typeof name !== 'string' || !/^[\x20-\x39\x3b-\x7e]{1,255}$/.test(name))) {
    throw new ArgumentError(
      'name',
      `${showValue(name)} can't be the name of a socket: 1 to 255 of printable ASCII without a colon`,
    );
  }
}

function bind(server: Server, options: ListenOptions & { readonly fd?: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: unknown): void => {
      server.off('error', settle);
      server.off('listening', settle);
      if (error === undefined) resolve();
      else reject(error);
    };
    server.once('error', settle);
    server.once('listening', settle);
    try {
      server.listen(options);
    } catch (error) {
      settle(error);
    }
  });
}

/** A wrong descriptor, such as a file's or a datagram socket's, is the unit's mistake, and says so. */
async function bindPassed(server: Server, fd: number, name: string): Promise<void> {
  try {
    await bind(server, { fd });
  } catch (cause) {
    throw new ArgumentError(
      'name',
      `The descriptor ${fd} that was passed as ${showValue(name)} is no stream socket that listens (${errorMessage(cause)}): look at ListenStream= and FileDescriptorName= of the socket unit`,
      { cause },
    );
  }
}

/** The descriptor of a listening server; Node.js has no public name for it. Null if it has none. */
function descriptorOf(server: Server): number | null {
  const { _handle: handle } = server as Server & { readonly _handle?: { readonly fd?: unknown } | null };
  return typeof handle?.fd === 'number' && handle.fd >= 0 ? handle.fd : null;
}

/**
 * Listens on the socket that the service manager has passed under this name, of a socket unit or kept over a restart;
 * else binds the port, and has the manager keep the socket if the unit has `FileDescriptorStoreMax=`: then no
 * connection is refused while the service restarts.
 *
 * @param server of node:net, node:http or node:https, which doesn't listen yet
 * @param where `{ port }`, `{ port, host }`, `{ name }`, or a name with a port to bind where no socket is passed
 * @returns a promise of what `server.address()` says
 * @throws {@link ArgumentError} for wrong arguments, for a name under which nothing is passed, and for a descriptor that
 *   isn't a listening stream socket; the errors of `server.listen`, such as EADDRINUSE. The promise is rejected
 * @see systemd.socket(5), sd_listen_fds_with_names(3)
 */
export async function listen(server: Server, where: ListenWhere): Promise<AddressInfo | string | null> {
  const address = readFields('where', where, ['name', 'port', 'host']);
  check(server, address);
  const { port, host } = address;
  const name = keptName(address);
  const [passed, ...more] = fdStore.take(name);
  for (const fd of more) closeSync(fd);
  if (passed !== undefined) {
    await bindPassed(server, passed, name);
    return server.address();
  }
  if (port === undefined) {
    throw new ArgumentError(
      'name',
      `No socket named ${showValue(name)} was passed: start the socket unit that has FileDescriptorName=${name}, or give a port to bind outside of systemd`,
    );
  }
  await bind(server, host === undefined ? { port } : { port, host });
  const descriptor = descriptorOf(server);
  if (port !== 0 && descriptor !== null && fdStore.capacity !== 0) {
    // Only the end of the unit closes it, whatever poll(2) says of it.
    fdStore.put(name, descriptor, { poll: false });
  }
  return server.address();
}

/** Closes kept sockets of addresses where the service no longer listens: their clients would wait for ever. */
export function dropStaleListeners(): void {
  for (const { fd, name } of takeUnclaimed((name) => name.startsWith(keptPrefix))) {
    closeSync(fd);
    fdStore.remove(name);
  }
}
