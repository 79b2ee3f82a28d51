import { lead, passTo } from '../../machine/harness/lead.js';
import type { Machine } from '../../machine/harness/machine.js';
import { ada, type MatrixFault, MatrixStandIn } from '../../support/matrix-stand-in.js';
import { type Platform, quiet, type Row } from './platform.js';

type Weighted = MatrixFault & { readonly weight: number };

const sendFaults: readonly Weighted[] = [
  { weight: 3, kind: 'cut', at: 'before' },
  { weight: 3, kind: 'cut', at: 'after' },
  { weight: 2, kind: 'cut', at: 'in-answer' },
  { weight: 2, kind: 'hang', at: 'after' },
  { weight: 1, kind: 'raw', status: 502, body: 'Bad Gateway' },
  {
    weight: 1,
    kind: 'refuse',
    status: 429,
    body: { errcode: 'M_LIMIT_EXCEEDED', error: 'Too many requests', retry_after_ms: 500 },
  },
];

const syncFaults: readonly Weighted[] = [
  { weight: 2, kind: 'cut', at: 'after' },
  { weight: 2, kind: 'cut', at: 'in-answer' },
  { weight: 3, kind: 'replay' },
  { weight: 1, kind: 'raw', status: 502, body: 'Bad Gateway' },
];

/** An account whose people write in private rooms. */
export async function matrixPlatform(
  machine: Machine,
  { kind, index, chats, unknownKey, isBlind }: Row,
): Promise<Platform> {
  const standIn = await MatrixStandIn.start(Date.now, `@bot${index}:example.org`);
  const { origin, port } = new URL(standIn.root);
  await lead(machine, Number(port), passTo(origin));
  const rooms = chats.map((chat) => standIn.room(`!chat${chat}:example.org`, [ada]).id);
  if (isBlind) for (const id of rooms) standIn.unreadable.add(id);
  const sessionOf = (room: string) => `${kind}:${room.replace('!', '~21')}`;
  const roomOf = new Map(rooms.map((room) => [sessionOf(room), room]));
  return {
    kind,
    table: `type = "matrix"
token_file = "/run/tester/${kind}.token"
homeserver = "${standIn.root}"
timeout = "1s"
${unknownKey}${quiet}`,
    secrets: { [`${kind}.token`]: standIn.token },
    sessions: [...roomOf.keys()],
    write: (session, text) => void standIn.says(text, {}, roomOf.get(session)),
    misbehave: (random) => {
      // After a failed poll less is asked for, and the rest is read back: where that is not allowed, it is lost.
      if (isBlind || random.chance(0.7)) standIn.next('PUT send', random.pick(sendFaults));
      else standIn.next('GET sync', random.pick(syncFaults));
    },
    shown: () =>
      rooms.flatMap((room) => standIn.textsIn(room).map((text) => ({ session: sessionOf(room), text }))),
    mistakes: () => standIn.mistakes,
    close: () => standIn.close(),
  };
}
