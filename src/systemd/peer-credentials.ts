import { SystemCallError } from './failure.js';
import { native } from './native.js';

/** Who connected to a Unix socket, as of the moment of the connection. */
export interface PeerCredentials {
  /** 0 when the peer is outside this PID namespace. */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** SO_PEERCRED of unix(7), for a connected Unix socket's descriptor. Throws `SystemCallError`. */
export function peerCredentials(fd: number): PeerCredentials {
  const result = native().getsockopt_peercred(fd);
  if (typeof result === 'number') {
    throw new SystemCallError(`Could not tell who is at the other end of descriptor ${fd}`, result);
  }
  const [pid, uid, gid] = result;
  return { pid, uid, gid };
}
