import type { Log } from '../../log/log.js';
import { ownCommand } from '../../text/own-command.js';

/** From one record to the next, in milliseconds. */
export const refusedTokensIntervalMs = 60_000;

/** Logs requests with a wrong token: the first at once, then one record a minute for as long as more come. */
export class RefusedTokens {
  readonly #log: Log;
  #timer: NodeJS.Timeout | null = null;
  #count = 0;
  #last = '';

  constructor(log: Log) {
    this.#log = log;
  }

  /** `address`: the client's; null: it came by a Unix socket. */
  note(address: string | null): void {
    this.#count += 1;
    this.#last = address ?? 'a Unix socket';
    if (this.#timer === null) this.#tell();
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #tell(): void {
    const came = this.#count === 1 ? 'A request came' : `${this.#count} requests came`;
    this.#log.warning(
      `Refused a token: ${came} with a wrong one, the last from ${this.#last}. "${ownCommand('token show')}" shows the right one.`,
    );
    this.#count = 0;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#count > 0) this.#tell();
    }, refusedTokensIntervalMs).unref();
  }
}
