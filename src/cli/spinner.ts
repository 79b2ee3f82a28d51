import type { Terminal } from './terminal.js';
import { printable } from './terminal.js';

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const frameInterval = 100;
/** Without a terminal a text that goes on changing, such as a count of seconds, is written this often, in ms. */
const lineInterval = 10_000;

/** The text cut to the columns. */
export function cut(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`;
}

/**
 * Shows what is being waited for: on a terminal one line that moves, elsewhere a line at the first text and then now
 * and then, so that a log isn't flooded.
 */
export class Spinner {
  readonly #stream: NodeJS.WriteStream;
  readonly #terminal: Terminal;
  readonly #now: () => number;
  #text = '';
  #frame = 0;
  #timer: NodeJS.Timeout | null = null;
  #writtenAt: number | null = null;

  constructor(stream: NodeJS.WriteStream, terminal: Terminal, now: () => number = () => performance.now()) {
    this.#stream = stream;
    this.#terminal = terminal;
    this.#now = now;
  }

  show(text: string): void {
    if (text === this.#text) return;
    this.#text = text;
    if (this.#terminal.isTerminal) {
      this.#draw();
      this.#timer ??= setInterval(() => this.#draw(), frameInterval).unref();
      return;
    }
    const now = this.#now();
    if (this.#writtenAt !== null && now - this.#writtenAt < lineInterval) return;
    this.#writtenAt = now;
    this.#stream.write(`${printable(text)}\n`);
  }

  /** Leaves nothing on the terminal. */
  stop(): void {
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    this.#stream.write('\r\u001b[K');
  }

  #draw(): void {
    this.#frame = (this.#frame + 1) % frames.length;
    const text = cut(printable(this.#text).replaceAll('\n', ' '), this.#terminal.width - 3);
    this.#stream.write(`\r\u001b[K${this.#terminal.paint('cyan', frames[this.#frame] ?? '')} ${text}`);
  }
}
