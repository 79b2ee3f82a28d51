import { StringDecoder } from 'node:string_decoder';
import { stripVTControlCharacters } from 'node:util';

/** Longest line that is logged in one record, in characters; a longer one is cut into several. */
const longestLine = 4_096;
/** Lines of one turn that are logged; a command that writes without end must not drown the journal. */
const mostLines = 1_000;
/** Characters of the end that go into the turn's error. */
const tailLength = 1_000;

/** Takes what a terminal or a log would act on out of a line: escape sequences, and control characters but the tab. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/(?!\t)\p{Cc}/gu, '\ufffd');
}

/** Cuts the standard error of a command into lines, and keeps its end for the turn's error. */
export class StandardError {
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';
  #lines = 0;
  #tail: string[] = [];
  #tailLength = 0;

  constructor(private readonly onLine: (line: string) => void) {}

  write(chunk: Buffer): void {
    this.#take(this.#decoder.write(chunk));
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
    return this.#tail.join('\n').slice(-tailLength);
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
      const line = printable(raw.slice(start, start + longestLine).replace(/\r$/, ''));
      if (line.trim() === '') continue;
      this.#lines += 1;
      if (this.#lines <= mostLines) this.onLine(line);
      this.#tail.push(line);
      this.#tailLength += line.length + 1;
      while (this.#tail.length > 1 && this.#tailLength - (this.#tail[0] ?? '').length > tailLength) {
        this.#tailLength -= (this.#tail.shift() ?? '').length + 1;
      }
    }
  }
}
