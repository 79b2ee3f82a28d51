/**
 * Rows of the table in docs/channels/README.md, each a channel of this name, and its `unknown`. Null: nothing is in doubt there
 * for good.
 */
const unknownOf = {
  reconcile: null,
  idempotent: null,
  resend: 'resend',
  ask: 'ask',
  drop: 'drop',
  telegram: 'resend',
  'telegram-ask': 'ask',
  'telegram-drop': 'drop',
  slack: null,
  'slack-resend': 'resend',
  'slack-ask': 'ask',
  'slack-drop': 'drop',
  discord: null,
  'discord-resend': 'resend',
  'discord-ask': 'ask',
  'discord-drop': 'drop',
  matrix: null,
  'matrix-resend': 'resend',
  'matrix-ask': 'ask',
  'matrix-drop': 'drop',
  imap: 'resend',
  lmtp: 'resend',
  'lmtp-ask': 'ask',
  'lmtp-drop': 'drop',
} as const;

/** Each with the type of the channel first. */
export const channelKinds = Object.keys(unknownOf) as readonly ChannelKind[];

/** Acts of clients on a session, by the start of its name. Each kind has sessions of its own. */
const clientKinds = [
  'client',
  'cancel',
  'collect',
  'interrupt',
  'once',
  'acp',
  'openai',
  'http',
  'hook',
] as const;

/** Those of clients over HTTP. */
export type ClientKind = (typeof clientKinds)[number];
export type ChannelKind = keyof typeof unknownOf;
export type UnknownPolicy = 'resend' | 'ask' | 'drop';

/**
 * - client: posts one message after the other.
 * - cancel: cancels some of its messages, or all that its session has.
 * - collect, interrupt: the session has this policy, and its messages come faster than its turns end.
 * - once: its receiver does not go by the key (`"idempotent": false`).
 * - acp, openai, http: its agent is of this type, and misbehaves (inside/agent-plan.mjs); some messages are cancelled.
 * - hook: signed requests of a platform, to the channel of this name.
 * - reconcile, idempotent: the channel's program has this capability.
 * - resend, ask, drop: it has none, and this is the channel's `unknown`.
 * - the others: the channel's type, or the way by which mails come in, perhaps with its `unknown`. Those of Slack, Discord and
 *   Matrix can't read what they have sent then.
 */
export type Kind = ClientKind | ChannelKind;

export function kindOf(session: string): Kind {
  const kind =
    channelKinds.find((name) => session.startsWith(`${name}:`)) ??
    clientKinds.find((name) => session.startsWith(`${name}-`) || session.startsWith(`${name}:`));
  if (kind === undefined) throw new Error(`No client has the session ${session}.`);
  return kind;
}

export function isChannel(kind: Kind): kind is ChannelKind {
  return Object.hasOwn(unknownOf, kind);
}

/** What becomes of a send in doubt. */
export function unknownPolicyOf(kind: ChannelKind): UnknownPolicy | null {
  return unknownOf[kind];
}
