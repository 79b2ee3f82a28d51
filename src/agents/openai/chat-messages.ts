import { type EarlierTurn, filesAloneText } from '../agent.js';
import type { ContentPart } from './file-parts.js';

/** A message of a conversation, as the interface of chat completions has it. */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string | readonly ContentPart[];
}

export interface HistoryBudget {
  /** Earlier messages and replies, each counted for itself. */
  readonly messages: number;
  /** Their text, in bytes of UTF-8. */
  readonly bytes: number;
}

/** Earlier turns that fit into the budget at most: a message and a reply each. */
export function turnsInBudget({ messages, bytes }: HistoryBudget): number {
  return bytes === 0 ? 0 : Math.floor(messages / 2);
}

/**
 * The conversation for one turn: the system's text, the newest turns that fit into the budget, and the message itself
 * with its files.
 * A turn is taken whole or not at all, and none behind one that doesn't fit, so that the conversation has no gap.
 *
 * @param history the oldest turn first
 * @param instructions the system's text that came with the message; null: none
 */
export function chatMessages(
  system: string | null,
  history: readonly Pick<EarlierTurn, 'text' | 'reply'>[],
  text: string,
  budget: HistoryBudget,
  files: readonly ContentPart[] = [],
  instructions: string | null = null,
): readonly ChatMessage[] {
  const past: ChatMessage[] = [];
  let leftBytes = budget.bytes;
  let leftTurns = turnsInBudget(budget);
  for (const { text: asked, reply } of history.toReversed()) {
    leftBytes -= Buffer.byteLength(asked) + Buffer.byteLength(reply.text);
    leftTurns -= 1;
    if (leftBytes < 0 || leftTurns < 0) break;
    // Servers refuse a message without text.
    if (reply.text === '') continue;
    past.unshift(
      { role: 'user', content: asked || filesAloneText },
      { role: 'assistant', content: reply.text },
    );
  }
  return [
    ...(system === null ? [] : [{ role: 'system', content: system } as const]),
    ...(instructions === null ? [] : [{ role: 'system', content: instructions } as const]),
    ...past,
    { role: 'user', content: files.length === 0 ? text : [...textParts(text), ...files] },
  ];
}

/** Servers refuse an empty text among the parts. */
function textParts(text: string): readonly ContentPart[] {
  return text === '' ? [] : [{ type: 'text', text }];
}
