import { chmodSync, lstatSync, readFileSync, readlinkSync, renameSync, statSync } from 'node:fs';
import { connect, type ListenOptions, type Server } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { hostInUrl } from '../../../config/values.js';
import { errorMessage } from '../../../text/failure-text.js';
import { removeSocketFile } from '../../remove-socket-file.js';
import { listeningUsers, portHolders } from './port-holder.js';
import { describeTaken } from './taken-address.js';

/** The address of the HTTP server. `kept`: the listening socket of an earlier process, if that kept it. */
export type HttpEndpoint =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly kept?: number }
  | {
      readonly kind: 'unix';
      readonly path: string;
      readonly kept?: number;
      /** The key that names it. Default: http.listen. */
      readonly setting?: string;
    }
  /** A listening stream socket passed by systemd (sd_listen_fds(3)), by its FileDescriptorName=. */
  | { readonly kind: 'descriptor'; readonly descriptor: number; readonly name: string };

/** An address could not be listened on. The message says why and, if that is known, who has it. */
export class ListenError extends Error {
  constructor(
    /** As it stands in the configuration: "127.0.0.1:8733", "unix:/path". */
    readonly address: string,
    /** The errno's name, such as "EADDRINUSE". */
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'ListenError';
  }
}

/** Owner and group: who may connect to a Unix socket is for the directory's and the group's permissions to say. */
const unixSocketMode = 0o660;

/** Connections that wait in the kernel; it takes the least of this and net.core.somaxconn. */
const backlog = 4_096;

/** Binds the server; gives the address that clients use. Throws a ListenError. */
export async function listen(server: Server, endpoint: HttpEndpoint): Promise<string> {
  try {
    if (endpoint.kind === 'unix') {
      if (endpoint.kept === undefined) await listenOnPath(server, endpoint.path, endpoint.setting);
      else await bind(server, { fd: endpoint.kept });
      return `unix:${endpoint.path}`;
    }
    await bind(server, optionsFor(endpoint));
    return boundAddress(server, endpoint);
  } catch (error) {
    if (error instanceof ListenError) throw error;
    throw listenError(endpoint, error);
  }
}

function optionsFor(endpoint: HttpEndpoint & { readonly kind: 'tcp' | 'descriptor' }): BindOptions {
  if (endpoint.kind === 'descriptor') return { fd: endpoint.descriptor };
  return endpoint.kept === undefined ? { host: endpoint.host, port: endpoint.port } : { fd: endpoint.kept };
}

/** True if clients get to a kept socket: the path of a Unix socket may have been removed since. */
export function isReachable(endpoint: HttpEndpoint): boolean {
  return endpoint.kind !== 'unix' || fileAt(endpoint.path) === 'socket';
}

type BindOptions = ListenOptions & { readonly fd?: number };

function bind(server: Server, options: BindOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error) => {
      server.off('listening', bound);
      reject(error);
    };
    const bound = () => {
      server.off('error', failed);
      resolve();
    };
    server.once('error', failed);
    server.once('listening', bound);
    server.listen({ ...options, backlog });
  });
}

/**
 * Binds under another name and renames that: who sees the path can connect to it, and may. Node removes the name that it
 * bound when it closes the socket, but a socket that is kept must still be found.
 */
async function listenOnPath(server: Server, path: string, setting: string | undefined): Promise<void> {
  await expectFreePath(path, setting);
  // Channels start side by side, and one would take the other's socket away.
  const bound = binding.then(() => bindAndRename(server, path));
  binding = bound.catch(() => undefined);
  await bound;
}

/** The bind before: the sockets of a directory have one temporary name. */
let binding: Promise<void> = Promise.resolve();

async function bindAndRename(server: Server, path: string): Promise<void> {
  const temporary = join(dirname(path), temporaryName(basename(path)));
  removeSocketFile(temporary);
  await bind(server, { path: temporary });
  chmodSync(temporary, unixSocketMode);
  renameSync(temporary, path);
}

/** Not longer than the name itself, as the whole path may be no longer than an address of unix(7). */
function temporaryName(name: string): string {
  return `~${process.pid.toString(36)}`.slice(0, Buffer.byteLength(name));
}

function fileAt(path: string): 'socket' | 'other' | 'nothing' {
  try {
    return lstatSync(path).isSocket() ? 'socket' : 'other';
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 'nothing';
    throw error;
  }
}

/** Looks at the path of a Unix socket before anybody binds it. Throws a ListenError if somebody listens there. */
export async function expectFreePath(path: string, setting = 'http.listen'): Promise<void> {
  try {
    if (fileAt(path) !== 'nothing') await expectStaleSocket(path, setting);
    // Throws where there is no such directory: libuv tells bind(2)'s ENOENT as EACCES.
    statSync(dirname(path));
  } catch (error) {
    if (error instanceof ListenError) throw error;
    throw listenError({ kind: 'unix', path, setting }, error);
  }
}

