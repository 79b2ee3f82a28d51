import { toolKinds } from '../../config/acp-keys.js';
import { membersOf } from './updates.js';

export type PermissionPolicy = 'allow' | 'deny';

/** The policy for a tool of that kind; one that the protocol does not know counts as "other". */
export function permissionPolicy(kind: string, allowed: readonly string[]): PermissionPolicy {
  const known = (toolKinds as readonly string[]).includes(kind) ? kind : 'other';
  return allowed.includes(known) ? 'allow' : 'deny';
}

/** The kinds of options for each answer, the best first. Agents name options as they like, and leave some out. */
const optionKinds: Readonly<Record<PermissionPolicy, readonly string[]>> = {
  allow: ['allow_once', 'allow_always'],
  deny: ['reject_once', 'reject_always'],
};

/** An answer to `session/request_permission`: the option of the policy or, if the agent offers none, "cancelled". */
export function permissionAnswer(policy: PermissionPolicy, options: unknown): object {
  const offered = Array.isArray(options) ? options.map(membersOf) : [];
  for (const kind of optionKinds[policy]) {
    const optionId = offered.find((option) => option['kind'] === kind)?.['optionId'];
    if (typeof optionId === 'string') return { outcome: { outcome: 'selected', optionId } };
  }
  return { outcome: { outcome: 'cancelled' } };
}
