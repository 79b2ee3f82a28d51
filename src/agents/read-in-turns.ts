import type { Readable } from 'node:stream';

/** After a read that filled its buffer, which has this size, libuv reads once more in the same turn. */
const fullReadBytes = 65_536;

/**
 * Reads a stream so that whoever writes to it without end has its share of a turn of the event loop, and waits for the
 * gateway to read. `take` gives how many of the bytes it took, and gets the others in the next turn. If `pauseMs` gives
 * more than 0, the next turn is that many milliseconds later. Returns a function that ends such a pause.
 */
export function readInTurns(
  stream: Readable,
  take: (bytes: Buffer) => number,
  pauseMs: () => number = () => 0,
): () => void {
  let timer: NodeJS.Timeout | null = null;
  const goOn = () => {
    timer = null;
    stream.resume();
  };
  stream.on('data', (bytes: Buffer) => {
    const taken = take(bytes);
    const delayMs = pauseMs();
    if (taken === bytes.length && taken < fullReadBytes && delayMs === 0) return;
    stream.pause();
    if (taken < bytes.length) stream.unshift(bytes.subarray(taken));
    if (delayMs > 0) timer = setTimeout(goOn, delayMs);
    else setImmediate(goOn);
  });
  return () => {
    if (timer === null) return;
    clearTimeout(timer);
    goOn();
  };
}
