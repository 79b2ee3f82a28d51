/** So many names that came from outside at most: the oldest gives way to the newest. */
export class RecentNames {
  readonly #names = new Set<string>();

  constructor(readonly most: number) {}

  add(name: string): void {
    this.#names.delete(name);
    this.#names.add(name);
    for (const oldest of this.#names) {
      if (this.#names.size <= this.most) break;
      this.#names.delete(oldest);
    }
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** True if it was there. */
  delete(name: string): boolean {
    return this.#names.delete(name);
  }

  clear(): void {
    this.#names.clear();
  }
}
