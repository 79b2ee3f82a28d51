import { lead, passTo } from '../../machine/harness/lead.js';
import type { Machine } from '../../machine/harness/machine.js';
import { type SlackFault, SlackStandIn } from '../../support/slack-stand-in.js';
import { type Platform, quiet, type Row } from './platform.js';

const sendFaults: readonly (SlackFault & { readonly weight: number })[] = [
  { weight: 3, kind: 'cut', at: 'before' },
  { weight: 3, kind: 'cut', at: 'after' },
  { weight: 2, kind: 'cut', at: 'in-answer' },
  { weight: 2, kind: 'hang', at: 'after' },
  { weight: 1, kind: 'raw', status: 502, body: 'Bad Gateway' },
  { weight: 1, kind: 'refuse', error: 'internal_error' },
  { weight: 1, kind: 'refuse', error: 'ratelimited', retryAfter: 1 },
];

/** An app whose people write in private, by Socket Mode. */
export async function slackPlatform(
  machine: Machine,
  { kind, index, chats, unknownKey, isBlind }: Row,
): Promise<Platform> {
  const standIn = await SlackStandIn.start();
  const { origin, port } = new URL(standIn.root);
  await lead(machine, Number(port), passTo(origin));
  standIn.bot.team_id += index;
  const conversations = chats.map((chat) => `D4${chat}`);
  if (isBlind) {
    standIn.scopes.delete('im:history');
    // Without the history, what Slack gives up is lost.
    standIn.mostTries = Number.POSITIVE_INFINITY;
  }
  for (const id of conversations) standIn.addConversation(id);
  return {
    kind,
    table: `type = "slack"
token_file = "/run/tester/${kind}.token"
app_token_file = "/run/tester/${kind}.app-token"
api_root = "${standIn.root}"
timeout = "1s"
health_interval = "2s"
${unknownKey}${quiet}`,
    secrets: { [`${kind}.token`]: standIn.botToken, [`${kind}.app-token`]: standIn.appToken },
    sessions: conversations.map((id) => `${kind}:${id}`),
    write: (session, text) => void standIn.says(text, { channel: session.split(':')[1] }),
    misbehave: (random) => {
      if (random.chance(0.6)) standIn.next('chat.postMessage', random.pick(sendFaults));
      else if (random.chance(0.3)) standIn.replay();
      else if (random.chance(0.5)) standIn.disconnect('refresh_requested');
      else for (const peer of standIn.peers) peer.cut();
    },
    shown: () =>
      conversations.flatMap((id) => standIn.textsIn(id).map((text) => ({ session: `${kind}:${id}`, text }))),
    mistakes: () => standIn.mistakes,
    close: () => standIn.close(),
  };
}
