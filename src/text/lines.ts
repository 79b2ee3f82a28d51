import { GatheredBytes } from './gathered-bytes.js';

/** A line is no UTF-8. */
export class EncodingError extends Error {
  constructor(line: number, options: ErrorOptions) {
    super(`line ${line}: it is no UTF-8`, options);
    this.name = 'EncodingError';
  }
}

const lineFeed = 0x0a;

/**
 * The lines of a text's bytes (UTF-8). They end at line feeds alone: readline, since Node 24, takes U+2028 and U+2029 for
 * ends as well, and JSON may have these within a text (https://github.com/nodejs/node/issues/57591). Bytes that are no
 * UTF-8 become U+FFFD or, with `fatal`, are an EncodingError.
 */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  { fatal = false }: { readonly fatal?: boolean } = {},
): AsyncGenerator<string> {
  // A byte order mark is none of the text where that begins, and a character like any other behind that.
  const first = new TextDecoder('utf-8', { fatal });
  const later = new TextDecoder('utf-8', { fatal, ignoreBOM: true });
  const begun = new GatheredBytes();
  let number = 0;
  const finish = (rest: Uint8Array): string => {
    begun.add(rest);
    const bytes = begun.take();
    number += 1;
    try {
      return (number === 1 ? first : later).decode(bytes);
    } catch (cause) {
      throw new EncodingError(number, { cause });
    }
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(lineFeed); end !== -1; end = chunk.indexOf(lineFeed, from)) {
      yield finish(chunk.subarray(from, end));
      from = end + 1;
    }
    begun.add(chunk.subarray(from));
  }
  if (begun.sizeBytes > 0) yield finish(new Uint8Array());
}

/** Pieces of a line that are kept as they came: each may be one character. */
const mostPieces = 1_024;

/** Cuts text that comes in chunks into lines, as a protocol of lines wants them. */
export class LineSplitter {
  /** The line that has begun, which is looked at once it is whole. Its newest pieces may be short. */
  #begun: string[] = [];
  #newest: string[] = [];
  #begunCharacters = 0;

  constructor(private readonly limitCharacters: number) {}

  /** Gives the lines that are whole now. Throws a RangeError once one is longer than the limit. */
  push(chunk: string): readonly string[] {
    const lines = chunk.split('\n');
    const rest = lines.pop() ?? '';
    const [first] = lines;
    if (first !== undefined) lines[0] = this.#whole(first);
    this.#begin(rest);
    if (this.#begunCharacters > this.limitCharacters) {
      throw new RangeError(`a line is longer than ${this.limitCharacters} characters`);
    }
    return lines;
  }

  #begin(piece: string): void {
    if (piece === '') return;
    this.#begunCharacters += piece.length;
    this.#newest.push(piece);
    if (this.#newest.length < mostPieces) return;
    this.#begun.push(this.#newest.join(''));
    this.#newest = [];
  }

  #whole(end: string): string {
    if (this.#begunCharacters === 0) return end;
    const line = [...this.#begun, ...this.#newest, end].join('');
    this.#begun = [];
    this.#newest = [];
    this.#begunCharacters = 0;
    return line;
  }
}
