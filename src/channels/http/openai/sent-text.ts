import { createHash, hash } from 'node:crypto';

/** The text that a client was sent so far, as far as it takes to compare it with another. */
export class SentText {
  #hash = createHash('sha256');
  #length = 0;

  /** In UTF-16 units. */
  get length(): number {
    return this.#length;
  }

  /** No half of a character (UTF-16) may be at its ends. */
  add(text: string): void {
    this.#hash.update(text);
    this.#length += text.length;
  }

  /** The rest of a text that begins with what was sent, but for white space at its end; null: it begins otherwise. */
  restOf(text: string): string | null {
    if (this.#length === 0) return text;
    // Agents leave out a line end of their output.
    const padded = text.length < this.#length ? null : text.slice(0, this.#length);
    const digest = this.#hash.copy().digest('hex');
    if (padded !== null && hash('sha256', padded) === digest) return text.slice(this.#length);
    const endings = ['\n', '\r\n', ' '];
    return endings.some((ending) => hash('sha256', text + ending) === digest) ? '' : null;
  }
}
