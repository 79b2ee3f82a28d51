import { systemClock } from '../../lifecycle/clock.js';
import { messageIds } from '../../log/fields.js';
import type { Log } from '../../log/log.js';
import type { StoreError } from '../../store/store-error.js';
import { formatTimeSpan } from '../../text/time-span.js';

export interface StoreTroubleOptions {
  readonly log: Log;
  /** New work is refused from now on, or taken again. */
  readonly changed: () => void;
  /** Milliseconds since the Unix epoch. */
  readonly now?: () => number;
}

/** Says in the log when the store begins and ends to refuse new work. */
export class StoreTrouble {
  readonly #options: StoreTroubleOptions;
  #failure: StoreError | null = null;
  #since = 0;

  constructor(options: StoreTroubleOptions) {
    this.#options = options;
  }

  /** Why new messages are refused, in one line; null: they are taken. */
  get reason(): string | null {
    return this.#failure === null ? null : `new messages are refused: ${this.#failure.message}`;
  }

  refusing(error: StoreError): void {
    const { log, changed } = this.#options;
    if (this.#failure === null) this.#since = this.#now();
    this.#failure = error;
    log.crit(`New messages are refused: ${error.message}`, {
      MESSAGE_ID: error.reason === 'corrupt' ? messageIds.storeDamaged : messageIds.storeRefuses,
    });
    changed();
  }

  accepting(): void {
    const { log, changed } = this.#options;
    this.#failure = null;
    log.notice(`New messages are taken again, after ${formatTimeSpan(this.#now() - this.#since)}.`, {
      MESSAGE_ID: messageIds.storeTakes,
    });
    changed();
  }

  #now(): number {
    return (this.#options.now ?? systemClock.now)();
  }
}
