import type { PeopleConfiguration } from '../../config/channel-table.js';

/** An owner may decide for the agent, and for others in a group. */
export const roles = ['owner', 'user'] as const;
export type Role = (typeof roles)[number];

/** The role of a person; null: a stranger. `recorded`: the role with which an operator let the person in. */
export function roleOf(rules: PeopleConfiguration, person: string, recorded: Role | null): Role | null {
  if (rules.owners.includes(person)) return 'owner';
  if (rules.allow.includes(person)) return 'user';
  return recorded ?? (rules.allow.includes('*') ? 'user' : null);
}

/** True if a record can make a difference to the role. */
export function needsRecord({ owners, allow }: PeopleConfiguration, person: string): boolean {
  return !owners.includes(person) && !allow.includes(person);
}
