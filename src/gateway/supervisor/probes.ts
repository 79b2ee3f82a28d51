import { get, type RequestOptions } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ConnectionsTaken } from '../../channels/http/server/connections.js';
import type { PartProgress } from '../../lifecycle/timeouts.js';
import type { Store } from '../../store/store.js';

/** Most connections that wait in the kernel to be taken: the usual net.core.somaxconn (listen(2)). */
const longestLine = 4_096;

/**
 * Measures if the HTTP channel serves, as a client would. It connects to one of its own addresses and sends a request
 * for which the channel alone suffices, one at a time. No descriptor left, a listener that is gone, an answer that does
 * not come: all of these are no progress. A long line in front of it is none of these, as long as it moves: Node.js takes
 * one connection in a turn of the event loop.
 */
export class ChannelProbe {
  readonly #addresses: () => readonly string[];
  readonly #taken: () => ConnectionsTaken;
  #pendingSince: number | null = null;
  #asking = false;
  /** Connections that had been taken when its own one came to the line; null: it has not come there. */
  #takenBefore: number | null = null;

  /** `addresses`: where the channel listens, as "http://HOST:PORT" or "unix:/PATH"; empty while it is not to serve. */
  constructor(addresses: () => readonly string[], taken: () => ConnectionsTaken) {
    this.#addresses = addresses;
    this.#taken = taken;
  }

  /** Begins a request unless one is under way. */
  begin(): void {
    // Node.js can't connect to an abstract Unix socket that it has not bound itself.
    const address = this.#addresses().find((each) => !each.startsWith('unix:@'));
    if (address === undefined) this.#pendingSince = null;
    if (this.#asking || address === undefined) return;
    this.#asking = true;
    this.#pendingSince ??= performance.now();
    const place = placeOf(address);
    // A connection of its own: one that was kept would not show that new ones are taken.
    const request = get({ ...place, path: '/healthz', agent: false }, (response) => {
      // An answer that breaks off is none.
      response.on('error', () => undefined);
      response.resume();
      response.once('close', () => {
        this.#asking = false;
        this.#pendingSince = null;
      });
    });
    this.#takenBefore = null;
    request.once('socket', (socket) =>
      socket.once('connect', () => {
        this.#takenBefore = this.#taken().count;
      }),
    );
    // Asked again at the next tick; until one is answered there is no progress.
    request.on('error', () => {
      this.#asking = false;
    });
  }

  progress(): PartProgress {
    const { count, lastAt } = this.#taken();
    const waitsInLine =
      this.#asking && (this.#takenBefore === null || count - this.#takenBefore < longestLine);
    const pendingSince =
      this.#pendingSince !== null && waitsInLine ? Math.max(this.#pendingSince, lastAt) : this.#pendingSince;
    return { name: 'http', pendingSince };
  }
}

/** Not by way of a URL, which an IPv6 address with a zone ("%eth0") can't be part of. */
function placeOf(address: string): RequestOptions {
  if (address.startsWith('unix:')) return { socketPath: address.slice('unix:'.length) };
  const [, host = '', port] = /^http:\/\/\[?(.*?)\]?:(\d+)$/.exec(address) ?? [];
  return { host, port };
}

/** Measures if the store answers: one round trip at a time, begun at each tick. */
export class StoreProbe {
  readonly #store: Store;
  #pendingSince: number | null = null;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Begins a round trip unless one is under way. A store that answers with an error has answered. */
  begin(): void {
    if (this.#pendingSince !== null) return;
    this.#pendingSince = performance.now();
    const answered = () => {
      this.#pendingSince = null;
    };
    this.#store.probe().then(answered, answered);
  }

  progress(): PartProgress {
    return { name: 'store', pendingSince: this.#pendingSince };
  }
}

/** The event loop's delay, in milliseconds. */
export interface DelayFacts {
  readonly mean: number;
  readonly p99: number;
  readonly max: number;
}

/** Time between samples: rare enough to cost nothing, often enough to see what an operator would feel. */
const resolutionMs = 50;

/** Measures the event loop's delay by Node's own histogram. */
export class EventLoopDelay {
  readonly #histogram = monitorEventLoopDelay({ resolution: resolutionMs });

  constructor() {
    this.#histogram.enable();
  }

  /** The delay since the last look; the histogram's samples hold the resolution too, which is taken off. */
  take(): DelayFacts {
    const late = (nanoseconds: number) =>
      Number.isFinite(nanoseconds)
        ? Math.max(0, Math.round(nanoseconds / 10_000 - resolutionMs * 100) / 100)
        : 0;
    const { mean, max } = this.#histogram;
    const facts = { mean: late(mean), p99: late(this.#histogram.percentile(99)), max: late(max) };
    this.#histogram.reset();
    return facts;
  }

  close(): void {
    this.#histogram.disable();
  }
}
