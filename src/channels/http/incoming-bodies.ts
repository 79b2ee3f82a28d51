import type { Readable } from 'node:stream';
import { GatheredBytes } from '../../text/gathered-bytes.js';
import { Problem } from './problem.js';

/** Bytes of the bodies that are on their way, in all. */
export const incomingLimitBytes = 64 * 1024 ** 2;

/** Seconds after which a body may be sent again that had to give way. */
const roomRetryAfter = 5;

interface Incoming {
  bytes: number;
  readonly refuse: (problem: Problem) => void;
}

/**
 * Reads bodies within a limit for all of them together. If they are more, the one that has been under way longest gives way:
 * a caller who sends slowly can't keep the others out.
 */
export class IncomingBodies {
  readonly #limitBytes: number;
  /** In the order of their beginnings. */
  readonly #incoming = new Set<Incoming>();
  #bytes = 0;

  constructor(limitBytes: number = incomingLimitBytes) {
    this.#limitBytes = limitBytes;
  }

  /**
   * Reads a whole body.
   *
   * @param tooLarge answers a body of more than `limitBytes`
   * @throws Problem
   */
  read(payload: Readable, limitBytes: number, tooLarge: () => Problem): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const gathered = new GatheredBytes();
      const end = () => {
        this.#incoming.delete(incoming);
        this.#bytes -= incoming.bytes;
        payload.off('data', take).off('end', finish).off('error', breakOff).off('close', breakOff);
      };
      const refuse = (problem: Problem) => {
        end();
        // The connection is closed behind the answer; until then, what comes is dropped.
        payload.on('error', () => undefined).resume();
        reject(problem);
      };
      const take = (chunk: Buffer) => {
        gathered.add(chunk);
        incoming.bytes += chunk.length;
        this.#bytes += chunk.length;
        if (incoming.bytes > limitBytes) refuse(tooLarge());
        else this.#makeRoom(incoming);
      };
      const finish = () => {
        end();
        resolve(gathered.take());
      };
      const breakOff = () => refuse(new Problem('malformed-request', 'The body did not arrive whole.'));
      const incoming: Incoming = { bytes: 0, refuse };
      this.#incoming.add(incoming);
      payload.on('data', take).once('end', finish).once('error', breakOff).once('close', breakOff);
    });
  }

  #makeRoom(latest: Incoming): void {
    for (const longest of this.#incoming) {
      // One alone may be larger.
      if (this.#bytes <= this.#limitBytes || longest === latest) return;
      longest.refuse(
        new Problem('too-many-uploads', 'Too many request bodies are on their way, and this one was slow.', {
          retryAfter: roomRetryAfter,
          headers: { Connection: 'close' },
        }),
      );
    }
  }
}
