import type { StoreCounts } from '../../store/messages.js';
import type { MeasuredStore, StoreFigures } from '../../store/open-store.js';
import type { Store } from '../../store/store.js';
import { type DelayFacts, EventLoopDelay } from '../supervisor/probes.js';
import { exposition } from './exposition.js';
import type { GatewayMetrics } from './gateway-metrics.js';
import { gauges, type ScrapedGateway } from './gauges.js';

/** Longest wait for the store; after that the scrape goes without its figures. */
const storeTimeoutMs = 1_000;

export interface ScraperOptions {
  readonly metrics: Pick<GatewayMetrics, 'families' | 'sentAt'>;
  /** The store while it can be asked. */
  readonly store: () => (Pick<Store, 'counts'> & Partial<MeasuredStore>) | null;
  /** All else, which takes no time. */
  readonly gateway: () => Omit<ScrapedGateway, 'counts' | 'figures' | 'delay' | 'sentAt'>;
  /** Default: one second. */
  readonly storeTimeoutMs?: number;
}

/** Makes the text that Prometheus reads. Scrapes that come together are one, and wait for the store for a second at most. */
export class Scraper {
  readonly #options: ScraperOptions;
  readonly #counts = new LateAnswer<StoreCounts>();
  readonly #figures = new LateAnswer<StoreFigures>();
  #delay: EventLoopDelay | null = null;
  #underWay: Promise<string> | null = null;

  constructor(options: ScraperOptions) {
    this.#options = options;
  }

  text(): Promise<string> {
    this.#underWay ??= this.#scrape().finally(() => {
      this.#underWay = null;
    });
    return this.#underWay;
  }

  close(): void {
    this.#delay?.close();
  }

  async #scrape(): Promise<string> {
    const { metrics, gateway, store: open, storeTimeoutMs: timeoutMs = storeTimeoutMs } = this.#options;
    const store = open();
    const [counts, figures] =
      store === null
        ? [null, null]
        : await Promise.all([
            this.#counts.ask(() => store.counts(), timeoutMs),
            this.#figures.ask(() => store.statistics?.() ?? Promise.resolve(null), timeoutMs),
          ]);
    const delay = this.#takeDelay();
    const sentAt = (channel: string) => metrics.sentAt(channel);
    return exposition([...metrics.families(), ...gauges({ ...gateway(), counts, figures, delay, sentAt })]);
  }

  /** Nobody pays for it before the first scrape. */
  #takeDelay(): DelayFacts | null {
    const delay = this.#delay?.take() ?? null;
    this.#delay ??= new EventLoopDelay();
    return delay;
  }
}

/** Asks a question that may not be answered in time, and does not ask again before it is. */
class LateAnswer<Value> {
  #pending: Promise<Value | null> | null = null;

  /** Null: it failed, or is late. */
  ask(call: () => Promise<Value | null>, timeoutMs: number): Promise<Value | null> {
    this.#pending ??= call()
      // Parts that need the store to work report its trouble.
      .catch(() => null)
      .finally(() => {
        this.#pending = null;
      });
    const late = new Promise<null>((resolve) => {
      setTimeout(resolve, timeoutMs, null).unref();
    });
    return Promise.race([this.#pending, late]);
  }
}
