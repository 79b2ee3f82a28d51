import type { Socket } from 'node:net';
import { paceReads } from '../../lifecycle/effects/paced-socket.js';

/** The connection has ended before the expected bytes came. */
export class InputEndedError extends Error {
  constructor() {
    super('the connection has ended');
    this.name = 'InputEndedError';
  }
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const dot = 0x2e;
/** A line of the mail that is longer is read in pieces of this size. */
const pieceBytes = 64 * 1024;
/** Bytes that are read in one turn of the event loop. They may be thousands of lines. */
const bytesOfTurn = 8 * 1024;

/** Reads commands and mails from a connection, no more than is asked for. */
export class LmtpInput {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);
  /** Called when bytes have come. */
  arrived: () => void = () => {};

  /** To be made before the socket's first byte is read. */
  constructor(socket: Socket) {
    paceReads(socket, bytesOfTurn);
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** Gives a command without its line end; null: it is longer than the limit, and was left out. */
  async command(limitBytes: number): Promise<string | null> {
    let isTooLong = false;
    for (;;) {
      const { piece, isLine } = await this.#next(limitBytes);
      isTooLong ||= !isLine;
      if (isLine) return isTooLong ? null : piece.toString('latin1').replace(/\r?\n$/, '');
    }
  }

  /**
   * Reads a mail up to the line with a dot alone (RFC 5321, section 4.1.1.4), which ends in CR and LF, as does the line
   * before it: anything else is part of the mail. `take` is given its pieces.
   */
  async mail(take: (piece: Buffer) => void): Promise<void> {
    let isLineBegin = true;
    for (;;) {
      if (this.#rest.length === 0) await this.#more();
      const isDotted = isLineBegin && this.#rest[0] === dot;
      const piece = isDotted ? (await this.#next(pieceBytes)).piece : await this.#lines();
      if (isDotted && piece.length === 3 && endsInCrLf(piece)) return;
      take(isDotted ? piece.subarray(1) : piece);
      isLineBegin = endsInCrLf(piece);
    }
  }

  /** Gives bytes up to a line that begins with a dot. A CR and its LF stay together. */
  async #lines(): Promise<Buffer> {
    for (;;) {
      const found = this.#rest.indexOf('\n.');
      const end =
        found === -1 ? this.#rest.length - (this.#rest.at(-1) === carriageReturn ? 1 : 0) : found + 1;
      if (end > 0) return this.#taken(end);
      await this.#more();
    }
  }

  /** Gives the bytes up to the next line feed with it, or so many without one. */
  async #next(limitBytes: number): Promise<{ readonly piece: Buffer; readonly isLine: boolean }> {
    for (;;) {
      const found = this.#rest.indexOf(lineFeed);
      const isLine = found !== -1 && found < limitBytes;
      if (isLine || this.#rest.length >= limitBytes) {
        const end = isLine ? found + 1 : limitBytes - (this.#rest[limitBytes - 1] === carriageReturn ? 1 : 0);
        return { piece: this.#taken(end), isLine };
      }
      await this.#more();
    }
  }

  #taken(end: number): Buffer {
    const piece = this.#rest.subarray(0, end);
    this.#rest = this.#rest.subarray(end);
    return piece;
  }

  async #more(): Promise<void> {
    const { done, value } = await this.#chunks.next();
    if (done === true) throw new InputEndedError();
    this.arrived();
    this.#rest = this.#rest.length === 0 ? value : Buffer.concat([this.#rest, value]);
  }
}

function endsInCrLf(piece: Buffer): boolean {
  return piece.at(-1) === lineFeed && piece.at(-2) === carriageReturn;
}
