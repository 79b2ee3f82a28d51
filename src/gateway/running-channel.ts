import type { Channel, ChannelHealth } from '../channels/channel.js';
import type { ReplySender } from '../channels/reply-sender.js';
import type { Clock } from '../lifecycle/clock.js';
import type { Log } from '../log/log.js';

/** How long a channel may take to end, in milliseconds. */
const closeTimeoutMs = 5_000;
/** The wait before the next start, in milliseconds: doubled after each failure, up to the limit. */
const firstRetryDelayMs = 1_000;
const retryDelayLimitMs = 60_000;

export interface RunningChannelOptions {
  readonly name: string;
  /** Makes the channel, and starts nothing. `signal` is aborted when it is closed. */
  readonly create: (signal: AbortSignal) => Promise<Channel>;
  readonly log: Log;
  readonly changed: () => void;
  readonly clock: Clock;
}

/** Keeps one channel running: one that does not start is made anew after a while. It never rejects or throws. */
export class RunningChannel {
  readonly #options: RunningChannelOptions;
  #channel: Channel | null = null;
  #end = new AbortController();
  #failures = 0;
  /** Until the channel has started; it tells its own from then on. */
  #health: ChannelHealth;
  #cancelRetry: () => void = () => undefined;
  #starting: Promise<unknown> = Promise.resolve(null);
  #state: 'open' | 'stopping' | 'closed' = 'open';

  constructor(options: RunningChannelOptions) {
    this.#options = options;
    this.#health = { state: 'starting', since: options.clock.now(), reason: null };
  }

  /**
   * Gives the failure of the start; null if there was none.
   * @param isRetried true if the next start follows by itself
   */
  start(isRetried: boolean): Promise<unknown> {
    this.#starting = this.#startOnce(isRetried);
    return this.#starting;
  }

  get sender(): ReplySender | null {
    return this.#channel?.replySender ?? null;
  }

  health(): ChannelHealth {
    if (this.#channel === null) return this.#health;
    try {
      return this.#channel.health();
    } catch (error) {
      return { state: 'down', since: this.#health.since, reason: reasonOf(error) };
    }
  }

  stopAccepting(): void {
    this.#state = 'stopping';
    this.#cancelRetry();
    try {
      this.#channel?.stopAccepting();
    } catch (error) {
      this.#log('warning', `could not stop taking messages: ${reasonOf(error)}`);
    }
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#cancelRetry();
    this.#end.abort();
    let cancelTimeout = () => {};
    const late = new Promise<'late'>((resolve) => {
      cancelTimeout = this.#options.clock.after(closeTimeoutMs, () => resolve('late'));
    });
    const ended = this.#starting.then(() => this.#discard());
    const outcome = await Promise.race([ended, late]);
    cancelTimeout();
    if (outcome === 'late') {
      this.#log('warning', `had not ended after ${closeTimeoutMs / 1_000} s, and is left behind`);
    }
  }

  async #startOnce(isRetried: boolean): Promise<unknown> {
    if (this.#state !== 'open') return null;
    this.#end = new AbortController();
    try {
      const channel = await this.#options.create(this.#end.signal);
      this.#channel = channel;
      if (!this.#isOpen()) return null;
      await channel.start();
      if (this.#failures > 0) this.#log('notice', `has started, after ${this.#failures} failures`);
      this.#failures = 0;
      this.#options.changed();
      return null;
    } catch (error) {
      this.#end.abort();
      await this.#discard();
      if (isRetried && this.#isOpen()) this.#retryAfter(error);
      return error;
    }
  }

  /** Close may have been called meanwhile. */
  #isOpen(): boolean {
    return this.#state === 'open';
  }

  #retryAfter(error: unknown): void {
    const { clock, changed } = this.#options;
    const reason = reasonOf(error);
    if (this.#health.state !== 'down' || this.#health.reason !== reason) {
      this.#log('err', `did not start: ${reason}. The gateway goes on without it, and tries again`);
    }
    const since = this.#health.state === 'down' ? this.#health.since : clock.now();
    this.#health = { state: 'down', since, reason };
    const delayMs = Math.min(firstRetryDelayMs * 2 ** this.#failures, retryDelayLimitMs);
    this.#failures += 1;
    this.#cancelRetry = clock.after(delayMs, () => void this.start(true));
    changed();
  }

  async #discard(): Promise<void> {
    const channel = this.#channel;
    this.#channel = null;
    try {
      await channel?.close(closeTimeoutMs);
    } catch (error) {
      this.#log('warning', `failed to end: ${reasonOf(error)}`);
    }
  }

  #log(priority: 'err' | 'warning' | 'notice', text: string): void {
    const { name, log } = this.#options;
    log[priority](`The channel ${name} ${text}.`, { SD_GATEWAY_CHANNEL: name });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
