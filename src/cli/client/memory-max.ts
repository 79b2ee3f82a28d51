import { whyNoMemoryLimit } from '../../agents/agent-groups.js';
import {
  delegationDropIn,
  delegationProperties,
  whyNotDelegated,
  withMemoryMax,
} from '../../agents/delegation.js';
import type { ConfigurationProblem } from '../../config/load.js';
import type { AgentConfigurations } from '../../config/schema.js';
import { ServiceManager } from '../../manager/service-manager.js';
import { systemctlFor } from '../operate/find.js';
import type { GatewayLocation } from './locate.js';

/** Says, with the drop-in that is missing, which agents' memory the unit can't limit. Asks the manager. */
export async function memoryMaxProblems(
  { unit, scope, file }: Pick<GatewayLocation, 'unit' | 'scope' | 'file'>,
  agents: AgentConfigurations,
): Promise<readonly ConfigurationProblem[]> {
  const names = withMemoryMax(agents);
  if (names.length === 0) return [];
  const reason =
    unit === null
      ? whyNoMemoryLimit()
      : whyNotDelegated(await new ServiceManager(scope).show(unit, delegationProperties));
  if (reason === null) return [];
  const how =
    unit === null
      ? 'Run the gateway as a unit with this drop-in'
      : `Add this drop-in with "${systemctlFor(`edit ${unit}`, scope)}", and restart it`;
  return names.map((name) => ({
    where: file.path,
    message: `agents.${name}.memory_max can't be held to: ${reason}. ${how}:\n\n${delegationDropIn}`,
  }));
}
