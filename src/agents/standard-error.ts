import { StringDecoder } from 'node:string_decoder';
import { stripVTControlCharacters } from 'node:util';

/** Longest line that is logged in one record, in characters; a longer one is cut into several. */
const longestLine = 4_096;
/** Lines of one turn that are logged; a command that writes without end must not drown the journal. */
const mostLines = 1_000;
/** Lines that are logged at once. */
const linesAtOnce = 50;
/** Characters of the end that go into the turn's error, and the most bytes that they have. */
const tailLength = 1_000;
const endBytes = 4 * tailLength;

/**
 * Time between two reads of standard error once its lines are only counted, in milliseconds. A program that writes without
 * end is not worth the processor's time.
 */
export const pauseWhenFullMs = 5;

const lineFeed = 0x0a;

/** Takes what a terminal or a log would act on out of a line: escape sequences, and control characters but the tab. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/(?!\t)\p{Cc}/gu, '\ufffd');
}

/** Cuts the standard error of a command into lines, and keeps its end for the turn's error. */
export class StandardError {
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';
  /** Counts the empty lines too, which are not logged. */
  #lines = 0;
  /** The last bytes. */
  #end = Buffer.alloc(0);

  constructor(private readonly onLine: (line: string) => void) {}

  /** True once further lines are only counted. */
  get isFull(): boolean {
    return this.#lines >= mostLines;
  }

  /** Takes so much as is quickly done; gives how many bytes that is. */
  write(bytes: Buffer): number {
    const taken = this.isFull ? bytes : bytes.subarray(0, lengthAtOnce(bytes));
    if (this.isFull) this.#count(taken);
    else this.#take(this.#decoder.write(taken));
    this.#end = Buffer.concat([this.#end, taken.subarray(-endBytes)]).subarray(-endBytes);
    return taken.length;
  }

  /** Hands out the last line, if no line feed ended it, and says how many were left out. */
  end(): void {
    this.#take(this.#decoder.end());
    if (this.#rest !== '') this.#line(this.#rest);
    this.#rest = '';
    if (this.#lines > mostLines) {
      this.onLine(`(${this.#lines - mostLines} more lines on standard error, not logged)`);
    }
  }

  /** The last lines, at most about a thousand characters of them. */
  tail(): string {
    const lines = this.#end.toString('utf8').split('\n').map(printable);
    return lines
      .filter((line) => line.trim() !== '')
      .join('\n')
      .slice(-tailLength);
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line);
    while (this.#rest.length > longestLine) {
      this.#line(this.#rest.slice(0, longestLine));
      this.#rest = this.#rest.slice(longestLine);
    }
  }

  #line(raw: string): void {
    for (let start = 0; start === 0 || start < raw.length; start += longestLine) {
      this.#lines += 1;
      const line = printable(raw.slice(start, start + longestLine).replace(/\r$/, ''));
      if (this.#lines <= mostLines && line.trim() !== '') this.onLine(line);
    }
  }

  #count(bytes: Buffer): void {
    // By its index, which is fast: there may be gigabytes.
    for (let index = 0; index < bytes.length; index++) if (bytes[index] === lineFeed) this.#lines += 1;
    this.#rest = bytes.at(-1) === lineFeed ? '' : 'a line that has begun';
  }
}

/** The length of the first lines, which are as many as are logged at once. */
function lengthAtOnce(bytes: Buffer): number {
  let length = 0;
  for (let lines = 0; lines < linesAtOnce && length < bytes.length; lines++) {
    const feed = bytes.indexOf(lineFeed, length);
    length = feed === -1 ? bytes.length : feed + 1;
  }
  return length;
}
