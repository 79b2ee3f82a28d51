/** Each new span counts for an eighth, as in TCP's estimate of the round-trip time (RFC 6298). */
const weight = 1 / 8;

/** The exponentially weighted mean of spans, in milliseconds. */
export class MeanTime {
  #mean: number | null = null;

  /** Null: there was none yet. */
  get mean(): number | null {
    return this.#mean;
  }

  add(milliseconds: number): void {
    this.#mean = this.#mean === null ? milliseconds : this.#mean + (milliseconds - this.#mean) * weight;
  }
}
