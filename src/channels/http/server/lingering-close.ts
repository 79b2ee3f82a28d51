import { Socket } from 'node:net';

export interface LingerBounds {
  /** Time without a byte from the client, in milliseconds. */
  readonly silenceMs: number;
  readonly longestMs: number;
  readonly mostBytes: number;
}

const usualBounds: LingerBounds = { silenceMs: 2_000, longestMs: 10_000, mostBytes: 64 * 1024 ** 2 };

/**
 * Has the last answer reach a client that still sends its request. The kernel answers what comes to a closed connection
 * with a reset, at which the client loses an answer that it has not read (RFC 9112, 9.6). `isSending`: the client does.
 */
export function lingerBehindLastAnswer(socket: Socket, isSending: () => boolean): void {
  // Node.js calls it behind a last answer (lib/_http_server.js).
  socket.destroySoon = () => {
    if (isSending()) linger(socket);
    else Socket.prototype.destroySoon.call(socket);
  };
}

/** Ends this side, and drops what comes until the client ends its own, or a bound is reached. */
export function linger(socket: Socket, { silenceMs, longestMs, mostBytes } = usualBounds): void {
  const close = () => void socket.destroy();
  const endBytes = socket.bytesRead + mostBytes;
  const timer = setTimeout(close, longestMs).unref();
  socket.once('close', () => clearTimeout(timer));
  socket.once('end', close);
  socket.on('data', () => {
    if (socket.bytesRead > endBytes) close();
  });
  socket.setTimeout(silenceMs, close);
  if (socket.writable) socket.end();
  socket.resume();
}
