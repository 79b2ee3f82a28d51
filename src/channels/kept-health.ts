import type { ChannelContext, ChannelHealth } from './channel.js';

/** The health of a channel, from its making on. The gateway is told of each change. */
export class KeptHealth {
  readonly #context: Pick<ChannelContext, 'name' | 'clock' | 'log' | 'healthChanged'>;
  #now: ChannelHealth;
  #provenAt: number | null = null;

  constructor(context: Pick<ChannelContext, 'name' | 'clock' | 'log' | 'healthChanged'>) {
    this.#context = context;
    this.#now = { state: 'starting', since: context.clock.now(), reason: null };
  }

  get now(): ChannelHealth {
    return this.#provenAt === null ? this.#now : { ...this.#now, provenAt: this.#provenAt };
  }

  /** The platform has answered or sent something just now. */
  proven(): void {
    this.#provenAt = this.#context.clock.now();
  }

  /** Gives false if it is so already. The log says when a channel that was down is up. */
  enter(state: ChannelHealth['state'], reason: string | null = null): boolean {
    const before = this.#now;
    if (before.state === state && before.reason === reason) return false;
    const { name, clock, log, healthChanged } = this.#context;
    if (state === 'up' && before.state === 'down') log.notice(`The channel ${name} is up again.`);
    this.#now = { state, since: before.state === state ? before.since : clock.now(), reason };
    healthChanged();
    return true;
  }
}
