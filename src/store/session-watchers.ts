/** Functions of this process to be called when something of a session may have changed. */
export class SessionWatchers {
  readonly #bySession = new Map<string, Set<() => void>>();
  readonly #told = new Set<string>();

  watch(session: string, changed: () => void): () => void {
    const watchers = this.#bySession.get(session) ?? new Set();
    this.#bySession.set(session, watchers);
    // The same function may be given twice.
    const watcher = () => changed();
    watchers.add(watcher);
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0 && this.#bySession.get(session) === watchers) this.#bySession.delete(session);
    };
  }

  /** Tells those who watch the session, once for all that comes in this round of the event loop. */
  changed(session: string): void {
    if (this.#told.has(session) || !this.#bySession.has(session)) return;
    this.#told.add(session);
    setImmediate(() => {
      this.#told.delete(session);
      for (const watcher of [...(this.#bySession.get(session) ?? [])]) watcher();
    });
  }
}
