import { IdentityError } from '../../linux/owner.js';
import { LineSplitter } from '../../text/lines.js';
import { connectToGateway, ForeignPeerError } from './connection.js';
import { type ControlCommand, type ControlEvent, controlEvent, lineLimit } from './protocol.js';

/** Time for a gateway to accept an order. */
const defaultTimeoutMs = 10_000;

/** Nobody answers at the control socket. */
export class NoGatewayError extends Error {
  constructor(path: string, options?: ErrorOptions) {
    const { cause } = options ?? {};
    const isTelling = cause instanceof ForeignPeerError || cause instanceof IdentityError;
    super(`no gateway answers at ${path}${isTelling ? `: ${cause.message}` : ''}`, options);
    this.name = 'NoGatewayError';
  }
}

/** One is there, and says nothing. It has the order, and carries it out if it goes on. */
export class SilentGatewayError extends NoGatewayError {
  constructor(path: string, timeoutMs: number) {
    super(`${path} within ${timeoutMs / 1_000} s; the one that is there may hang`);
    this.name = 'SilentGatewayError';
  }
}

/**
 * Sends one order and tells each event of the answer. Resolves when the gateway closes the connection, which after a
 * stop is its end. Rejects with a NoGatewayError when there is none, and with a SilentGatewayError when it says nothing for
 * `timeoutMs`: one that hangs takes connections all the same.
 */
export async function control(
  path: string,
  command: ControlCommand,
  onEvent: (event: ControlEvent) => void,
  timeoutMs = defaultTimeoutMs,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const splitter = new LineSplitter(lineLimit);
    let connected = false;
    const socket = connectToGateway(path, () => {
      connected = true;
      socket.write(`${JSON.stringify({ command })}\n`);
    });
    socket.setEncoding('utf8');
    socket.setTimeout(timeoutMs, () => {
      reject(new SilentGatewayError(path, timeoutMs));
      socket.destroy();
    });
    socket.on('data', (chunk: string) => {
      // It has accepted the order, which may take its time.
      socket.setTimeout(0);
      try {
        for (const line of splitter.push(chunk)) onEvent(controlEvent.parse(JSON.parse(line)));
      } catch (error) {
        socket.destroy(error instanceof Error ? error : new Error(String(error)));
      }
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (!connected) reject(new NoGatewayError(path, { cause: error }));
      // The process that was to end has ended with data unread: its end is what was asked for.
      else if (error.code === 'ECONNRESET' || error.code === 'EPIPE') resolve();
      else reject(error);
    });
    socket.on('close', () => resolve());
  });
}
