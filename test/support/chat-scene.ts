import { setTimeout as delay } from 'node:timers/promises';
import type { Channel } from '../../src/channels/channel.js';
import type { SendOutcome } from '../../src/channels/reply-sender.js';
import type { Delivery } from '../../src/store/deliveries.js';
import { ChannelBench } from './channel-bench.js';

/** The channel of a chat on a real store, and a clock that the test moves. */
export abstract class ChatScene<Chat extends Channel> extends ChannelBench {
  /** The conversation that is meant where none is named. */
  protected abstract readonly conversation: string;
  /** The channels that were made, and what ends each. */
  protected readonly ends = new Map<Chat, AbortController>();
  /** Longest time to pass until it is so, in milliseconds of the machine’s own clock. */
  protected readonly passLimitMs: number = Number.POSITIVE_INFINITY;

  abstract get channel(): Chat;

  /** Ends a channel, as the gateway does. */
  async closed(channel: Chat = this.channel): Promise<void> {
    this.ends.get(channel)?.abort();
    let isClosed = false;
    const closing = channel.close(0).finally(() => {
      isClosed = true;
    });
    await this.pass(() => isClosed);
    await closing;
  }

  protected async closedAll(): Promise<void> {
    for (const channel of this.ends.keys()) await this.closed(channel);
  }

  /** Text and state of each message of a session. */
  async texts(conversation = this.conversation): Promise<readonly string[]> {
    const page = await this.store.sessionMessages(`${this.name}:${conversation}`, {
      limit: 1_000,
      after: null,
    });
    return (page?.items ?? []).map(({ text, state }) => `${text} ${state}`);
  }

  /** Lets time pass, a step in a millisecond, until it is so. */
  async pass(isSo: () => boolean, stepMs = 100): Promise<void> {
    const end = Date.now() + this.passLimitMs;
    while (!isSo()) {
      if (Date.now() > end) throw new Error(`It did not become so: ${isSo}`);
      this.clock.advance(stepMs);
      await delay(1);
    }
  }

  /** Lets time pass until the work is over. */
  async passed<Result>(work: Promise<Result>): Promise<Result> {
    let isOver = false;
    const watched = work.finally(() => {
      isOver = true;
    });
    watched.catch(() => undefined);
    await this.pass(() => isOver);
    return watched;
  }

  /** Sends all parts of a reply, as the gateway does, and gives the end of the last one. */
  async sent(
    members: Partial<Delivery> & { readonly to?: string } = {},
    channel: Channel = this.channel,
  ): Promise<SendOutcome> {
    const delivery = this.delivery(members);
    let outcome: SendOutcome | undefined;
    for (const part of channel.replySender?.partsOf(delivery) ?? []) {
      const sending = channel.replySender?.send(part, new AbortController().signal);
      outcome = sending === undefined ? undefined : await this.passed(sending);
      if (outcome?.kind !== 'delivered') break;
    }
    if (outcome === undefined) throw new Error('There is no part.');
    return outcome;
  }

  /** The records of at least this priority, without those of the store. */
  get complaints(): readonly string[] {
    return this.log.records
      .filter(({ priority }) => ['err', 'warning'].includes(priority))
      .map(({ message }) => message);
  }

  /** A reply to a conversation, made since the channel started. */
  delivery({
    to = this.conversation,
    ...members
  }: Partial<Delivery> & { readonly to?: string } = {}): Delivery {
    return {
      webhookId: 'msg_1',
      target: { channel: this.name, address: to, options: {} },
      parts: [],
      notice: null,
      replyText: 'hello',
      attempt: 1,
      repliedAt: this.clock.now() + 1,
      dueSince: this.clock.now(),
      ...members,
    } as unknown as Delivery;
  }
}
