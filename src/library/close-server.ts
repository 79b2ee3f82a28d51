import type { Server as HttpServer } from 'node:http';
import type { Server } from 'node:net';
import { ArgumentError, showValue } from '../systemd/arguments.js';

/** Node.js tells of no connection that becomes idle. */
const idleCheckMs = 50;

function isHttp(server: Server): server is HttpServer {
  return 'closeIdleConnections' in server && 'closeAllConnections' in server;
}

function checkServer(server: Server): void {
  if (typeof server?.close !== 'function' || typeof server.on !== 'function') {
    throw new ArgumentError(
      'server',
      `A server of node:net, node:http or node:https is closed, not ${showValue(server)}`,
    );
  }
}

/**
 * Stops accepting connections, and resolves once those that are open have ended. A request under way is answered, with
 * `Connection: close`; a keep-alive connection without one is closed. Resolves with false if connections are left at
 * the deadline; those of HTTP are closed then.
 *
 * @param deadline by `performance.now()`, as the one of `onStop`; by default there is none
 * @throws ArgumentError
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
