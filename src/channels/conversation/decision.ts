import type { PeopleConfiguration } from '../../config/channel-table.js';
import type { Received } from '../channel.js';
import type { Role } from './roles.js';
import { wordOf } from './words.js';

/**
 * The kind of a message: a stranger's, one that is not for the gateway, one that no agent can be given, a chat word, one
 * for the agent, or the edit or the deletion of an earlier one.
 */
export type Decision = 'not-allowed' | 'ignored' | 'set-aside' | 'word' | 'message' | 'edit' | 'deletion';

/** Decides about one message. `role`: its person's; null: a stranger's. */
export function decide(received: Received, rules: PeopleConfiguration, role: Role | null): Decision {
  const { person, defect, isGroup, origin, id } = received;
  // The platform says who may delete a message.
  if (origin === 'deleted') return id === null ? 'ignored' : 'deletion';
  // Nobody knows whose it is, so it can't be for anybody else either.
  if (person === null) return defect === undefined ? 'not-allowed' : 'set-aside';
  if (isGroup === true && !isHeardInGroup(received, rules)) return 'ignored';
  if (role === null) return 'not-allowed';
  if (defect !== undefined) return 'set-aside';
  if (origin === 'edited' && id !== null) return 'edit';
  return rules.words && wordOf(received) !== null ? 'word' : 'message';
}

function isHeardInGroup(
  { isAddressed = false }: Received,
  { groups = 'mention' }: PeopleConfiguration,
): boolean {
  return groups === 'all' || (groups === 'mention' && isAddressed);
}
