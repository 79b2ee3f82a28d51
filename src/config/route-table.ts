import { z } from 'zod';

/** A rule's condition: a text that isn't empty. */
function condition(description: string) {
  return z.string().min(1, 'must not be empty').optional().register(z.globalRegistry, { description });
}

/** The tables `[[route]]`. */
export const routeTables = z
  .array(
    z.strictObject({
      channel: condition('Messages that came by this channel: "http", or NAME of a [channels.NAME].'),
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
