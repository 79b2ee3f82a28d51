import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Channel, ChannelContext } from '../../../src/channels/channel.js';
import { createChannel } from '../../../src/channels/create-channel.js';
import { Hooks } from '../../../src/channels/hooks.js';
import type { SendOutcome } from '../../../src/channels/reply-sender.js';
import type { ChannelConfiguration } from '../../../src/config/channel-table.js';
import { channelHost } from '../../../src/gateway/channel-programs.js';
import { systemClock } from '../../../src/lifecycle/effects/clock.js';
import type { Delivery } from '../../../src/store/deliveries.js';
import type { Store } from '../../../src/store/store.js';
import { Occurrences } from '../../gateway/dispatch/fixture.js';
import { ChannelBench, channelTable } from '../../support/channel-bench.js';
import { type ReceptionChanges, receptionFor } from '../../support/reception.js';

type Table = Readonly<Record<string, unknown>> & { readonly type: ChannelConfiguration['type'] };

/** A channel in a process of its own, which this test’s process is the gateway of. Time is the machine’s. */
export class IsolatedScene extends ChannelBench {
  readonly directory = mkdtempSync(join(tmpdir(), 'sd-gateway-isolated-'));
  readonly hooks = new Hooks();
  /** Each message that is on disk. */
  readonly stored = new Occurrences<string>();
  publicUrl: string | null = 'https://gateway.example';
  attachmentLimits = { count: 2, fileBytes: 1_000_000, totalBytes: 1_500_000 };
  /** Called with each batch before it is stored. */
  beforeAccept: () => Promise<void> = async () => undefined;
  channel!: Channel;
  readonly #ends = new Map<Channel, AbortController>();

  constructor(
    store: Store,
    private readonly table: (scene: IsolatedScene) => Table,
  ) {
    super('isolated', store);
  }

  /** Writes a secret; gives the file. */
  secret(text: string, name = 'secret'): string {
    const file = join(this.directory, name);
    writeFileSync(file, `${text}\n`, { mode: 0o600 });
    return file;
  }

  async make(keys: object = {}, reception: ReceptionChanges = {}): Promise<Channel> {
    const end = new AbortController();
    const configuration = channelTable(this.name, { isolated: true, ...this.table(this), ...keys });
    const rules = receptionFor(configuration, { say: (to, text) => this.say(to, text), ...reception });
    const context = this.context({
      host: channelHost({
        name: this.name,
        directory: join(this.directory, 'channels'),
        agentDirectory: join(this.directory, 'agents'),
        groups: null,
        environment: {},
        credentialsDirectory: null,
        log: this.log,
      }),
      ...('allow' in configuration && { reception: (given) => rules({ ...given, clock: systemClock }) }),
      attachmentLimits: () => this.attachmentLimits,
      limits: { session: 1_000, total: 100_000 },
      hooks: this.hooks,
      publicUrl: () => this.publicUrl,
      signal: end.signal,
      healthChanged: () => this.noteHealth(channel),
    });
    const accept: ChannelContext['accept'] = async (messages, checkpoint) => {
      await this.beforeAccept();
      const outcomes = await context.accept(messages, checkpoint);
      for (const { text } of messages) this.stored.add(text);
      return outcomes;
    };
    const receive: ChannelContext['receive'] = async (received, checkpoint) => {
      await this.beforeAccept();
      const outcomes = await context.receive(received, checkpoint);
      for (const { text } of received) this.stored.add(text);
      return outcomes;
    };
    const channel = await createChannel(configuration, { ...context, accept, receive, clock: systemClock });
    this.#ends.set(channel, end);
    this.channel = channel;
    return channel;
  }

  async started(keys: object = {}, reception: ReceptionChanges = {}): Promise<Channel> {
    const channel = await this.make(keys, reception);
    await channel.start();
    return channel;
  }

  async closed(channel: Channel = this.channel): Promise<void> {
    this.#ends.get(channel)?.abort();
    await channel.close(5_000);
  }

  async end(): Promise<void> {
    for (const channel of this.#ends.keys()) await this.closed(channel);
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** The PIDs of the processes that got ready, in their order. */
  get pids(): readonly number[] {
    return this.log.records.flatMap(({ message }) => {
      const [, pid] = /in a process of its own \(PID (\d+)\)/.exec(message) ?? [];
      return pid === undefined ? [] : [Number(pid)];
    });
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    process.kill(this.pids.at(-1) ?? 0, signal);
  }

  /** Resolves once the nth process is ready. */
  async run(number: number): Promise<void> {
    while (this.pids.length < number) await this.log.next();
  }

  async say(to: Parameters<NonNullable<Channel['say']>>[0], text: string): Promise<void> {
    await this.channel.say?.(to, text);
  }

  /** Text and state of each message of a conversation. */
  async texts(conversation = '42'): Promise<readonly string[]> {
    const page = await this.messages(conversation);
    return page.map(({ text, state }) => `${text} ${state}`);
  }

  async messages(conversation = '42') {
    const session = `${this.name}:${conversation}`;
    return (await this.store.sessionMessages(session, { limit: 1_000, after: null }))?.items ?? [];
  }

  delivery({ to = '42', ...members }: Partial<Delivery> & { readonly to?: string } = {}): Delivery {
    const now = systemClock.now();
    return {
      webhookId: 'msg_1',
      target: { channel: this.name, address: to, options: {} },
      parts: [],
      notice: null,
      replyText: 'hello',
      attempt: 1,
      repliedAt: now,
      dueSince: now,
      ...members,
    } as unknown as Delivery;
  }

  /** Sends all parts of a reply; gives the end of the last one. */
  async sent(
    members: Parameters<IsolatedScene['delivery']>[0] = {},
    signal = new AbortController().signal,
  ): Promise<SendOutcome> {
    const delivery = this.delivery(members);
    let outcome: SendOutcome | undefined;
    for (const part of this.channel.replySender?.partsOf(delivery) ?? []) {
      outcome = await this.channel.replySender?.send(part, signal);
      if (outcome?.kind !== 'delivered') break;
    }
    if (outcome === undefined) throw new Error('There is no part.');
    return outcome;
  }
}