/** Throws unless there is the file of a socket that nobody listens on any more. */
async function expectStaleSocket(path: string, setting: string): Promise<void> {
  const address = `unix:${path}`;
  if (fileAt(path) === 'other') {
    throw new ListenError(
      address,
      'EADDRINUSE',
      `Can't listen on ${address}: there is a file that is not a socket. Remove it, or set ${setting} to another path.`,
    );
  }
  if (await isLive(path)) {
    throw new ListenError(
      address,
      'EADDRINUSE',
      `Can't listen on ${address}: another process does. Stop it, or set ${setting} to another path.`,
    );
  }
}

function isLive(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => {
      const code = errorCode(error);
      if (code === 'ECONNREFUSED' || code === 'ENOENT') resolve(false);
      // Its queue is full: somebody listens.
      else if (code === 'EAGAIN') resolve(true);
      else reject(error);
    });
  });
}

function boundAddress(server: Server, endpoint: HttpEndpoint): string {
  const address = server.address();
  if (address !== null && typeof address === 'object') {
    return `http://${hostInUrl(address.address)}:${address.port}`;
  }
  const path = address ?? (endpoint.kind === 'descriptor' ? passedUnixPath(endpoint.descriptor) : null);
  // It serves all the same; nobody here can name it.
  return `unix:${path ?? '@unknown'}`;
}

function listenError(endpoint: HttpEndpoint, error: unknown): ListenError {
  const address = nameOf(endpoint);
  const code = errorCode(error) ?? 'unknown';
  return new ListenError(address, code, describeFailure(endpoint, code, errorMessage(error)), {
    cause: error,
  });
}

/** Says why nobody can listen there, and what to do. `code`: the errno's name. */
export function describeFailure(endpoint: HttpEndpoint, code: string, reason = code): string {
  return `Can't listen on ${nameOf(endpoint)}: ${advice(endpoint, code) ?? reason}`;
}

/** As it stands in the configuration. */
export function nameOf(endpoint: HttpEndpoint): string {
  if (endpoint.kind === 'unix') return `unix:${endpoint.path}`;
  if (endpoint.kind === 'descriptor') return `the passed socket "${endpoint.name}" (${endpoint.descriptor})`;
  return `${hostInUrl(endpoint.host)}:${endpoint.port}`;
}

function advice(endpoint: HttpEndpoint, code: string): string | null {
  switch (code) {
    case 'EADDRINUSE': {
      if (endpoint.kind !== 'tcp') return describeTaken([], []);
      const { port, host } = endpoint;
      return describeTaken(portHolders(port, host), listeningUsers(port, host));
    }
    case 'EACCES':
      return endpoint.kind === 'tcp'
        ? 'this user may not bind that port. Use one from 1024 on, or have systemd open it: enable the socket unit sd-gateway.socket with ListenStream= for that port (docs/network.md).'
        : 'this user may not write to the directory. Use one that it owns, such as RuntimeDirectory= makes.';
    case 'EADDRNOTAVAIL':
      return 'this machine has no such address. Set http.listen to one that "ip address" shows.';
    case 'ENOENT':
      return `the directory does not exist. Make it, or set ${(endpoint.kind === 'unix' && endpoint.setting) || 'http.listen'} to another path.`;
    case 'ENOTFOUND':
      return 'the host name has no address. Set http.listen to an address or a name that resolves.';
    case 'EINVAL':
      return endpoint.kind === 'descriptor'
        ? 'it is not a stream socket. Use ListenStream= with Accept=no in the socket unit.'
        : null;
    default:
      return null;
  }
}

function errorCode(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}

/**
 * The path of a Unix socket that was passed, as clients name it; "@name" for an abstract one (unix(7)). Node.js does not
 * tell it, so it is looked up in /proc/self/net/unix (proc(5)). Null when the descriptor is no such socket, has no path, or
 * was bound in another network namespace than this process's, whose sockets the table has (PrivateNetwork=), or when there
 * is no such table.
 */
export function passedUnixPath(descriptor: number): string | null {
  let link: string;
  let table: string;
  try {
    link = readlinkSync(`/proc/self/fd/${descriptor}`);
    table = readFileSync('/proc/self/net/unix', 'utf8');
  } catch {
    // It serves all the same.
    return null;
  }
  const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
  for (const row of table.split('\n').slice(1)) {
    // Num RefCount Protocol Flags Type St Inode Path; a path may have blanks in it.
    const [, rowInode, path] = /^\S+(?: +\S+){5} +(\d+)(?: (.+))?$/.exec(row) ?? [];
    if (rowInode !== undefined && rowInode === inode) return path ?? null;
  }
  return null;
}
