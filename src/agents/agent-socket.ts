import { connect, type Socket } from 'node:net';
import { peerCredentials } from '../linux/process.js';
import { connectionErrorMessage } from '../text/failure-text.js';
import { AgentError } from './agent.js';

/** Longest wait for the connection, in milliseconds: the service manager takes it before the agent runs. */
const connectWithinMs = 10_000;

const mends: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such socket: start its socket unit (systemctl start)',
  ECONNREFUSED: 'nobody listens there: start its socket unit (systemctl start)',
  EACCES: "the gateway's user may not connect: name it in SocketUser= of the socket unit",
};

/**
 * Connects to an agent that runs as another user, by the address in `agent.connect` ("unix:/PATH"). Who listens there has to
 * be root, that is the system's service manager, or this user.
 *
 * @throws AgentError of reason `unavailable`, or `cancelled`
 */
export async function connectToAgent(address: string, signal: AbortSignal): Promise<Socket> {
  const path = address.replace(/^unix:/, '');
  const socket = connect({ path, allowHalfOpen: true });
  const late = AbortSignal.timeout(connectWithinMs);
  try {
    await opened(socket, AbortSignal.any([signal, late]));
    checkListener(socket, path);
    return socket;
  } catch (error) {
    socket.destroy();
    if (signal.aborted)
      throw new AgentError('cancelled', 'the turn was cancelled before its agent was reached', true);
    if (error instanceof AgentError) throw error;
    const mend = mends[(error as NodeJS.ErrnoException).code ?? ''];
    const reason = late.aborted ? `not within ${connectWithinMs / 1_000} s` : connectionErrorMessage(error);
    throw new AgentError(
      'unavailable',
      `the agent at ${path} (agent.connect) could not be reached: ${reason}${mend === undefined ? '' : `; ${mend}`}`,
      true,
      { cause: error },
    );
  }
}

function opened(socket: Socket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    const settled = () => signal.removeEventListener('abort', abort);
    socket.once('connect', () => {
      settled();
      resolve();
    });
    // It stays: one behind the connection must not become an uncaught error.
    socket.on('error', (error) => {
      settled();
      reject(error);
    });
    if (signal.aborted) abort();
  });
}

/** The peer of a connection is whoever had begun to listen (SO_PEERCRED of unix(7)). */
function checkListener(socket: Socket, path: string): void {
  const { _handle: handle } = socket as unknown as { readonly _handle: { readonly fd: number } };
  const { uid } = peerCredentials(handle.fd);
  const own = process.getuid?.();
  if (uid === 0 || uid === own) return;
  throw new AgentError(
    'unavailable',
    `the agent at ${path} (agent.connect) was not asked: the user ${uid} listens there, and not root or ${own}. Have a socket unit listen`,
    true,
  );
}
