import type { Received } from '../channel.js';

/** The rules of a channel about who is heard. */
export interface ConversationRules {
  readonly allow: readonly string[];
}

/** A message is a stranger's, one that is not for the gateway, one that no agent can be given, or one for the agent. */
export type Decision = 'not-allowed' | 'ignored' | 'set-aside' | 'message';

/** Decides about one message of a person. */
export function decide(received: Received, rules: ConversationRules): Decision {
  const { person, defect, isGroup, isAddressed = false } = received;
  if (person === null) return defect === undefined ? 'not-allowed' : 'set-aside';
  if (isGroup === true && !isAddressed) return 'ignored';
  if (!isAllowed(rules.allow, person.id)) return 'not-allowed';
  return defect === undefined ? 'message' : 'set-aside';
}

/** True if the list names the person; "*" in it is everybody. */
export function isAllowed(allow: readonly string[], person: string): boolean {
  return allow.includes(person) || allow.includes('*');
}
