import type { ChannelContext } from './channel.js';

/** Time in which one record of a kind is written, in milliseconds. */
const windowMs = 60_000;

/** Keeps a flood of one kind to one record a minute, which tells how many there were before. */
export class Complaints {
  readonly #context: Pick<ChannelContext, 'log' | 'clock'>;
  readonly #kinds = new Map<string, { until: number; leftOut: number }>();

  constructor(context: Pick<ChannelContext, 'log' | 'clock'>) {
    this.#context = context;
  }

  note(kind: string, text: string): void {
    const now = this.#context.clock.now();
    const window = this.#kinds.get(kind);
    if (window !== undefined && now < window.until) {
      window.leftOut += 1;
      return;
    }
    const before =
      window === undefined || window.leftOut === 0 ? '' : ` (${window.leftOut} more since the last record)`;
    this.#kinds.set(kind, { until: now + windowMs, leftOut: 0 });
    this.#context.log.warning(`${text}${before}`);
  }
}
