import { longestLineBytes } from './protocol.js';

const lineFeed = 0x0a;

/** A line of a program. One that was too long has no text: it was left out as it came, and the next one is taken again. */
export type WrittenLine = { readonly text: string } | { readonly text: null; readonly sizeBytes: number };

/** Cuts what a program writes into lines. It holds one line at most. */
export class ProgramLines {
  #begun: Buffer[] = [];
  #begunBytes = 0;

  constructor(private readonly limitBytes: number = longestLineBytes) {}

  /** Gives the lines that are whole now, but for empty ones. */
  push(bytes: Buffer): readonly WrittenLine[] {
    const lines: WrittenLine[] = [];
    let from = 0;
    for (let end = bytes.indexOf(lineFeed); end !== -1; end = bytes.indexOf(lineFeed, from)) {
      this.#add(bytes.subarray(from, end));
      const line = this.#take();
      if (line.text?.trim() !== '') lines.push(line);
      from = end + 1;
    }
    if (from < bytes.length) this.#add(bytes.subarray(from));
    return lines;
  }

  #add(bytes: Buffer): void {
    this.#begunBytes += bytes.length;
    if (this.#begunBytes > this.limitBytes) this.#begun = [];
    else this.#begun.push(bytes);
  }

  #take(): WrittenLine {
    const sizeBytes = this.#begunBytes;
    const isTooLong = sizeBytes > this.limitBytes;
    const text = isTooLong ? null : Buffer.concat(this.#begun, sizeBytes).toString('utf8');
    this.#begun = [];
    this.#begunBytes = 0;
    return text === null ? { text, sizeBytes } : { text };
  }
}
