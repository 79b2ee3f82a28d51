import { GatheredBytes } from './gathered-bytes.js';

const lineFeed = 0x0a;

/** A line without its line feed. One that is longer than the limit has no text: nothing of it was kept. */
export type ByteLine = { readonly text: string } | { readonly text: null; readonly sizeBytes: number };

/** Cuts bytes that come in chunks into lines of UTF-8, and holds one line at most. */
export class ByteLines {
  readonly #begun = new GatheredBytes();
  /** Counts what is left out, too. */
  #begunBytes = 0;

  constructor(private readonly limitBytes: number) {}

  /** True if the line that has begun is longer than the limit already. */
  get isTooLong(): boolean {
    return this.#begunBytes > this.limitBytes;
  }

  /** Gives the lines that are whole now. The one behind a line that is too long is taken again. */
  push(bytes: Buffer): readonly ByteLine[] {
    const lines: ByteLine[] = [];
    let from = 0;
    for (let end = bytes.indexOf(lineFeed); end !== -1; end = bytes.indexOf(lineFeed, from)) {
      this.#add(bytes.subarray(from, end));
      lines.push(this.#take());
      from = end + 1;
    }
    if (from < bytes.length) this.#add(bytes.subarray(from));
    return lines;
  }

  #add(bytes: Buffer): void {
    this.#begunBytes += bytes.length;
    if (this.isTooLong) this.#begun.clear();
    else this.#begun.add(bytes);
  }

  #take(): ByteLine {
    const sizeBytes = this.#begunBytes;
    const line: ByteLine = this.isTooLong
      ? { text: null, sizeBytes }
      : { text: this.#begun.take().toString('utf8') };
    this.#begunBytes = 0;
    return line;
  }
}
