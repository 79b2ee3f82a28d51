import { toolKinds } from '../../config/acp-keys.js';
import type { JsonValue } from '../../store/messages.js';
import type { AgentQuestion, QuestionOption } from '../agent.js';
import { oneLine } from '../one-line.js';
import { membersOf, type ToolCallFacts } from './updates.js';

export type PermissionPolicy = 'allow' | 'ask' | 'deny';

export interface PermissionSettings {
  /** Kinds of tools that the agent may use. */
  readonly allow: readonly string[];
  /** Kinds about which a person is asked, also if they are allowed. */
  readonly ask: readonly string[];
}

/** The policy for a tool of that kind; one that the protocol does not know counts as "other". */
export function permissionPolicy(kind: string, { allow, ask }: PermissionSettings): PermissionPolicy {
  const known = (toolKinds as readonly string[]).includes(kind) ? kind : 'other';
  if (ask.includes(known)) return 'ask';
  return allow.includes(known) ? 'allow' : 'deny';
}

/** The kinds of options for each answer, the best first. Agents name options as they like, and leave some out. */
const optionKinds = {
  allow: ['allow_once', 'allow_always'],
  deny: ['reject_once', 'reject_always'],
} as const;

const effects = ['allow', 'deny'] as const;

/** An answer to `session/request_permission`: the option of the policy or, if the agent offers none, "cancelled". */
export function permissionAnswer(policy: 'allow' | 'deny', options: unknown): object {
  const offered = Array.isArray(options) ? options.map(membersOf) : [];
  for (const kind of optionKinds[policy]) {
    const optionId = offered.find((option) => option['kind'] === kind)?.['optionId'];
    if (typeof optionId === 'string') return { outcome: { outcome: 'selected', optionId } };
  }
  return { outcome: { outcome: 'cancelled' } };
}

/** Options of one question, and characters of an option's id. */
const mostOptions = 50;
const longestOptionId = 500;

/** The options that a person can choose from: those of a kind that the protocol knows. */
export function questionOptions(options: unknown): readonly QuestionOption[] {
  const offered = Array.isArray(options) ? options.slice(0, mostOptions).map(membersOf) : [];
  return offered.flatMap(({ optionId, name, kind }) => {
    const effect = effects.find((each) => (optionKinds[each] as readonly unknown[]).includes(kind));
    if (effect === undefined || typeof optionId !== 'string' || optionId.length > longestOptionId) return [];
    return [{ id: optionId, name: oneLine(typeof name === 'string' ? name : optionId), effect }];
  });
}

export function questionOf(
  { kind, title, input }: ToolCallFacts,
  options: readonly QuestionOption[],
): AgentQuestion {
  return { kind, title, input: input === undefined ? null : (JSON.parse(input) as JsonValue), options };
}
