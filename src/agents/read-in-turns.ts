import type { Readable } from 'node:stream';

/** After a read that filled its buffer, which has this size, libuv reads once more in the same turn. */
const fullReadBytes = 65_536;

/**
 * Reads a stream so that whoever writes to it without end has its share of a turn of the event loop, and waits for the
 * pipe to have room. `take` says how many of the bytes it took; the others are handed to it in the next turn.
 */
export function readInTurns(stream: Readable, take: (bytes: Buffer) => number): void {
  stream.on('data', (bytes: Buffer) => {
    const taken = take(bytes);
    if (taken === bytes.length && taken < fullReadBytes) return;
    stream.pause();
    if (taken < bytes.length) stream.unshift(bytes.subarray(taken));
    setImmediate(() => stream.resume());
  });
}
