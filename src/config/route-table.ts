import { z } from 'zod';

/** A rule's condition: a text that isn't empty. */
function condition(description: string) {
  return z.string().min(1, 'must not be empty').optional().register(z.globalRegistry, { description });
}

/** The tables `[[route]]`. */
export const routeTables = z
  .array(
    z.strictObject({
      channel: condition(
        'Messages that came by this channel: "http", "openai", or NAME of a [channels.NAME].',
      ),
      sender: condition('Messages of this sender.'),
      session: condition('Messages of this session.'),
      prefix: condition('Messages of the sessions whose name begins so.'),
      agent: z.string().register(z.globalRegistry, {
        description:
          'The agent of a session whose first message meets all conditions of the table: NAME of an [agents.NAME].',
      }),
    }),
  )
  .default([]);

export type RouteRule = z.output<typeof routeTables>[number];

/** The parts of a message that a rule can go by. */
export interface RoutedMessage {
  readonly channel: string;
  readonly sender: string | null;
  readonly session: string;
}

/** The first rule that a message meets; null if it meets none. */
export function routeFor<Rule extends RouteRule>(
  rules: readonly Rule[],
  message: RoutedMessage,
): Rule | null {
  return rules.find((rule) => isMet(rule, message)) ?? null;
}

function isMet({ channel, sender, session, prefix }: RouteRule, message: RoutedMessage): boolean {
  return (
    (channel === undefined || channel === message.channel) &&
    (sender === undefined || sender === message.sender) &&
    (session === undefined || session === message.session) &&
    (prefix === undefined || message.session.startsWith(prefix))
  );
}

/**
 * Warns of agents that nothing leads to, while the built-in echo answers: whoever wrote their tables wants their answers.
 * With another default agent they may be for sessions that are given one by name.
 */
export function unroutedAgents(
  agents: Readonly<Record<string, { readonly type: string }>>,
  rules: readonly RouteRule[],
): readonly string[] {
  if (agents['default']?.type !== 'echo') return [];
  const routed = new Set(['default', ...rules.map(({ agent }) => agent)]);
  return Object.keys(agents)
    .filter((name) => !routed.has(name))
    .map(
      (name) =>
        `agents.${name}: no [[route]] names it, and the built-in echo answers in its place. Call the table [agents.default], or add below it: [[route]] agent = "${name}"`,
    );
}
