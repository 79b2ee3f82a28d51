import type { JsonValue } from '../../store/messages.js';
import { AgentError, type AgentReply } from '../agent.js';
import { oneLine } from '../one-line.js';
import type { ToolCallFacts } from './updates.js';

/** A turn as the agent has ended it. */
export interface AgentTurnEnd {
  /** As the agent gave it. */
  readonly stopReason: unknown;
  readonly text: string;
  /** True if it called a tool or made a plan. */
  readonly acted: boolean;
  /** The tool calls that it was denied. */
  readonly denied: readonly ToolCallFacts[];
  /** True if it was given the conversation so far as text. */
  readonly hasContext: boolean;
}

/** Denied tool calls that a reply's metadata names. */
const mostDenied = 10;

export function noteDenied(denied: ToolCallFacts[], call: ToolCallFacts): void {
  if (denied.length < mostDenied) denied.push(call);
}

/**
 * Makes the reply of a turn by its stop reason (ACP, "Prompt Turn"). What an operator should know of it is in the
 * metadata, as `acp`.
 *
 * @throws AgentError if it has none
 */
export function turnReply({ stopReason, text, acted, denied, hasContext }: AgentTurnEnd): AgentReply {
  if (stopReason === 'refusal' && text === '') {
    throw new AgentError('failed', 'the agent refused to go on (stop reason "refusal")', false);
  }
  // A denied call ends the turns of some agents so.
  if (stopReason === 'cancelled' && denied.length === 0) {
    throw new AgentError('failed', 'the agent says that its turn was cancelled, which nobody here did', true);
  }
  if (text === '' && denied.length === 0 && !acted) {
    throw new AgentError(
      'bad-reply',
      'the agent ended its turn without a word; its model may have failed, which its own log tells',
      true,
    );
  }
  const facts: { [key: string]: JsonValue } = {};
  if (stopReason !== 'end_turn')
    facts['stop_reason'] = oneLine(JSON.stringify(stopReason ?? null).replace(/^"|"$/g, ''), 40);
  if (hasContext) facts['context'] = 'history';
  if (denied.length > 0) {
    facts['denied'] = denied.slice(0, mostDenied).map(({ kind, title }) => ({ kind, title }));
  }
  const [first] = denied;
  return {
    text: text === '' && first !== undefined ? deniedText(first) : text,
    metadata: Object.keys(facts).length === 0 ? {} : { acp: facts },
  };
}

function deniedText({ title }: ToolCallFacts): string {
  return `(The agent ended its turn, as it may not use a tool: ${title})`;
}
