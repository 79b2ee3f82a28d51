/**
 * Longest line that an agent may write, in bytes. Real agents wrote up to 560,000; a picture that a tool returns has a few
 * megabytes.
 */
export const longestFrameBytes = 8 * 1024 ** 2;

const lineFeed = 0x0a;

/**
 * Cuts what an agent writes into lines, one JSON object each (ACP, "Transports"). It holds one line at most. The SDK's own
 * framing has a limit too, but takes in lines faster than they are read, and answers each that is no JSON.
 */
export class FrameSplitter {
  #begun: Buffer[] = [];
  #begunBytes = 0;

  constructor(private readonly limitBytes: number = longestFrameBytes) {}

  /** Gives the lines that are whole now. Throws a RangeError once one is longer than the limit. */
  push(bytes: Buffer): readonly string[] {
    const lines: string[] = [];
    let from = 0;
    for (let end = bytes.indexOf(lineFeed); end !== -1; end = bytes.indexOf(lineFeed, from)) {
      this.#add(bytes.subarray(from, end));
      lines.push(Buffer.concat(this.#begun, this.#begunBytes).toString('utf8'));
      this.#clear();
      from = end + 1;
    }
    if (from < bytes.length) this.#add(bytes.subarray(from));
    return lines;
  }

  #add(bytes: Buffer): void {
    if (this.#begunBytes + bytes.length > this.limitBytes) {
      this.#clear();
      throw new RangeError(`a line is longer than ${this.limitBytes} bytes`);
    }
    this.#begun.push(bytes);
    this.#begunBytes += bytes.length;
  }

  #clear(): void {
    this.#begun = [];
    this.#begunBytes = 0;
  }
}
