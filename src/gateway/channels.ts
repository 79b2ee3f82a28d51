import { backoffMs, channelBackoff } from '../channels/backoff.js';
import type { Channel, ChannelHealth } from '../channels/channel.js';
import type { ChannelFacts } from '../channels/control/facts.js';
import type { ReplySender } from '../channels/reply-sender.js';
import { retryLater } from '../channels/send-failures.js';
import type { ChannelTargetVerdict } from '../channels/surroundings.js';
import type { CommonChannelConfiguration } from '../config/channel-table.js';
import { type Clock, systemClock } from '../lifecycle/effects/clock.js';
import { endsWithin } from '../lifecycle/effects/waits.js';
import type { Log } from '../log/log.js';
import type { Delivery } from '../store/deliveries.js';
import { cutText } from '../text/copied-start.js';
import { errorMessage } from '../text/failure-text.js';

/** Longest time that a channel may take to end, in milliseconds. */
const closeTimeoutMs = 5_000;

/** Longest reason why a channel is down, in characters: its platform has a part in it. */
const longestReason = 2_000;

interface RunningChannelOptions {
  readonly name: string;
  /** Makes the channel, and starts nothing. `signal` is aborted when it is closed. */
  readonly create: (signal: AbortSignal) => Promise<Channel>;
  readonly log: Log;
  readonly changed: () => void;
  readonly clock: Clock;
}

/** Keeps one channel running: one that does not start is made anew after a while. It never rejects or throws. */
class RunningChannel {
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

  /** Undefined: it has none, or does not run. */
  get say(): Channel['say'] {
    const channel = this.#channel;
    return channel?.say === undefined
      ? undefined
      : (to, text) => channel.say?.(to, text) ?? Promise.resolve();
  }

  /** True if it runs, and only takes messages. */
  get takesNoReplies(): boolean {
    return this.#channel !== null && this.#channel.replySender === undefined;
  }

