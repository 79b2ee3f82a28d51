import type { ChannelConfiguration } from '../config/channel-table.js';
import type { Channel, ChannelContext } from './channel.js';

type ChannelType = ChannelConfiguration['type'];
type ConfigurationOf<Type extends ChannelType> = Extract<ChannelConfiguration, { readonly type: Type }>;

/** A line for each type of channel, with its name in the configuration. Each loads its code when it is used. */
const channelTypes: {
  readonly [Type in ChannelType]: (
    configuration: ConfigurationOf<Type>,
    context: ChannelContext,
  ) => Promise<Channel>;
} = {};

/** Makes a channel that the configuration asks for. Rejects if its code can't be loaded. */
export async function createChannel(
  configuration: ChannelConfiguration,
  context: ChannelContext,
): Promise<Channel> {
  // As long as there is no type, the configuration of one is `never`.
  const { type } = configuration as { readonly type: ChannelType };
  const create = channelTypes[type] as (
    configuration: ChannelConfiguration,
    context: ChannelContext,
  ) => Promise<Channel>;
  return create(configuration, context);
}
