/**
 * Tells who waits for a message that it has changed. It knows of this process's changes only: another gateway on the
 * same store may run the session, so that a waiter reads the store now and then as well.
 */
export class MessageEvents {
  readonly #listeners = new Map<string, Set<() => void>>();

  /** Calls `listener` after each change of the message until the returned function is called. */
  subscribe(messageId: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(messageId) ?? new Set();
    this.#listeners.set(messageId, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(messageId) === listeners) {
        this.#listeners.delete(messageId);
      }
    };
  }

  /** The message has changed, and the change is on disk. */
  emit(messageId: string): void {
    const listeners = this.#listeners.get(messageId);
    if (listeners === undefined) return;
    for (const listener of [...listeners]) listener();
  }

  /** Messages that somebody waits for. */
  get watched(): number {
    return this.#listeners.size;
  }
}
