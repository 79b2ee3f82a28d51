import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Keeps sockets beyond this process; src/gateway/sockets/fd-store-sockets.ts uses the service manager's store. */
export interface SocketKeeper {
  /** Keeps a listening socket for the next process; false when it ends with this one. */
  keepListener(address: string, descriptor: number): boolean;
  /** Has the kept listening socket of that address closed. */
  dropListener(address: string): void;
  /**
   * Keeps connections without a request under way, which the next process goes on to serve.
   * @returns how many of them, from the first on, may be closed here without an end for the client
   */
  keepConnections(descriptors: readonly number[]): number;
}

/** Without a service manager everything ends with the process. */
export const nothingKept: SocketKeeper = {
  keepListener: () => false,
  dropListener: () => undefined,
  keepConnections: () => 0,
};

/** The descriptor of an open server or socket; Node has no public name for it. Null when it has none. */
export function descriptorOf(owner: Server | Socket): number | null {
  const handle = '_handle' in owner ? owner._handle : null;
  if (typeof handle !== 'object' || handle === null || !('fd' in handle)) return null;
  return typeof handle.fd === 'number' && handle.fd >= 0 ? handle.fd : null;
}
