import { AgentError, type AgentEvent, type AgentReply } from './agent.js';
import { oneLine } from './one-line.js';

/**
 * Reads the events of a turn to their end and gives its reply; `onEvent` sees those before it, in their order. A status is
 * one short line, whatever the agent has written. Rejects
 * with the agent's `AgentError`, or with one of reason `bad-reply` if the events end without a reply.
 */
export async function replyOf(
  events: AsyncIterable<AgentEvent>,
  onEvent: (event: AgentEvent) => void = () => undefined,
): Promise<AgentReply> {
  let reply: AgentReply | null = null;
  for await (const event of events) {
    if (event.type === 'end') reply = event.reply;
    else onEvent(event.type === 'status' ? { ...event, text: oneLine(event.text) } : event);
  }
  if (reply === null) {
    throw new AgentError('bad-reply', 'the agent ended its turn without a reply', true);
  }
  return reply;
}
