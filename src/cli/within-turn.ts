import { askFacts } from '../channels/control/ask-facts.js';
import type { CallerTurn } from '../channels/control/facts.js';

/**
 * The turn of the gateway at the socket that this command is part of; null: none, or nobody tells. The gateway is asked,
 * as it alone knows which turns run: an environment may be that of a turn that has ended long ago.
 */
export async function turnOfThisCommand(socket: string): Promise<CallerTurn | null> {
  const answer = await askFacts(socket);
  // One of an earlier version does not tell it.
  return answer.outcome === 'told' ? (answer.facts.callerTurn ?? null) : null;
}

/**
 * Why it is not done, and what to do instead.
 *
 * @param action that would end the turn, such as "restart"
 */
export function withinTurnLines(
  action: string,
  { turnId, messageId, session }: CallerTurn,
): readonly string[] {
  return [
    `this command is part of a turn that the gateway runs (${turnId} of session "${session}", message ${messageId}): the ${action} would cut the turn off, and it would be run again. Nothing was done.`,
    `  End the turn first. The ${action} is carried out when it comes from outside of the turn, such as from an operator.`,
  ];
}
