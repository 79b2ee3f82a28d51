import { monitorEventLoopDelay } from 'node:perf_hooks';

/** In milliseconds. */
export interface DelayFacts {
  readonly mean: number;
  readonly p99: number;
  readonly max: number;
}

/** Between samples, in milliseconds: rare enough to cost nothing, often enough to see what an operator would feel. */
const resolution = 50;

/** How late the event loop is, by Node's own histogram. */
export class EventLoopDelay {
  readonly #histogram = monitorEventLoopDelay({ resolution });

  constructor() {
    this.#histogram.enable();
  }

  /** The delay since the last look; the histogram's samples hold the resolution too, which is taken off. */
  take(): DelayFacts {
    const late = (nanoseconds: number) =>
      Number.isFinite(nanoseconds)
        ? Math.max(0, Math.round(nanoseconds / 10_000 - resolution * 100) / 100)
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
