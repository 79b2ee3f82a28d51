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
} = {
  webhook: async (configuration, context) => {
    const { WebhookChannel } = await import('./webhook-in/webhook-channel.js');
    return new WebhookChannel(configuration, context);
  },
  command: async (configuration, context) => {
    const { CommandChannel } = await import('./command/command-channel.js');
    return new CommandChannel(configuration, context);
  },
  telegram: async (configuration, context) => {
    const { TelegramChannel } = await import('./telegram/telegram-channel.js');
    return new TelegramChannel(configuration, context);
  },
  email: async (configuration, context) => {
    const { EmailChannel } = await import('./email/email-channel.js');
    return new EmailChannel(configuration, context);
  },
  slack: async (configuration, context) => {
    const { SlackChannel } = await import('./slack/slack-channel.js');
    return new SlackChannel(configuration, context);
  },
  discord: async (configuration, context) => {
    const { DiscordChannel } = await import('./discord/discord-channel.js');
    return new DiscordChannel(configuration, context);
  },
  matrix: async (configuration, context) => {
    const { MatrixChannel } = await import('./matrix/matrix-channel.js');
    return new MatrixChannel(configuration, context);
  },
};

/** Makes a channel that the configuration asks for. Rejects if its code can't be loaded. */
export async function createChannel<Type extends ChannelType>(
  configuration: ConfigurationOf<Type> & { readonly type: Type },
  context: ChannelContext,
): Promise<Channel> {
  const channel = await channelTypes[configuration.type](configuration, context);
  if (!('isolated' in configuration && configuration.isolated)) return channel;
  const { IsolatedChannel } = await import('./isolated/isolated-channel.js');
  return new IsolatedChannel({ configuration, context, unstarted: channel });
}