  health(): ChannelHealth {
    if (this.#channel === null) return this.#health;
    try {
      const health = bounded(this.#channel.health());
      // While it is tried again, it is down as before.
      return health.state === 'starting' && this.#health.state === 'down' ? this.#health : health;
    } catch (error) {
      return bounded({ state: 'down', since: this.#health.since, reason: errorMessage(error) });
    }
  }

  stopAccepting(): void {
    this.#state = 'stopping';
    this.#cancelRetry();
    try {
      this.#channel?.stopAccepting();
    } catch (error) {
      this.#log('warning', `could not stop taking messages: ${errorMessage(error)}`);
    }
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#cancelRetry();
    this.#end.abort();
    const ended = this.#starting.then(() => this.#discard());
    if (!(await endsWithin(this.#options.clock, closeTimeoutMs, ended))) {
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
      this.#health = { state: 'starting', since: this.#options.clock.now(), reason: null };
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
    const reason = cutText(errorMessage(error), longestReason);
    if (this.#health.state !== 'down' || this.#health.reason !== reason) {
      this.#log('err', `did not start: ${reason}. The gateway goes on without it, and tries again`);
    }
    const since = this.#health.state === 'down' ? this.#health.since : clock.now();
    this.#health = { state: 'down', since, reason };
    const delayMs = backoffMs(channelBackoff, this.#failures);
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
      this.#log('warning', `failed to end: ${errorMessage(error)}`);
    }
  }

  #log(priority: 'err' | 'warning' | 'notice', text: string): void {
    const { name, log } = this.#options;
    log[priority](`The channel ${name} ${text}.`, { SD_GATEWAY_CHANNEL: name });
  }
}

export interface ChannelsOptions<Configuration extends CommonChannelConfiguration> {
  /** Makes a channel, and starts nothing. `signal` is aborted when the channel is closed. */
  readonly create: (name: string, configuration: Configuration, signal: AbortSignal) => Promise<Channel>;
  readonly log: Log;
  /** The health of a channel has changed. */
  readonly changed: () => void;
  readonly clock?: Clock;
}

/** A channel that the gateway must not start without did not start. */
export class ChannelStartError extends Error {
  constructor(name: string, cause: unknown) {
    const reason = errorMessage(cause);
    super(`[channels.${name}], which has required = true, did not start: ${reason}`, { cause });
    this.name = 'ChannelStartError';
  }
}

/** The channels with a table of their own. One that fails is started again; it never ends the gateway. */
export class Channels<Configuration extends CommonChannelConfiguration> {
  readonly #options: ChannelsOptions<Configuration>;
  readonly #clock: Clock;
  readonly #running = new Map<
    string,
    {
      readonly channel: RunningChannel;
      readonly made: string;
      readonly common: CommonChannelConfiguration;
    }
  >();

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

  /** Returns null if no running channel of that name sends replies. */
  senderOf(name: string): ReplySender | null {
    return this.#running.get(name)?.channel.sender ?? null;
  }

  /** Returns undefined if no running channel of that name can tell people something at once. */
  sayOf(name: string): Channel['say'] {
    return this.#running.get(name)?.channel.say;
  }

  /** Tells if a reply may go to this address. A channel that does not run now is asked nothing: the reply waits. */
  targetOf(name: string, address: string): ChannelTargetVerdict {
    const channel = this.#running.get(name)?.channel;
    if (channel === undefined) {
      const names = [...this.#running.keys()].join(', ');
      const known = names === '' ? 'there is none' : `there are: ${names}`;
      return { ok: false, member: 'channel', reason: `must name a channel of the configuration; ${known}` };
    }
    if (channel.takesNoReplies) {
      return { ok: false, member: 'channel', reason: 'must name a channel that sends replies' };
    }
    const mistake = channel.sender?.addressMistake?.(address) ?? null;
    if (mistake !== null) return { ok: false, member: 'to', reason: mistake };
    return { ok: true, guarantee: channel.sender?.guarantee?.() ?? { idempotent: false, unknown: null } };
  }

  facts(): readonly ChannelFacts[] {
    return [...this.#running].map(([name, { channel, common }]) => ({
      name,
      required: common.required,
      ...(common.isolated === true && { isolated: true }),
      ...channel.health(),
    }));
  }

  /** The channels that are down, in one line; null if none is. */
  trouble(): string | null {
    return channelTrouble(this.facts());
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
    this.#running.set(name, { channel, made: JSON.stringify(configuration), common: configuration });
    await after;
    return channel.start(isRetried);
  }
}

/** Names the channels that are down with their reasons, in one line; null if none is. */
export function channelTrouble(channels: readonly ChannelFacts[]): string | null {
  const down = channels.filter(({ state }) => state === 'down');
  if (down.length === 0) return null;
  return down
    .map(({ name, since, reason }) => {
      const time = new Date(since).toISOString().slice(0, 19);
      return `channel ${name} is down since ${time}Z: ${reason ?? 'it gives no reason'}`;
    })
    .join('; ');
}

/** The waits for a channel that does not run, in milliseconds. */
const absentSchedule = [1_000, 5_000, 15_000, 60_000];

/**
 * The sender of a delivery by its target's channel; null for a webhook. `senderOf` gives null for a channel that does not
 * run now: its replies wait.
 */
export function senderByChannel(
  { target: { channel } }: Pick<Delivery, 'target'>,
  senderOf: (channel: string) => ReplySender | null,
): ReplySender | null {
  return channel === 'webhook' ? null : (senderOf(channel) ?? absentSender(channel));
}

function absentSender(channel: string): ReplySender {
  return {
    schedule: absentSchedule,
    // All of its chats.
    destinationOf: () => '*',
    // The number of a part that was sent would count as delivered.
    partsOf: (delivery) => [{ delivery, number: nextPart(delivery), text: '' }],
    send: async () => retryLater(`the channel ${channel} does not run, or is not configured`),
    close: async () => undefined,
  };
}

function nextPart({ parts }: Delivery): number {
  return Math.max(0, ...parts.map(({ part }) => part)) + 1;
}

function bounded(health: ChannelHealth): ChannelHealth {
  const { reason } = health;
  return reason === null ? health : { ...health, reason: cutText(reason, longestReason) };
}
