import { StringDecoder } from 'node:string_decoder';

/** Room behind the limit, so that not each write moves what is kept. */
const slackBytes = 128 * 1024;
const smallestBytes = 4_096;

/** The last bytes of an output without end, as text (ACP, "Terminals"). Its memory is bounded, however small the pieces are. */
export class TerminalOutput {
  #bytes = Buffer.alloc(0);
  #length = 0;
  #isTruncated = false;

  constructor(private readonly limitBytes: number) {}

  /** True once something was cut off at the beginning. */
  get isTruncated(): boolean {
    return this.#isTruncated;
  }

  write(bytes: Buffer): void {
    const kept = bytes.subarray(Math.max(0, bytes.length - this.limitBytes));
    this.#isTruncated ||= this.#length + bytes.length > this.limitBytes;
    if (this.#length + kept.length > this.#bytes.length) this.#makeRoom(kept.length);
    kept.copy(this.#bytes, this.#length);
    this.#length += kept.length;
  }

  /** The text, which begins and ends with a whole character. `limitBytes` bounds it in UTF-8 as well. */
  read(): { readonly output: string; readonly truncated: boolean } {
    const bytes = this.#bytes.subarray(Math.max(0, this.#length - this.limitBytes), this.#length);
    // The rest of its last character may not have come yet.
    const text = new StringDecoder('utf8').write(this.#isTruncated ? wholeCharacters(bytes) : bytes);
    // Each byte that is no UTF-8 becomes a character of three.
    const encoded = Buffer.from(text);
    if (encoded.length <= this.limitBytes) return { output: text, truncated: this.#isTruncated };
    const cut = wholeCharacters(encoded.subarray(encoded.length - this.limitBytes));
    return { output: cut.toString('utf8'), truncated: true };
  }

  #makeRoom(neededBytes: number): void {
    const stayBytes = Math.min(this.#length, this.limitBytes - neededBytes);
    const capacity = Math.min(
      this.limitBytes + slackBytes,
      Math.max(2 * (stayBytes + neededBytes), smallestBytes),
    );
    const room = capacity > this.#bytes.length ? Buffer.allocUnsafeSlow(capacity) : this.#bytes;
    this.#bytes.copy(room, 0, this.#length - stayBytes, this.#length);
    this.#bytes = room;
    this.#length = stayBytes;
  }
}

/** Leaves out the end of a character at the beginning (RFC 3629): up to three bytes. */
function wholeCharacters(bytes: Buffer): Buffer {
  let from = 0;
  while (from < 3 && ((bytes[from] ?? 0) & 0xc0) === 0x80) from += 1;
  return bytes.subarray(from);
}
