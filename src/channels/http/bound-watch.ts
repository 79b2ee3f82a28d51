import type { Log } from '../../log/log.js';
import { messageIds } from '../../log/message-ids.js';
import { type ConnectionBounds, mostConnections } from './connection-bounds.js';

export interface BoundWatchOptions {
  readonly log: Pick<Log, 'warning' | 'notice'>;
  /** The bound was reached, or no longer is. */
  readonly changed: () => void;
  /** Without a connection that was closed or refused for so long, in milliseconds, it is over. */
  readonly calmMs: number;
}

/** Tells that connections have reached their bound, once when it begins and once when it is over. */
export class BoundWatch {
  readonly #options: BoundWatchOptions;
  readonly #isFull: () => boolean;
  #timer: NodeJS.Timeout | null = null;
  /** Since the last look. */
  #met = false;
  #closed = 0;
  #refused = 0;

  /** `isFull`: whether there is still no room for one more. */
  constructor(options: BoundWatchOptions, isFull: () => boolean) {
    this.#options = options;
    this.#isFull = isFull;
  }

  get reached(): boolean {
    return this.#timer !== null;
  }

  /** A connection that rested was closed to make room. */
  noteClosed(bounds: ConnectionBounds): void {
    this.#closed += 1;
    this.#meet(bounds);
  }

  /** There was no room for a new connection, or for one that has shown the token. */
  noteRefused(bounds: ConnectionBounds): void {
    this.#refused += 1;
    this.#meet(bounds);
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #meet({ total, withoutToken }: ConnectionBounds): void {
    this.#met = true;
    if (this.#timer !== null) return;
    const { log, changed, calmMs } = this.#options;
    this.#timer = setInterval(() => this.#look(), calmMs).unref();
    log.warning(
      `Connections are at their bound: ${total}, and ${withoutToken} of callers without the token. The ones that rest are closed, those without the token first. Look for who opens so many (ss -tp); the bound follows LimitNOFILE= of the unit, up to ${mostConnections}.`,
      { MESSAGE_ID: messageIds.connectionsBounded },
    );
    changed();
  }

  #look(): void {
    const met = this.#met;
    this.#met = false;
    if (met || this.#isFull()) return;
    this.close();
    const { log, changed } = this.#options;
    log.notice(
      `Connections are below their bound again: ${this.#closed} that rested were closed meanwhile, and ${this.#refused} refused.`,
      { MESSAGE_ID: messageIds.connectionsTaken },
    );
    this.#closed = 0;
    this.#refused = 0;
    changed();
  }
}
