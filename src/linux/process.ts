import { SystemCallError } from './errno.js';
import { native } from './native.js';

/** getppid(2), asked anew at each call; 0 when the parent is outside this PID namespace. */
export function parentPid(): number {
  return native().getppid();
}

/**
 * Ends the process at once with what has to be done at the end, the listeners of `exit`, but without waiting for its
 * threads (_exit(2)): `process.exit` waits for a worker that is inside a long call, such as one of the database.
 */
export function exitAtOnce(status: number): never {
  process.exitCode = status;
  process.emit('exit', status);
  return native()._exit(status);
}

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
