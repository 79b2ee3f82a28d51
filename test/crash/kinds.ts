/** Rows of the table in docs/channels/README.md, each a channel of this name. */
export const channelKinds = [
  'reconcile',
  'idempotent',
  'resend',
  'ask',
  'telegram',
  'slack',
  'discord',
  'imap',
  'lmtp',
] as const;

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

export const kinds = [...clientKinds, ...channelKinds] as const;

/** Those of clients over HTTP. */
export type ClientKind = (typeof clientKinds)[number];
export type ChannelKind = (typeof channelKinds)[number];

/**
 * - client: posts one message after the other.
 * - cancel: cancels some of its messages, or all that its session has.
 * - collect, interrupt: the session has this policy, and its messages come faster than its turns end.
 * - once: its receiver does not go by the key (`"idempotent": false`).
 * - acp, openai, http: its agent is of this type, and misbehaves (inside/agent-plan.mjs); some messages are cancelled.
 * - hook: signed requests of a platform, to the channel of this name.
 * - reconcile, idempotent: the channel's program has this capability.
 * - resend, ask: it has none, and this is the channel's `unknown`.
 * - the others: the channel's type, and the way by which mails come in.
 */
export type Kind = (typeof kinds)[number];

export function kindOf(session: string): Kind {
  const kind = kinds.find((name) => session.startsWith(`${name}-`) || session.startsWith(`${name}:`));
  if (kind === undefined) throw new Error(`No client has the session ${session}.`);
  return kind;
}

export function isChannel(kind: Kind): kind is ChannelKind {
  return (channelKinds as readonly Kind[]).includes(kind);
}
