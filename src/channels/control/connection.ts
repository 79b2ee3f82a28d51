import { createConnection, Socket } from 'node:net';
import { SystemCallError } from '../../linux/errors.js';
import { asOwnerOf, IdentityError, ownerOf } from '../../linux/owner.js';
import { type PeerCredentials, peerCredentials } from '../../linux/process.js';

/** The process at the control socket runs neither as the owner of its directory, nor as root, nor as this user. */
export class ForeignPeerError extends Error {
  constructor(path: string, uid: number | null) {
    super(`what answers at ${path} belongs to UID ${uid ?? 'unknown'}, which is not the gateway’s user`);
    this.name = 'ForeignPeerError';
  }
}

/** Asks the kernel who the peer is; null if the peer is gone, or the kernel doesn't say. */
export function peerOf(socket: Socket): PeerCredentials | null {
  // The handle is Node's only way to a socket's descriptor.
  const { _handle: handle } = socket as Socket & { _handle?: { readonly fd: number } | null };
  if (handle === undefined || handle === null || handle.fd < 0) return null;
  try {
    return peerCredentials(handle.fd);
  } catch (error) {
    if (error instanceof SystemCallError) return null;
    throw error;
  }
}

/**
 * Connects to a Unix socket. Root connects as the owner of its directory, who could have put a link there to a socket
 * for root alone. The event `error` tells every failure.
 */
export function connectAsOwner(path: string): Socket {
  try {
    // libuv connects before the call returns (uv_pipe_connect).
    return asOwnerOf(path, (reachable) => createConnection({ path: reachable }));
  } catch (error) {
    if (!(error instanceof IdentityError) && (error as NodeJS.ErrnoException).code === undefined) throw error;
    return new Socket().destroy(error as Error);
  }
}

/** Connects to a control socket; `connected` is called once it is known to be the gateway's. */
export function connectToGateway(path: string, connected: (socket: Socket) => void): Socket {
  const socket = connectAsOwner(path);
  socket.once('connect', () => {
    try {
      const uid = peerOf(socket)?.uid ?? null;
      if (uid === null || ![0, process.geteuid?.(), ownerOf(path)].includes(uid)) {
        throw new ForeignPeerError(path, uid);
      }
    } catch (error) {
      socket.destroy(error as Error);
      return;
    }
    connected(socket);
  });
  return socket;
}
