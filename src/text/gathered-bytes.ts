/** Shortest chunk that is kept as it came, and the longest buffer that shorter ones are copied to, in bytes. */
const leastKeptBytes = 4_096;
const largestCopyBytes = 65_536;

/**
 * Gathers bytes that come in chunks, in about as much memory as they have. Somebody may send them one by one, and a Buffer
 * takes some hundred bytes beside its content: short chunks are copied together.
 */
export class GatheredBytes {
  #parts: Uint8Array[] = [];
  /** The last part, if there is room behind its first `#copiedBytes`. */
  #copy: Buffer | null = null;
  #copiedBytes = 0;
  #sizeBytes = 0;

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Keeps the chunk, or a copy of it: its bytes must not be changed afterwards. */
  add(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    // Mostly the first one is the only one.
    if (chunk.length >= leastKeptBytes || this.#parts.length === 0) {
      this.#endCopy();
      this.#parts.push(chunk);
    } else this.#copyIn(chunk);
    this.#sizeBytes += chunk.length;
  }

  /** Gives all of them, and begins anew. */
  take(): Buffer {
    this.#endCopy();
    const [only] = this.#parts;
    const bytes =
      only !== undefined && this.#parts.length === 1
        ? Buffer.from(only.buffer, only.byteOffset, only.length)
        : Buffer.concat(this.#parts, this.#sizeBytes);
    this.clear();
    return bytes;
  }

  clear(): void {
    this.#parts = [];
    this.#copy = null;
    this.#copiedBytes = 0;
    this.#sizeBytes = 0;
  }

  #copyIn(chunk: Uint8Array): void {
    let rest = chunk;
    while (rest.length > 0) {
      const copy = this.#roomy();
      const taken = rest.subarray(0, copy.length - this.#copiedBytes);
      copy.set(taken, this.#copiedBytes);
      this.#copiedBytes += taken.length;
      rest = rest.subarray(taken.length);
    }
  }

  /** A buffer with room: the present one, or one twice as large as that was. */
  #roomy(): Buffer {
    if (this.#copy !== null && this.#copiedBytes < this.#copy.length) return this.#copy;
    const sizeBytes = Math.min((this.#copy?.length ?? 128) * 2, largestCopyBytes);
    this.#endCopy();
    this.#copy = Buffer.allocUnsafeSlow(sizeBytes);
    return this.#copy;
  }

  #endCopy(): void {
    if (this.#copy !== null) this.#parts.push(this.#copy.subarray(0, this.#copiedBytes));
    this.#copy = null;
    this.#copiedBytes = 0;
  }
}

/** Reads bytes to their end. Null: there are more than so many, and no more of them is read. */
export async function gatheredFrom(
  chunks: AsyncIterable<Uint8Array>,
  limitBytes: number,
): Promise<Buffer | null> {
  const gathered = new GatheredBytes();
  for await (const chunk of chunks) {
    gathered.add(chunk);
    if (gathered.sizeBytes > limitBytes) return null;
  }
  return gathered.take();
}
