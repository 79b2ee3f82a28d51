/** Acts of clients on a session, by the start of its name. Each kind has sessions of its own. */
export const kinds = ['client', 'cancel', 'collect', 'interrupt', 'once', 'acp', 'openai', 'http'] as const;

/**
 * - client: posts one message after the other.
 * - cancel: cancels some of its messages, or all that its session has.
 * - collect, interrupt: the session has this policy, and its messages come faster than its turns end.
 * - once: its receiver does not go by the key (`"idempotent": false`).
 * - acp, openai, http: its agent is of this type, and misbehaves (inside/agent-plan.mjs); some messages are cancelled.
 */
export type Kind = (typeof kinds)[number];

export function kindOf(session: string): Kind {
  const kind = kinds.find((name) => session.startsWith(`${name}-`));
  if (kind === undefined) throw new Error(`No client has the session ${session}.`);
  return kind;
}
