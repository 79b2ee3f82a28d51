import type { Socket } from 'node:net';

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

/** Reads commands and mails from a connection, no more than is asked for. */
export class LmtpInput {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);
  /** Called when bytes have come. */
  arrived: () => void = () => {};

  constructor(socket: Socket) {
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
      const { piece } = await this.#next(pieceBytes);
      const isDotted = isLineBegin && piece[0] === dot;
      if (isDotted && piece.length === 3 && endsInCrLf(piece)) return;
      take(isDotted ? piece.subarray(1) : piece);
      isLineBegin = endsInCrLf(piece);
    }
  }

  /** Gives the bytes up to the next line feed with it, or so many without one. */
  async #next(limitBytes: number): Promise<{ readonly piece: Buffer; readonly isLine: boolean }> {
    for (;;) {
      const found = this.#rest.indexOf(lineFeed);
      const isLine = found !== -1 && found < limitBytes;
      if (isLine || this.#rest.length >= limitBytes) {
        const end = isLine ? found + 1 : limitBytes - (this.#rest[limitBytes - 1] === carriageReturn ? 1 : 0);
        const piece = this.#rest.subarray(0, end);
        this.#rest = this.#rest.subarray(end);
        return { piece, isLine };
      }
      const { done, value } = await this.#chunks.next();
      if (done === true) throw new InputEndedError();
      this.arrived();
      this.#rest = this.#rest.length === 0 ? value : Buffer.concat([this.#rest, value]);
    }
  }
}

function endsInCrLf(piece: Buffer): boolean {
  return piece.at(-1) === lineFeed && piece.at(-2) === carriageReturn;
}
