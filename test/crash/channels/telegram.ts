import { lead, passTo } from '../../machine/harness/lead.js';
import type { Machine } from '../../machine/harness/machine.js';
import { type Fault, TelegramStandIn } from '../../support/telegram-stand-in.js';
import { type Platform, quiet, type Row } from './platform.js';

const sendFaults: readonly (Fault & { readonly weight: number })[] = [
  { weight: 3, kind: 'cut', at: 'before' },
  { weight: 3, kind: 'cut', at: 'after' },
  { weight: 2, kind: 'cut', at: 'in-answer' },
  { weight: 2, kind: 'hang', at: 'after' },
  { weight: 1, kind: 'raw', status: 502, body: 'Bad Gateway' },
  { weight: 1, kind: 'refuse', code: 500, description: 'Internal Server Error' },
  {
    weight: 1,
    kind: 'refuse',
    code: 429,
    description: 'Too Many Requests: retry after 1',
    parameters: { retry_after: 1 },
  },
];
const pollFaults: readonly (Fault & { readonly weight: number })[] = [
  { weight: 2, kind: 'cut', at: 'after' },
  { weight: 2, kind: 'cut', at: 'in-answer' },
  { weight: 3, kind: 'replay' },
  { weight: 1, kind: 'raw', status: 502, body: 'Bad Gateway' },
];

/** A bot whose people write in private. */
export async function telegramPlatform(
  machine: Machine,
  { kind, index, chats, unknownKey }: Row,
): Promise<Platform> {
  const standIn = await TelegramStandIn.start();
  await lead(machine, Number(new URL(standIn.root).port), passTo(standIn.root));
  standIn.bot.id += index;
  const people = chats.map((chat) => 42 + chat);
  return {
    kind,
    table: `type = "telegram"
token_file = "/run/tester/${kind}.token"
api_root = "${standIn.root}"
timeout = "1s"
health_interval = "2s"
${unknownKey}${quiet}`,
    secrets: { [`${kind}.token`]: standIn.token },
    sessions: people.map((id) => `${kind}:${id}`),
    write: (session, text) => void standIn.says(text, {}, Number(session.split(':')[1])),
    misbehave: (random) => {
      const [method, faults] = random.chance(0.7)
        ? (['sendMessage', sendFaults] as const)
        : (['getUpdates', pollFaults] as const);
      standIn.next(method, random.pick(faults));
    },
    shown: () => standIn.sent.map(({ chatId, text }) => ({ session: `${kind}:${chatId}`, text })),
    mistakes: () => standIn.mistakes,
    close: () => standIn.close(),
  };
}
