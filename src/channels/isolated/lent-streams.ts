import { Buffer } from 'node:buffer';
import type { FileContent } from '../../store/new-attachments.js';

/** Files cross between the processes in pieces of this size at most, each as it is asked for. */
const pieceBytes = 262_144;
/** Files that one side may have open at the other. */
const mostLent = 256;

/** A piece in base64; null: there is no other one. */
export type LentPiece = { readonly bytes: string } | null;

/** The files of this process that the other one reads. */
export class LentStreams {
  readonly #pieces = new Map<number, AsyncIterator<Buffer>>();
  #numbers = 0;

  /** Gives the number by which the other side asks for the pieces. */
  lend(content: FileContent): number {
    if (this.#pieces.size >= mostLent) throw new Error(`more than ${mostLent} files are read at once`);
    const number = ++this.#numbers;
    this.#pieces.set(number, inPieces(content));
    return number;
  }

  async next(number: number): Promise<LentPiece> {
    const pieces = this.#pieces.get(number);
    if (pieces === undefined) throw new Error('the file is no longer open');
    try {
      const { done = false, value } = await pieces.next();
      if (!done) return { bytes: value.toString('base64') };
    } catch (error) {
      this.#pieces.delete(number);
      throw error;
    }
    this.#pieces.delete(number);
    return null;
  }

  /** Nobody reads the rest. */
  drop(number: number): void {
    const pieces = this.#pieces.get(number);
    this.#pieces.delete(number);
    void pieces?.return?.().catch(() => undefined);
  }

  dropAll(): void {
    for (const number of [...this.#pieces.keys()]) this.drop(number);
  }
}

/** Reads a file of the other process. */
export async function* borrowed(
  number: number,
  owner: {
    readonly next: (number: number) => Promise<LentPiece>;
    readonly drop: (number: number) => void;
  },
): AsyncGenerator<Uint8Array> {
  let isOver = false;
  try {
    for (;;) {
      const piece = await owner.next(number);
      isOver = piece === null;
      if (piece === null) return;
      yield Buffer.from(piece.bytes, 'base64');
    }
  } finally {
    if (!isOver) owner.drop(number);
  }
}

async function* inPieces(content: FileContent): AsyncGenerator<Buffer> {
  for await (const chunk of content) {
    for (let from = 0; from < chunk.length; from += pieceBytes) {
      const piece = chunk.subarray(from, from + pieceBytes);
      yield Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    }
  }
}
