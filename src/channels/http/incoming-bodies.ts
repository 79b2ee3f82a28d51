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
 * Reads bodies within a limit for all of them together, which holds until they are worked up. If they are more, the one that
 * has been under way longest gives way: a caller who sends slowly can't keep the others out.
 */
export class IncomingBodies {
  readonly #limitBytes: number;
  /** In the order of their beginnings. */
  readonly #incoming = new Set<Incoming>();
  /** Those that are here whole, and are worked up. */
  readonly #whole = new Set<Incoming>();
  #bytes = 0;

  /** @param limitBytes for all of them but the largest one, which has room in any case */
  constructor(limitBytes: number = incomingLimitBytes) {
    this.#limitBytes = limitBytes;
  }

  /**
   * Reads a whole body and has it worked up. Its bytes count until that has ended.
   *
   * @param tooLarge answers a body of more than `limitBytes`
   * @throws Problem, and what `work` throws
   */
  async use<Result>(
    payload: Readable,
    limitBytes: number,
    tooLarge: () => Problem,
    work: (body: Buffer) => Result | Promise<Result>,
  ): Promise<Result> {
    const { body, incoming } = await this.#read(payload, limitBytes, tooLarge);
    try {
      return await work(body);
    } finally {
      this.#whole.delete(incoming);
      this.#bytes -= incoming.bytes;
    }
  }

  #read(
    payload: Readable,
    limitBytes: number,
    tooLarge: () => Problem,
  ): Promise<{ readonly body: Buffer; readonly incoming: Incoming }> {
    return new Promise((resolve, reject) => {
      const gathered = new GatheredBytes();
      const end = () => {
        this.#incoming.delete(incoming);
        payload.off('data', take).off('end', finish).off('error', breakOff).off('close', breakOff);
      };
      const refuse = (problem: Problem) => {
        end();
        this.#bytes -= incoming.bytes;
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
        this.#whole.add(incoming);
        resolve({ body: gathered.take(), incoming });
      };
      const breakOff = () => refuse(new Problem('malformed-request', 'The body did not arrive whole.'));
      const incoming: Incoming = { bytes: 0, refuse };
      this.#incoming.add(incoming);
      if (payload.destroyed) {
        breakOff();
        return;
      }
      payload.on('data', take).once('end', finish).once('error', breakOff).once('close', breakOff);
    });
  }

  #makeRoom(latest: Incoming): void {
    for (const longest of this.#incoming) {
      if (this.#hasRoom()) return;
      if (longest !== latest) longest.refuse(noRoom('this one was slow'));
    }
    if (!this.#hasRoom()) latest.refuse(noRoom('those before it are still worked up'));
  }

  #hasRoom(): boolean {
    if (this.#bytes <= this.#limitBytes) return true;
    let largestBytes = 0;
    for (const bodies of [this.#incoming, this.#whole]) {
      for (const { bytes } of bodies) largestBytes = Math.max(largestBytes, bytes);
    }
    return this.#bytes - largestBytes <= this.#limitBytes;
  }
}

function noRoom(reason: string): Problem {
  return new Problem('too-many-uploads', `Too many request bodies are on their way, and ${reason}.`, {
    retryAfter: roomRetryAfter,
    headers: { Connection: 'close' },
  });
}
