import type { Socket } from 'node:net';
import { buildConnector } from 'undici';

/** Bytes of an answer that are parsed in one turn of the event loop. Most answers have fewer. */
const bytesOfTurn = 1_024;

/**
 * Connects as undici does, and lets a receiver that answers without end have its share of a turn of the event loop: undici
 * parses all that has come in one go, and what comes may be headers or chunks of a single byte.
 */
export function pacedConnector(options: buildConnector.BuildOptions): buildConnector.connector {
  const connect = buildConnector(options);
  return (target, callback) =>
    connect(target, (...outcome) => {
      const [, socket] = outcome;
      if (socket) readInTurns(socket);
      callback(...outcome);
    });
}

/** undici calls `read` on each "readable" event until that gives null. */
function readInTurns(socket: Socket): void {
  const read = socket.read.bind(socket);
  let waits = false;
  socket.read = (size?: number) => {
    // Node.js itself passes 0, to have the kernel read.
    if (size !== undefined) return read(size);
    if (waits || socket.destroyed) return null;
    if (socket.readableLength <= bytesOfTurn) return read();
    waits = true;
    setImmediate(() => {
      waits = false;
      socket.emit('readable');
    });
    return read(bytesOfTurn);
  };
}
