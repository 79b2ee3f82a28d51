import type { Server as HttpServer } from 'node:http';
import type { Server } from 'node:net';
import { ArgumentError } from '../linux/errors.js';
import { showValue } from '../systemd/arguments.js';
import { readProperty } from './read-arguments.js';

/** Node.js tells of no connection that becomes idle. */
const idleCheckMs = 50;

function isHttp(server: Server): server is HttpServer {
  return 'closeIdleConnections' in server && 'closeAllConnections' in server;
}

/** @throws ArgumentError for what isn't a server of node:net, or of a module that is built on it */
export function checkServer(server: Server): void {
  const isServer =
    (['listen', 'close', 'address', 'prependListener'] as const).every(
      (name) => typeof readProperty('server', server, name) === 'function',
    ) && typeof readProperty('server', server, 'listening') === 'boolean';
  if (isServer) return;
  throw new ArgumentError(
    'server',
    `The server has to be one of node:net, node:http or node:https, not ${showValue(server)}`,
  );
}

/**
 * Stops accepting connections, and resolves once those that are open have ended. A request under way is answered, with
 * `Connection: close`; a keep-alive connection without one is closed.
 *
 * @param server of node:net, node:http or node:https
 * @param deadline in milliseconds by `performance.now()`, as the one of `onStop`; by default there is none
 * @returns a promise of false if connections are left at the deadline; those of HTTP are closed then
 * @throws {@link ArgumentError} for what is no server, or no time: the promise is rejected
 * @see systemd.service(5), `TimeoutStopSec=`
 */
export async function closeServer(server: Server, deadline = Number.POSITIVE_INFINITY): Promise<boolean> {
  checkServer(server);
  if (typeof deadline !== 'number' || Number.isNaN(deadline)) {
    throw new ArgumentError('deadline', `${showValue(deadline)} is no time of performance.now()`);
  }
  if (!server.listening) return true;
  if (isHttp(server)) {
    server.prependListener('request', (_request, response) => response.setHeader('Connection', 'close'));
  }
  let timer: NodeJS.Timeout | undefined;
  let idle: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    if (deadline === Number.POSITIVE_INFINITY) return;
    const wait = Math.min(2 ** 31 - 1, Math.max(0, deadline - performance.now()));
    timer = setTimeout(() => resolve(false), wait);
  });
  const closed = new Promise<boolean>((resolve) => {
    server.close(() => resolve(true));
  });
  if (isHttp(server)) {
    server.closeIdleConnections();
    idle = setInterval(() => server.closeIdleConnections(), idleCheckMs);
  }
  try {
    const inTime = await Promise.race([closed, late]);
    if (!inTime && isHttp(server)) server.closeAllConnections();
    return inTime;
  } finally {
    clearTimeout(timer);
    clearInterval(idle);
  }
}
