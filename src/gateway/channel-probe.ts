import { get, type RequestOptions } from 'node:http';
import { urlToHttpOptions } from 'node:url';
import type { PartProgress } from '../lifecycle/watchdog.js';

/**
 * Measures whether the HTTP channel serves, as a client would: a connection to one of its own addresses and a request
 * that needs nothing but the channel, one at a time. No descriptor left, a listener that is gone, an answer that does
 * not come: all of these are no progress.
 */
export class ChannelProbe {
  readonly #addresses: () => readonly string[];
  #pendingSince: number | null = null;
  #asking = false;

  /** `addresses`: where the channel listens, as "http://HOST:PORT" or "unix:/PATH"; empty while it is not to serve. */
  constructor(addresses: () => readonly string[]) {
    this.#addresses = addresses;
  }

  /** Begins a request unless one is under way. */
  begin(): void {
    const [address] = this.#addresses();
    if (address === undefined) this.#pendingSince = null;
    if (this.#asking || address === undefined) return;
    this.#asking = true;
    this.#pendingSince ??= performance.now();
    const place: RequestOptions = address.startsWith('unix:')
      ? { socketPath: address.slice('unix:'.length) }
      : urlToHttpOptions(new URL(address));
    // A connection of its own: one that was kept would not show that new ones are taken.
    const request = get({ ...place, path: '/healthz', agent: false }, (response) => {
      response.resume();
      response.once('close', () => {
        this.#asking = false;
        this.#pendingSince = null;
      });
    });
    // Asked again at the next tick; until one is answered there is no progress.
    request.once('error', () => {
      this.#asking = false;
    });
  }

  progress(): PartProgress {
    return { name: 'http', pendingSince: this.#pendingSince };
  }
}
