/** Bytes of one side that belong together. */
export interface Part {
  /** The step of the protocol that it is, or that it answers; null: none that has a name. */
  readonly step: string | null;
  readonly bytes: Buffer;
}

/** Takes what both sides of one connection say apart. A part is given once it is whole. */
export interface Dialect {
  fromClient(chunk: Buffer): readonly Part[];
  fromServer(chunk: Buffer): readonly Part[];
}

/** Bytes that are taken from the front, once there are enough. */
export class Bytes {
  #rest: Buffer = Buffer.alloc(0);

  add(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
  }

  /** Gives the bytes up to the mark and with it; null: it has not come. */
  upTo(mark: string): Buffer | null {
    const at = this.#rest.indexOf(mark);
    return at === -1 ? null : this.take(at + mark.length);
  }

  take(count: number): Buffer | null {
    if (this.#rest.length < count) return null;
    const taken = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return taken;
  }

  startsWith(text: string): boolean {
    return this.#rest.subarray(0, text.length).equals(Buffer.from(text));
  }
}
