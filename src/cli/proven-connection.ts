import { createConnection, type Socket } from 'node:net';
import { connectAsOwner } from '../channels/control/connection.js';
import { otherEndOf } from './connection-peer.js';

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
const acceptPatience = 3_000;
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
 * @param patience how long that may take, in milliseconds
 */
export function connectProven(
  address: string,
  { host, port, unix }: Where,
  trusted: ReadonlySet<number>,
  patience: number,
  done: (error: Error | null, socket: Socket) => void,
): void {
  const socket =
    unix === null
      ? createConnection({ host: host ?? 'localhost', port: Number(port ?? 80) })
      : connectAsOwner(unix);
  const fail = (error: Error) => done(error, socket);
  socket.once('error', fail);
  socket.setTimeout(patience, () => {
    socket.destroy(new Error(`nothing came within ${Math.ceil(patience / 1_000)} s; it may hang`));
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
  socket.once('connect', () => prove(performance.now() + acceptPatience));
}
