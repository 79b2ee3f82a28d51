import type { ChannelConfiguration } from '../../config/channel-table.js';
import { pause } from '../../lifecycle/effects/waits.js';
import type { Channel, ChannelAddress, ChannelContext, ChannelHealth } from '../channel.js';
import { KeptHealth } from '../kept-health.js';
import { ProgramRestarts } from '../program-restarts.js';
import type { ReplySender } from '../reply-sender.js';
import { isolatedSender } from './isolated-sender.js';
import { ProcessLink } from './process-link.js';

/** A reply waits so long for a process that is started again, which is no failure of its own. In milliseconds. */
const soonMs = 5_000;

export interface IsolatedChannelOptions {
  readonly configuration: ChannelConfiguration;
  readonly context: ChannelContext;
  /** The channel itself, which is never started here: it says what is sent where. */
  readonly unstarted: Channel;
}

/** The channel has this part of the time in which it is to end; the rest is its process's. */
const closeShare = 0.5;

/** A channel of any type of ours in a process of its own. One that ends is started again after a while. */
export class IsolatedChannel implements Channel {
  readonly name: string;
  readonly replySender?: ReplySender;
  readonly say?: (to: ChannelAddress, text: string) => Promise<void>;
  readonly #options: IsolatedChannelOptions;
  readonly #context: ChannelContext;
  /** Tells how the process is. While that runs, the channel in it tells its own. */
  readonly #health: KeptHealth;
  readonly #restarts: ProgramRestarts;
  #told: ChannelHealth | null = null;
  /** Aborted once a process is ready. */
  #ready = new AbortController();
  #link: ProcessLink | null = null;
  /** A process that is to be ready, or to have ended before that. */
  #opening: Promise<unknown> = Promise.resolve();
  #state: 'open' | 'stopping' | 'closed' = 'open';

  constructor(options: IsolatedChannelOptions) {
    const { configuration, context, unstarted } = options;
    const { name, clock } = context;
    this.name = name;
    this.#options = options;
    this.#context = context;
    this.#health = new KeptHealth(context);
    this.#restarts = new ProgramRestarts({
      context,
      health: this.#health,
      isOpen: () => this.#isOpen(),
      open: () => this.#open(),
    });
    const { replySender: planner } = unstarted;
    if (planner !== undefined) {
      const retryForMs = 'retry_for' in configuration ? configuration.retry_for : 0;
      const awaitLink = (signal: AbortSignal) => this.#awaitLink(signal);
      const link = () => this.#running;
      this.replySender = isolatedSender({ name, planner, link, awaitLink, retryForMs, clock });
    }
    if (unstarted.say !== undefined) this.say = (to, text) => this.#say(to, text);
  }

  async start(): Promise<void> {
    await this.#open();
  }

  stopAccepting(): void {
    if (this.#state === 'open') this.#state = 'stopping';
    this.#restarts.cancel();
    this.#link?.peer.tell('stopAccepting', null);
  }

  async close(timeoutMs: number): Promise<void> {
    this.stopAccepting();
    this.#state = 'closed';
    await this.#opening;
    await this.#link?.close(timeoutMs * closeShare);
    this.#health.enter('closed');
  }

  health(): ChannelHealth {
    const own = this.#health.now;
    return own.state === 'closed' || this.#link === null ? own : (this.#told ?? own);
  }

  async #say(to: ChannelAddress, text: string): Promise<void> {
    const link = this.#running;
    if (link === null) throw new Error('the process of the channel does not run');
    await link.peer.call('say', { to, text });
  }

  async #open(): Promise<void> {
    const { configuration } = this.#options;
    const { log, clock, healthChanged } = this.#context;
    this.#told = null;
    const opening = ProcessLink.open({
      context: this.#context,
      configuration,
      health: (health) => {
        const before = this.#told;
        this.#told = health;
        const isSame = before?.state === health.state && before.reason === health.reason;
        if (this.#link !== null && !isSame) healthChanged();
      },
    });
    this.#opening = opening.catch(() => undefined);
    const link = await opening;
    this.#link = link;
    this.#ready.abort();
    if (!this.#isOpen()) link.peer.tell('stopAccepting', null);
    log.info(`The channel ${this.name} runs in a process of its own (PID ${link.pid}).`);
    this.#health.enter('up');
    healthChanged();
    const readyAt = clock.now();
    void link.ended.then((how) => {
      this.#link = null;
      this.#ready = new AbortController();
      this.#restarts.ended(readyAt, `its process ${how}`);
    });
  }

  /** Null: none runs. One that has ended may have left something under way. */
  get #running(): ProcessLink | null {
    return this.#link?.peer.goneFor === null ? this.#link : null;
  }

  /** The process that runs, or that does so soon. Null: none does. */
  async #awaitLink(signal: AbortSignal): Promise<ProcessLink | null> {
    const isSoon = this.#isOpen() && this.#restarts.delayMs < soonMs;
    if (this.#running === null && isSoon) {
      await pause(
        { clock: this.#context.clock, signal: AbortSignal.any([signal, this.#ready.signal]) },
        soonMs,
      );
    }
    return this.#running;
  }

  /** It may have changed while something was awaited. */
  #isOpen(): boolean {
    return this.#state === 'open';
  }
}
