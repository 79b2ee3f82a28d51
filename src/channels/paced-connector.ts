import { buildConnector } from 'undici';
import { paceReads } from '../lifecycle/effects/paced-socket.js';

/** Bytes of an answer that are parsed in one turn of the event loop. */
const answerBytesOfTurn = 4_096;

/**
 * Connects as undici does, and lets a server that answers without end have its share of a turn of the event loop: undici
 * parses all that has come in one go, and what comes may be headers or chunks of a single byte.
 */
export function pacedConnector(
  options: buildConnector.BuildOptions,
  bytesOfTurn = answerBytesOfTurn,
): buildConnector.connector {
  const connect = buildConnector(options);
  return (target, callback) =>
    connect(target, (...outcome) => {
      const [, socket] = outcome;
      if (socket) paceReads(socket, bytesOfTurn);
      callback(...outcome);
    });
}
