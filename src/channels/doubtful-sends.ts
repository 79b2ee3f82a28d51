import type { SendOutcome } from './reply-sender.js';

/** Sends that are remembered at once. */
const mostSends = 1_000;

/** Sends whose last attempt may have arrived, among those of this process. */
export class DoubtfulSends {
  readonly #keys = new Set<string>();

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /** Takes how the send has ended. One that failed before it went out is as doubtful as before. */
  note(key: string, outcome: SendOutcome): void {
    const isDoubtful = 'inDoubt' in outcome && outcome.inDoubt === true;
    const wasDoubtful = outcome.kind === 'retry' && this.#keys.has(key);
    this.#keys.delete(key);
    if (!isDoubtful && !wasDoubtful) return;
    this.#keys.add(key);
    const [oldest] = this.#keys;
    if (this.#keys.size > mostSends && oldest !== undefined) this.#keys.delete(oldest);
  }
}
