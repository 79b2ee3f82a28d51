import type { ContentBlock, PromptRequest } from '@agentclientprotocol/sdk';
import { type AgentRequest, type EarlierTurn, filesAloneText } from '../agent.js';
import { instructionsOf } from '../instructions.js';

/** Turns that are given as context at most, and characters of them. */
export const mostContextTurns = 50;
const mostCharacters = 100_000;

const introduction =
  'This conversation began before, and you have no record of it. Here is what was said so far, the latest last. ' +
  'Do not answer it: it is only for you to know. The message to answer follows behind it.';

/** The conversation so far as a text for an agent that has lost it; null: there is none. The oldest turns give way. */
export function conversationText(history: readonly EarlierTurn[]): string | null {
  const parts: string[] = [];
  let characters = 0;
  for (const { text, reply } of history.toReversed()) {
    const part = `Person: ${text || filesAloneText}\n\nYou: ${reply.text}`;
    characters += part.length;
    if (characters > mostCharacters && parts.length > 0) break;
    parts.unshift(part.slice(-mostCharacters));
  }
  return parts.length === 0 ? null : [introduction, ...parts].join('\n\n');
}

/** Tells an agent that it may have begun with this message before. */
export const cutOffText =
  'The turn for the next message was cut off before it ended, so you may have done parts of it already. Look first.';

export interface PromptParts {
  readonly sessionId: string;
  /** The conversation so far, which the agent does not know; null: it knows it. */
  readonly context: string | null;
  readonly files: readonly ContentBlock[];
}

/** The prompt of a turn. */
export function turnPrompt(request: AgentRequest, { sessionId, context, files }: PromptParts): PromptRequest {
  const { turnId, messageId, attempt, putBacks, traceparent = null, text } = request;
  const instructions = instructionsOf(request);
  const isRepeated = (attempt > 1 || putBacks > 0) && context === null;
  // Some agents refuse an empty text, which a message of files alone has.
  const texts = [
    context,
    instructions === null ? null : `Instructions for this message:\n\n${instructions}`,
    isRepeated ? cutOffText : null,
    text || null,
  ].filter((each) => each !== null);
  return {
    sessionId,
    prompt: [...texts.map((each) => ({ type: 'text', text: each }) as const), ...files],
    _meta: {
      turn_id: turnId,
      message_id: messageId,
      attempt,
      put_backs: putBacks,
      ...(traceparent !== null && { traceparent }),
    },
  };
}
