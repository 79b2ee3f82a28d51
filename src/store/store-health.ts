import type { StoreEvents } from './open-store.js';
import type { StoreError, StoreFailure } from './store-error.js';

/** Time between two questions to a failed store if it can write again, in milliseconds. */
const askInterval = 1_000;

/** Failures that all new work would meet; the others are of one call. */
const keepsFromWriting: readonly StoreFailure[] = ['unavailable', 'full', 'corrupt'];

export interface StoreHealthOptions {
  readonly events: Pick<Partial<StoreEvents>, 'refusing' | 'accepting'>;
  /** Resolves once new work can be written again. */
  readonly tryWrite: () => Promise<void>;
}

/**
 * Knows by what fails whether the store takes new work. As nobody may send anything to a gateway that says it is not
 * ready, the store is then asked by itself until it can be written again.
 */
export class StoreHealth {
  readonly #options: StoreHealthOptions;
  #failure: StoreError | null = null;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: StoreHealthOptions) {
    this.#options = options;
  }

  /** A call to the store has failed, or its own work. */
  failed(error: StoreError): void {
    if (this.#closed || !keepsFromWriting.includes(error.reason)) return;
    const before = this.#failure;
    // A damage is not over when the disk is.
    if (before !== null && (before.reason === 'corrupt' || isSame(before, error))) return;
    this.#failure = error;
    this.#options.events.refusing?.(error);
    if (before === null && error.reason !== 'corrupt') this.#askLater();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #askLater(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#options.tryWrite().then(
        () => this.#recovered(),
        // Told since it began; `failed` has heard of another reason.
        () => this.#askLater(),
      );
    }, askInterval);
  }

  #recovered(): void {
    if (this.#closed || this.#failure === null || this.#failure.reason === 'corrupt') return;
    this.#failure = null;
    this.#options.events.accepting?.();
  }
}

function isSame(a: StoreError, b: StoreError): boolean {
  return a.reason === b.reason && a.detail === b.detail;
}
