import { lead, passTo } from '../../machine/harness/lead.js';
import type { Machine } from '../../machine/harness/machine.js';
import { type DiscordFault, DiscordStandIn } from '../../support/discord-stand-in.js';
import { type Platform, quiet, type Row } from './platform.js';

const sendFaults: readonly (DiscordFault & { readonly weight: number })[] = [
  { weight: 3, kind: 'cut', at: 'before' },
  { weight: 3, kind: 'cut', at: 'after' },
  { weight: 2, kind: 'cut', at: 'in-answer' },
  { weight: 2, kind: 'hang', at: 'after' },
  { weight: 1, kind: 'raw', status: 502, body: 'Bad Gateway' },
];

/** A bot whose people write in private. */
export async function discordPlatform(
  machine: Machine,
  { kind, index, chats, unknownKey, isBlind }: Row,
): Promise<Platform> {
  const standIn = await DiscordStandIn.start();
  const { origin, port } = new URL(standIn.root);
  await lead(machine, Number(port), passTo(origin));
  standIn.gateway.heartbeatIntervalMs = 1_000;
  standIn.bot.id = String(BigInt(standIn.bot.id) + BigInt(index));
  const channels = chats.map((chat) => `10000000000000004${chat}`);
  if (isBlind) for (const id of channels) standIn.unreadable.add(id);
  for (const id of channels) standIn.channels.set(id, { id, guildId: null, messages: [] });
  return {
    kind,
    table: `type = "discord"
token_file = "/run/tester/${kind}.token"
api_root = "${standIn.root}"
timeout = "1s"
${unknownKey}${quiet}`,
    secrets: { [`${kind}.token`]: standIn.token },
    sessions: channels.map((id) => `${kind}:${id}`),
    write: (session, text) => void standIn.says(text, { channel_id: session.split(':')[1] }),
    misbehave: (random) => {
      const { gateway } = standIn;
      if (random.chance(0.6)) standIn.next('POST messages', random.pick(sendFaults));
      else if (random.chance(0.3)) gateway.replay(3);
      else if (random.chance(0.5)) gateway.cut();
      else gateway.op(7);
    },
    shown: () =>
      standIn.sent.map(({ channel_id: id, content: text }) => ({ session: `${kind}:${id}`, text })),
    mistakes: () => standIn.mistakes,
    close: () => standIn.close(),
  };
}
