import { formatTimeSpan } from '../lifecycle/status-line.js';
import type { Log } from '../log/log.js';
import { messageIds } from '../log/message-ids.js';
import type { StoreError } from '../store/store.js';
import type { Clock } from './dispatch-clock.js';

/** How often a store that failed is asked whether it can write again, in milliseconds. */
const askInterval = 1_000;

/** Failures that all new work would meet; the others are of one call. */
const keepsFromWriting: readonly StoreError['reason'][] = [
  'full',
  'read-only',
  'input-output',
  'locked',
  'damaged',
];

export interface StoreHealthOptions {
  readonly log: Log;
  readonly clock: Clock;
  /** New work is refused from now on, or taken again. */
  readonly changed: () => void;
  /** Resolves once the store can be written again. */
  readonly tryWrite: () => Promise<void>;
}

/**
 * Whether the store takes new work. It is known by what fails; as nobody may send anything to a gateway that says it is
 * not ready, the store is then asked by itself until it can be written again.
 */
export class StoreHealth {
  readonly #options: StoreHealthOptions;
  #failure: StoreError | null = null;
  #since = 0;
  #cancel: (() => void) | null = null;
  #closed = false;

  constructor(options: StoreHealthOptions) {
    this.#options = options;
  }

  /** Why new messages are refused, in one line; null: they are taken. */
  get trouble(): string | null {
    return this.#failure === null ? null : `new messages are refused: ${this.#failure.message}`;
  }

  /** A call to the store has failed. */
  failed(error: StoreError): void {
    if (this.#closed || !keepsFromWriting.includes(error.reason)) return;
    const before = this.#failure;
    // A damage is not over when the disk is.
    if (before?.reason === error.reason || before?.reason === 'damaged') return;
    this.#failure = error;
    const { log, clock, changed } = this.#options;
    if (before === null) this.#since = clock.now();
    const damaged = error.reason === 'damaged';
    log.crit(`New messages are refused: ${error.message}`, {
      MESSAGE_ID: damaged ? messageIds.storeDamaged : messageIds.storeRefuses,
    });
    changed();
    if (before === null && !damaged) this.#askLater();
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  #askLater(): void {
    if (this.#closed) return;
    this.#cancel = this.#options.clock.after(askInterval, () => {
      this.#options.tryWrite().then(
        () => this.#recovered(),
        // On record since it began; `failed` has heard of another reason.
        () => this.#askLater(),
      );
    });
  }

  #recovered(): void {
    if (this.#closed || this.#failure === null || this.#failure.reason === 'damaged') return;
    const { log, clock, changed } = this.#options;
    this.#failure = null;
    log.notice(`New messages are taken again, after ${formatTimeSpan(clock.now() - this.#since)}.`, {
      MESSAGE_ID: messageIds.storeTakes,
    });
    changed();
  }
}
