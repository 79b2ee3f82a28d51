import type { MessageChange, MessageProgress } from '../channels/surroundings.js';
import type { Sender } from '../lifecycle/stop-cause.js';
import type { MessageState } from '../store/messages.js';
import type { OpenStore, Recovery } from '../store/open-store.js';

/** Events that the opened parts of a gateway tell its service. None may throw. */
export interface GatewayEvents {
  /** A step of the start, such as "opening the store". */
  startStep(step: string): void;
  /** Work has come, moved on or gone, or something else that the status line shows is different. */
  changed(): void;
  /** Something failed with nobody left to take the exception. */
  crashed(error: unknown): void;
  stopRequested(cause: 'planned-stop' | 'restart', sender: Sender): void;
  reloadRequested(sender: Sender): void;
  /** The store is being opened; calls to it wait for that. Rejects as `opened` does. */
  storeOpens(store: OpenStore, opened: Promise<Recovery>): Promise<void>;
  /** Everything opened after the store is closed: the last moment for a write. */
  storeCloses(): Promise<void>;
}

/**
 * Tells those who wait for a message, or follow a session, that something has changed. It knows only of changes by this
 * process. Another gateway on the same store may run the session, so a waiter also reads the store now and then.
 */
export class MessageEvents {
  readonly #ofMessages = new Listeners<void>();
  readonly #ofSessions = new Listeners<MessageChange>();

  /** Calls `listener` after each change of the message until the returned function is called. */
  subscribe(messageId: string, listener: () => void): () => void {
    return this.#ofMessages.add(messageId, listener);
  }

  /** Calls `listener` after each change of a message of the session until the returned function is called. */
  subscribeSession(session: string, listener: (change: MessageChange) => void): () => void {
    return this.#ofSessions.add(session, listener);
  }

  /** The message has changed, and the change is on disk. */
  emit(messageId: string, session: string, state: MessageState | null = null): void {
    this.#ofMessages.call(messageId);
    this.#ofSessions.call(session, { messageId, state });
  }

  /** The turn of the message goes on. Those who wait for its end are not told. */
  emitProgress(messageId: string, session: string, progress: MessageProgress): void {
    this.#ofSessions.call(session, { messageId, state: null, progress });
  }

  /** True if somebody follows the session, or waits for one of these messages of it. */
  isWatched(session: string, messageIds: readonly string[]): boolean {
    return this.#ofSessions.has(session) || messageIds.some((id) => this.#ofMessages.has(id));
  }

  /** The number of messages that somebody waits for. */
  get watched(): number {
    return this.#ofMessages.size;
  }
}

class Listeners<Value> {
  readonly #byKey = new Map<string, Set<(value: Value) => void>>();

  get size(): number {
    return this.#byKey.size;
  }

  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  add(key: string, listener: (value: Value) => void): () => void {
    const listeners = this.#byKey.get(key) ?? new Set();
    this.#byKey.set(key, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#byKey.get(key) === listeners) this.#byKey.delete(key);
    };
  }

  call(key: string, value: Value): void {
    const listeners = this.#byKey.get(key);
    if (listeners === undefined) return;
    for (const listener of [...listeners]) listener(value);
  }
}
