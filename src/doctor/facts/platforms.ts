import { readChannelSecret } from '../../channels/secret.js';
import type { ChannelConfiguration } from '../../config/channel-table.js';
import { asOwnerOf, IdentityError } from '../../linux/owner.js';
import { errorMessage } from '../../text/failure-text.js';
import type { PlatformAccess } from '../facts.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** Asks the platforms what their bots may do, all at the same time. It takes no message, and begins no session. */
export async function gatherPlatforms(
  channels: Readonly<Record<string, ChannelConfiguration>>,
  environment: Environment,
): Promise<readonly PlatformAccess[]> {
  const asked = Object.entries(channels).map(([name, channel]) => gatherPlatform(name, channel, environment));
  return (await Promise.all(asked)).filter((access) => access !== null);
}

/** Null: it is of another type. */
async function gatherPlatform(
  name: string,
  channel: ChannelConfiguration,
  environment: Environment,
): Promise<PlatformAccess | null> {
  if (channel.type !== 'slack' && channel.type !== 'discord') return null;
  const token = tokenOf(name, channel);
  if ('untold' in token) return { name, ...token };
  const { signal } = new AbortController();
  if (channel.type === 'slack') {
    const { trySlack } = await import('../../channels/slack/try-slack.js');
    const trial = await trySlack(channel.api_root, { bot: token.text, app: null }, environment, signal);
    if (trial.kind === 'problem') return { name, untold: trial.reason };
    return { name, lacks: trial.missing === null ? null : { kind: 'scopes', scopes: trial.missing } };
  }
  const { tryDiscord } = await import('../../channels/discord/try-discord.js');
  const trial = await tryDiscord(channel.api_root, token.text, environment, signal);
  if (trial.kind === 'problem') return { name, untold: trial.reason };
  const needsAll = channel.message_content || channel.groups === 'all';
  return { name, lacks: needsAll && trial.mayReadAll === false ? { kind: 'message-content' } : null };
}

/** The owner of the directory may have put anything at the file's place: root reads it as them. */
function tokenOf(
  name: string,
  { token_file: file }: { readonly token_file: string | null },
): { readonly text: string } | { readonly untold: string } {
  if (file === null) return { untold: 'its token is a credential of the unit, which only the gateway has' };
  try {
    const text = asOwnerOf(file, (reachable) =>
      readChannelSecret({ name, token_file: reachable, token_credential: null }, null),
    );
    return { text: text ?? '' };
  } catch (error) {
    if (error instanceof IdentityError) return { untold: error.message };
    return { untold: errorMessage(error) };
  }
}
