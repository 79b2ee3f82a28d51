import type { Channel, ChannelContext } from '../../src/channels/channel.js';
import type { ChannelConfiguration } from '../../src/config/channel-table.js';
import { configurationSchema } from '../../src/config/schema.js';
import { type ChannelContextOptions, channelContext } from '../../src/gateway/channel-context.js';
import { Intake } from '../../src/gateway/intake.js';
import type { QueueLimits } from '../../src/store/messages.js';
import type { Store } from '../../src/store/store.js';
import { FakeHost } from '../channels/command/fake-program.js';
import { RecordingLog } from '../gateway/delivery/recording-log.js';
import { ManualClock, Occurrences } from '../gateway/dispatch/fixture.js';

export type BenchOptions = Partial<ChannelContextOptions> &
  Pick<ChannelContextOptions, 'attachmentLimits'> & { readonly limits: QueueLimits };

/** The surroundings of a channel: a real store and intake, and a clock and failures that the test decides about. */
export class ChannelBench {
  static #benches = 0;
  /** Each bench has a channel of another name, and so sessions of its own. */
  readonly name: string;
  readonly clock = new ManualClock();
  readonly log = new RecordingLog();
  /** Each state and reason of the channel's health. */
  readonly healths = new Occurrences<string>();
  /** What the next calls of `accept` reject with. */
  readonly storeFailures: Error[] = [];

  constructor(
    kind: string,
    readonly store: Store,
  ) {
    ChannelBench.#benches += 1;
    this.name = `${kind}${ChannelBench.#benches}`;
  }

  /** Makes what a channel is given. Nothing runs the messages that it takes. */
  context({ limits, ...options }: BenchOptions): ChannelContext {
    const { name, store, log, clock, storeFailures } = this;
    const intake = new Intake({
      store,
      dispatcher: { reserveSlot: () => null, wake: () => undefined },
      onAccepted: () => undefined,
    });
    const context = channelContext({
      name,
      host: new FakeHost(),
      store,
      accept: async (messages, checkpoint) => {
        const failure = storeFailures.shift();
        if (failure !== undefined) throw failure;
        return intake.acceptAll(messages, limits, checkpoint);
      },
      log,
      signal: new AbortController().signal,
      healthChanged: () => undefined,
      ...options,
    });
    return { ...context, clock };
  }

  noteHealth(channel: Channel): void {
    const { state, reason } = channel.health();
    this.healths.add(`${state}: ${reason}`);
  }
}

/** The table `[channels.NAME]`, as the configuration has it. */
export function channelTable<Type extends ChannelConfiguration['type']>(
  name: string,
  table: { readonly type: Type; readonly [key: string]: unknown },
): Extract<ChannelConfiguration, { readonly type: Type }> {
  const configuration = configurationSchema.parse({ channels: { [name]: table } }).channels[name];
  if (configuration?.type !== table.type) throw new Error('There is no channel.');
  return configuration as Extract<ChannelConfiguration, { readonly type: Type }>;
}
