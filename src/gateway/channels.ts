import type { Channel, ChannelHealth } from '../channels/channel.js';
import type { ReplySender } from '../channels/reply-sender.js';
import type { CommonChannelConfiguration } from '../config/channel-table.js';
import { type Clock, systemClock } from '../lifecycle/clock.js';
import type { Log } from '../log/log.js';
import { RunningChannel } from './running-channel.js';

export interface ChannelsOptions<Configuration extends CommonChannelConfiguration> {
  /** Makes a channel, and starts nothing. `signal` is aborted when the channel is closed. */
  readonly create: (name: string, configuration: Configuration, signal: AbortSignal) => Promise<Channel>;
  readonly log: Log;
  /** The health of a channel has changed. */
  readonly changed: () => void;
  readonly clock?: Clock;
}

export interface ChannelFacts {
  readonly name: string;
  readonly health: ChannelHealth;
}

/** A channel that the gateway must not start without did not start. */
export class ChannelStartError extends Error {
  constructor(name: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`[channels.${name}], which has required = true, did not start: ${reason}`, { cause });
    this.name = 'ChannelStartError';
  }
}

/** The channels with a table of their own. One that fails is started again; it never ends the gateway. */
export class Channels<Configuration extends CommonChannelConfiguration> {
  readonly #options: ChannelsOptions<Configuration>;
  readonly #clock: Clock;
  readonly #running = new Map<string, { readonly channel: RunningChannel; readonly made: string }>();

  constructor(options: ChannelsOptions<Configuration>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Starts all. Waits only for those that are required, and rejects if one of them does not start. */
  async start(tables: Readonly<Record<string, Configuration>>): Promise<void> {
    await Promise.all(
      Object.entries(tables).map(async ([name, table]) => {
        const first = this.#run(name, table, { isRetried: !table.required });
        if (!table.required) return;
        const failure = await first;
        if (failure !== null) throw new ChannelStartError(name, failure);
      }),
    );
  }

  /** Ends the channels whose table has changed or is gone, and starts the new ones. The others don't notice. */
  configure(tables: Readonly<Record<string, Configuration>>): void {
    const closing = new Map<string, Promise<void>>();
    for (const [name, { channel, made }] of this.#running) {
      const table = tables[name];
      if (table !== undefined && JSON.stringify(table) === made) continue;
      this.#running.delete(name);
      closing.set(name, channel.close());
    }
    for (const [name, table] of Object.entries(tables)) {
      // Two with one name would read the same messages.
      if (!this.#running.has(name))
        void this.#run(name, table, { isRetried: true, after: closing.get(name) });
    }
    this.#options.changed();
  }

  /** The gateway stops: no channel asks for more. */
  stopAccepting(): void {
    for (const { channel } of this.#running.values()) channel.stopAccepting();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ channel }) => channel.close()));
  }

  /** Null if no running channel of that name sends replies. */
  senderOf(name: string): ReplySender | null {
    return this.#running.get(name)?.channel.sender ?? null;
  }

  facts(): readonly ChannelFacts[] {
    return [...this.#running].map(([name, { channel }]) => ({ name, health: channel.health() }));
  }

  /** The channels that are down, in one line; null if none is. */
  trouble(): string | null {
    const down = this.facts().filter(({ health }) => health.state === 'down');
    if (down.length === 0) return null;
    return down
      .map(({ name, health }) => {
        const since = new Date(health.since).toISOString().slice(0, 19);
        return `channel ${name} is down since ${since}Z: ${health.reason ?? 'it gives no reason'}`;
      })
      .join('; ');
  }

  /** Gives the failure of the first start; null if there was none. */
  async #run(
    name: string,
    configuration: Configuration,
    { isRetried, after }: { readonly isRetried: boolean; readonly after?: Promise<void> | undefined },
  ): Promise<unknown> {
    const { create, log, changed } = this.#options;
    const channel = new RunningChannel({
      name,
      create: (signal) => create(name, configuration, signal),
      log,
      changed,
      clock: this.#clock,
    });
    this.#running.set(name, { channel, made: JSON.stringify(configuration) });
    await after;
    return channel.start(isRetried);
  }
}
