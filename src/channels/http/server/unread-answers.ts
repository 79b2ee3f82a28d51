import type { Socket } from 'node:net';
import type { Log } from '../../../log/log.js';

/** Bytes of answers that wait in this process for clients who do not read them, over all connections. */
export const unreadLimitBytes = 64 * 1024 ** 2;

/**
 * Bounds the memory of answers that their clients do not read. Each connection has one at most, and a time; many large
 * ones would still be too much. Then those that have waited longest are closed.
 */
export class UnreadAnswers {
  readonly #limitBytes: number;
  readonly #log: Pick<Log, 'warning'>;
  /** In the order of their wait; the longest is first. */
  readonly #waiting = new Set<Socket>();

  constructor(limitBytes: number, log: Pick<Log, 'warning'>) {
    this.#limitBytes = limitBytes;
    this.#log = log;
  }

  /** To be called when something of an answer had to wait. */
  note(socket: Socket): void {
    if (!socket.writableNeedDrain) return;
    if (!this.#waiting.has(socket)) this.#add(socket);
    let bytes = 0;
    for (const { writableLength } of this.#waiting) bytes += writableLength;
    for (const longest of this.#waiting) {
      // One alone may be larger.
      if (bytes <= this.#limitBytes || longest === socket) return;
      bytes -= longest.writableLength;
      this.#log.warning(
        `Closed a connection whose client did not read its answer, ${longest.writableLength} bytes: in all more than ${this.#limitBytes} bytes waited for such clients.`,
      );
      this.#waiting.delete(longest);
      longest.destroy();
    }
  }

  #add(socket: Socket): void {
    this.#waiting.add(socket);
    const remove = () => {
      this.#waiting.delete(socket);
      socket.off('drain', remove).off('close', remove);
    };
    socket.once('drain', remove).once('close', remove);
  }
}
