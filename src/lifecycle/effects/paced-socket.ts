import type { Socket } from 'node:net';

/**
 * Lets a socket give so many bytes in a turn of the event loop, once its reader asks for more. A parser of HTTP takes all that
 * has come in one go, and that may be thousands of chunks or headers. To be called before the socket's first byte is read.
 */
export function paceReads(socket: Socket, bytesOfTurn: number): void {
  // Node.js calls `_read` when the reader wants more, and `push` with each read of the kernel or of TLS.
  const read = socket._read.bind(socket);
  const push = socket.push.bind(socket);
  /** Null: the end. TLS gives several reads at once. */
  const waiting: (Buffer | null)[] = [];
  const give = () => {
    const next = socket.destroyed ? undefined : waiting.shift();
    if (next === undefined) return;
    if (next !== null && next.length > bytesOfTurn) waiting.unshift(next.subarray(bytesOfTurn));
    push(next === null ? null : next.subarray(0, bytesOfTurn));
  };
  socket._read = (sizeBytes: number) => {
    if (waiting.length === 0) read(sizeBytes);
    else setImmediate(give);
  };
  socket.push = (chunk: Buffer | null) => {
    const isFirst = waiting.length === 0;
    if (isFirst && (chunk === null || chunk.length <= bytesOfTurn)) return push(chunk);
    waiting.push(chunk);
    if (isFirst) give();
    // The kernel keeps the rest until all of it is given.
    return false;
  };
}
