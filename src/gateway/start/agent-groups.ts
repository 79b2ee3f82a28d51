import { AgentGroups, type GroupsFound } from '../../agents/agent-groups.js';
import { delegationAdvice, withMemoryMax } from '../../agents/delegation.js';
import type { AgentConfigurations } from '../../config/schema.js';
import { readProc } from '../../linux/process.js';
import type { Log } from '../../log/log.js';
import { ServiceManager } from '../../manager/service-manager.js';
import { parseCgroup, unitOfCgroup } from '../../systemd/evidence.js';
import { errorMessage } from '../../text/failure-text.js';
import { RefusedStart } from './failed-start.js';

/**
 * Finds the control groups for agents, and moves the gateway to one beside them.
 *
 * @throws RefusedStart if an agent's memory can't be limited here
 */
export async function openAgentGroups(
  agents: AgentConfigurations,
  unit: string | null,
  log: Log,
): Promise<GroupsFound> {
  let found: GroupsFound;
  try {
    found = AgentGroups.open(false);
    if (found.groups === null && withMemoryMax(agents).length > 0 && (await isDelegatedByUser(unit, log))) {
      found = AgentGroups.open(true);
    }
  } catch (error) {
    found = { groups: null, reason: errorMessage(error) };
  }
  if (found.groups !== null)
    log.debug(`Each process of an agent gets a control group in ${found.groups.directory}.`);
  else log.debug(`Agents get no control groups of their own: ${found.reason}`);
  const problem = memoryMaxProblem(agents, found);
  if (problem !== null) throw new RefusedStart(problem);
  return found;
}

/** Asks the user's own manager, which leaves no mark on a group that it has delegated. */
async function isDelegatedByUser(unit: string | null, log: Log): Promise<boolean> {
  const { manager } = unitOfCgroup(parseCgroup(readProc('/proc/self/cgroup') ?? ''));
  if (unit === null || manager !== 'user') return false;
  try {
    const { Delegate } = await new ServiceManager('user').show(unit, ['Delegate']);
    return Delegate === 'yes';
  } catch (error) {
    log.notice(`The user’s manager did not say if it delegates the control group: ${errorMessage(error)}`);
    return false;
  }
}

/** The reason why a configuration can't be used: an agent's memory can't be limited here. Null if it can. */
export function memoryMaxProblem(
  agents: AgentConfigurations,
  { groups, reason }: GroupsFound,
): string | null {
  const names = withMemoryMax(agents);
  const why = groups === null ? reason : groups.noLimit;
  if (names.length === 0 || why === null) return null;
  const keys = names.map((name) => `agents.${name}.memory_max`).join(', ');
  return `${keys} can't be held to: ${why}; ${delegationAdvice}`;
}
